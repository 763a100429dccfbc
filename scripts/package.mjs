// `npm run package`: builds the addons that this machine can build, lays out and checks the packages, and installs them from a
// registry on this machine into empty projects, with every package manager. The matrix of results comes last.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { choose } from './choose.mjs'
import { addonFile, addons, buildAddon } from './package/build.mjs'
import {
  areTheTypesWrong,
  glibcFloor,
  needViewers,
  pack,
  platformFaults,
  publint,
  rootFaults,
} from './package/check.mjs'
import { billOfMaterials } from './package/crates.mjs'
import { outdatedManifests } from './package/manifests.mjs'
import { managers, runMatrix, table } from './package/matrix.mjs'
import { startRegistry } from './package/registry.mjs'
import { stagePlatform, stageRoot, version } from './package/stage.mjs'
import { targets } from './package/targets.mjs'
import { Missing } from './package/toolchains.mjs'
import { dockerfileFaults, workflowFaults } from './package/workflows.mjs'
import { buildFacade, install, root } from './setup.mjs'

const usage = `Usage: npm run package -- [options]

Builds the addons of all platforms that this machine can build for, packs them, and installs the packages as users do.

  --targets <names>   only these platforms, separated by commas; one that cannot be built is a fault then
  --managers <names>  only these package managers, separated by commas
  --no-build          takes the addons from before
  --no-matrix         installs nothing
  --sbom              writes only the bills of materials, to .package/sbom/
  --help              shows this text

Platforms:         ${targets.map(({ name }) => name).join(', ')}
Package managers:  ${managers.map(({ name }) => name).join(', ')}`

function parse() {
  try {
    return parseArgs({
      options: {
        targets: { type: 'string', default: '' },
        managers: { type: 'string', default: '' },
        'no-build': { type: 'boolean', default: false },
        'no-matrix': { type: 'boolean', default: false },
        sbom: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    console.error(`${error.message}\n\n${usage}`)
    return process.exit(1)
  }
}

/** Returns the findings of a check, or one that says why the check cannot run. */
async function findings(check) {
  try {
    return await check()
  } catch (error) {
    if (error instanceof Missing) return [error.message]
    throw error
  }
}

const options = parse()
if (options.help) {
  console.log(usage)
  process.exit()
}
const list = (text) => text.split(',').filter(Boolean)
const chosen = choose('target', targets, list(options.targets))
const chosenManagers = choose('package manager', managers, list(options.managers))
const folder = join(root, '.package')
const faults = []
const skipped = []

install()
if (options.sbom) {
  mkdirSync(join(folder, 'sbom'), { recursive: true })
  for (const target of chosen) {
    const path = join(folder, 'sbom', `framepool-${target.name}.cdx.json`)
    writeFileSync(path, `${JSON.stringify(billOfMaterials(target, version), null, 2)}\n`)
    console.log(path)
  }
  process.exit()
}

buildFacade()
faults.push(...(await findings(workflowFaults)), ...(await findings(dockerfileFaults)))
faults.push(...outdatedManifests().map((path) => `${path} is outdated: run \`node scripts/package/manifests.mjs\``))
const built = chosen.filter((target) => {
  const path = join(addons, addonFile(target))
  try {
    needViewers(target)
    if (!options['no-build']) buildAddon(target)
    if (!existsSync(path)) throw new Missing(`there is no addon for ${target.name} from before`)
    return true
  } catch (error) {
    if (!(error instanceof Missing)) faults.push(error.message)
    // What was asked for by name must not be left out.
    else (options.targets ? faults : skipped).push(`${target.name}: ${error.message}`)
    return false
  }
})

const packed = built.map((target) => {
  const staged = stagePlatform(join(folder, 'staged', target.name), target, join(addons, addonFile(target)))
  return { name: target.name, target, ...pack(staged, join(folder, 'tarballs')) }
})
// The root package names all platforms, as it does when it is published.
const main = pack(await stageRoot(join(folder, 'staged', 'framepool'), targets), join(folder, 'tarballs'))
for (const { name, target, ...one } of packed) {
  faults.push(
    ...platformFaults(target, one).map((fault) => `framepool-${name}: ${fault}`),
    ...(await findings(() => publint(one.tarball))),
  )
}
faults.push(
  ...rootFaults(main).map((fault) => `framepool: ${fault}`),
  ...(await findings(() => publint(main.tarball))),
  ...(await findings(() => areTheTypesWrong(main.tarball))),
)

console.log('\n| package | tarball, kB | unpacked, kB | needs |')
console.log('| --- | --- | --- | --- |')
const kB = (bytes) => Math.round(bytes / 1000)
console.log(`| framepool | ${kB(main.size)} | ${kB(main.unpackedSize)} | |`)
for (const { name, target, size, unpackedSize, folder: staged } of packed) {
  const needs =
    target.libc === 'glibc'
      ? `glibc ${glibcFloor(join(staged, addonFile(target)))}`
      : target.floor
        ? `macOS ${target.floor}`
        : ''
  console.log(`| framepool-${name} | ${kB(size)} | ${kB(unpackedSize)} | ${needs} |`)
}
console.log()

if (!options['no-matrix'] && faults.length === 0) {
  // Not in the checkout, whose packages programs would find.
  const place = mkdtempSync(join(tmpdir(), 'framepool-matrix-'))
  // Managers ask for every platform's package. Those that were not built are there without an addon.
  const others = targets
    .filter((target) => !built.includes(target))
    .map((target) => pack(join(root, 'npm', target.name), join(place, 'others')))
  const tarballs = [...packed, ...others, main].map(({ tarball }) => tarball)
  const registry = await startRegistry(join(place, 'registry'), tarballs)
  try {
    const cells = await runMatrix(place, built, registry.url, chosenManagers)
    const failed = cells.filter(({ fault }) => fault)
    faults.push(...failed.map(({ target, manager, runtime, kind }) => `${target} | ${manager} | ${runtime} | ${kind}`))
    writeFileSync(join(folder, 'matrix.md'), `${table(cells)}\n`)
    console.log(`\n${table(cells)}\n`)
    const tried = cells.filter((cell) => !cell.skipped)
    console.log(
      `${tried.length - failed.length} passed, ${failed.length} failed, ${cells.length - tried.length} skipped`,
    )
  } finally {
    registry.stop()
    if (faults.length === 0) rmSync(place, { recursive: true, force: true })
    else console.log(`the projects are in ${place}`)
  }
}
for (const line of skipped) console.log(`skipped  ${line}`)
for (const line of faults) console.error(`FAILED   ${line}`)
process.exit(faults.length === 0 ? 0 : 1)
