// Lays out the packages as they are published: the root package and one for each platform.
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { root } from '../setup.mjs'
import { bundle } from './bundle.mjs'
import { thirdPartyNotice } from './crates.mjs'
import { reachable } from './declarations.mjs'
import { entries, exported } from './entries.mjs'

const licenses = ['LICENSE-MIT', 'LICENSE-APACHE']
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
/** The files that package.json names, but for the code. A package has other code than a checkout, and nothing to prepare. */
const published = manifest.files.filter((name) => !/^(!|dist$|scripts\/)/.test(name))
export const version = manifest.version
const repository = manifest.homepage.replace(/#.*/, '')

/** The root package, in `to`, with these targets as its optional dependencies; needs what `npm run build:ts` makes. */
export async function stageRoot(to, targets) {
  rmSync(to, { recursive: true, force: true })
  mkdirSync(to, { recursive: true })
  const dist = join(root, 'dist')
  await bundle(dist, join(to, 'dist'))
  const copied = [
    ...entries.map((entry) => `${entry}.cjs`),
    ...exported.map((entry) => `${entry}.d.cts`),
    ...reachable(
      dist,
      exported.map((entry) => `${entry}.d.ts`),
    ),
    // The command imports framepool as its users do, so its modules stay as they are.
    ...filesBelow(dist, 'src/cli').filter((path) => path.endsWith('.js')),
  ]
  for (const path of copied) copy(join(dist, path), join(to, 'dist', path))
  chmodSync(join(to, manifest.bin.framepool), 0o755)
  const others = ['README.md', ...published.flatMap(filesOf)]
  for (const path of others) copy(join(root, path), join(to, path))
  for (const path of others.filter((name) => name.endsWith('.md'))) externalLinks(to, path)
  writeFileSync(join(to, 'package.json'), `${JSON.stringify(rootManifest(targets), null, 2)}\n`)
  return to
}

/** Files that an entry of `files` names: one file, a folder, or all of one extension in a folder. */
function filesOf(entry) {
  const [, folder, extension] = /^(.+)\/\*(\.\w+)$/.exec(entry) ?? []
  if (folder === undefined) return statSync(join(root, entry)).isFile() ? [entry] : filesBelow(root, entry)
  return readdirSync(join(root, folder)).flatMap((name) => (name.endsWith(extension) ? [`${folder}/${name}`] : []))
}

function filesBelow(folder, path) {
  return readdirSync(join(folder, path), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)))
}

function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true })
  copyFileSync(from, to)
}

/** Links of a page to files that are not in the package lead to the repository. */
function externalLinks(to, page) {
  const staged = filesBelow(to, '.').concat('package.json')
  const text = readFileSync(join(to, page), 'utf8').replace(/\]\((?!\w+:|#)([^)#\s]+)/g, (link, path) => {
    const target = join(dirname(page), path)
    return staged.includes(target) ? link : `](${repository}/blob/v${manifest.version}/${target}`
  })
  writeFileSync(join(to, page), text)
}

/** The part of package.json that concerns users. There is nothing to run at installation. */
function rootManifest(targets) {
  const { scripts, devDependencies, workspaces, ava, napi, ...rest } = manifest
  return {
    ...rest,
    files: ['dist', ...published],
    // A Node that requires an ES module does not look into the archives of Yarn's Plug'n'Play for what that imports.
    preferUnplugged: true,
    optionalDependencies: Object.fromEntries(targets.map(({ name }) => [`framepool-${name}`, manifest.version])),
  }
}

/** The package of one platform, in `to`, with the addon that is at `addon`. */
export function stagePlatform(to, target, addon) {
  rmSync(to, { recursive: true, force: true })
  mkdirSync(to, { recursive: true })
  cpSync(join(root, 'npm', target.name), to, { recursive: true })
  copyFileSync(addon, join(to, `framepool.${target.name}.node`))
  chmodSync(join(to, `framepool.${target.name}.node`), 0o755)
  for (const name of licenses) copyFileSync(join(root, name), join(to, name))
  writeFileSync(join(to, 'THIRD-PARTY.md'), thirdPartyNotice(target))
  return to
}

/** package.json and README of the package of one platform, as they are under npm/. */
export function platformManifest(target) {
  const { name, os, cpu, libc } = target
  return {
    name: `framepool-${name}`,
    version: manifest.version,
    description: `The native addon of framepool for ${name}`,
    homepage: manifest.homepage,
    bugs: manifest.bugs,
    repository: manifest.repository,
    license: manifest.license,
    engines: manifest.engines,
    os: [os],
    cpu: [cpu],
    ...(libc ? { libc: [libc] } : {}),
    main: `framepool.${name}.node`,
    files: [`framepool.${name}.node`, 'THIRD-PARTY.md', ...licenses],
  }
}

export function platformReadme(target) {
  return `# framepool-${target.name}

The native addon of [framepool](${repository}) for ${target.name} (\`${target.triple}\`). npm installs it beside \`framepool\` where it fits; there is no reason to depend on it.
`
}
