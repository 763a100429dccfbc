// `node scripts/release.mjs`: says what a release would publish, and all that stands in its way. `--publish` does it.
//
// The packages are the tarballs that `npm run package` has checked; the notes are the section of the version in CHANGELOG.md. The
// platforms come first: a root package without them could be installed and would not load.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { version } from './package/stage.mjs'
import { targets } from './package/targets.mjs'
import { root } from './setup.mjs'

const publish = process.argv.includes('--publish')
const faults = []

const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8')
const notes = changelog
  .split(/^(?=## )/m)
  .find((section) => section.startsWith(`## ${version}`))
  ?.replace(/^## .*\n+/, '')
if (!notes) faults.push(`CHANGELOG.md has no section for ${version}`)
const tag = process.env.GITHUB_REF_TYPE === 'tag' ? process.env.GITHUB_REF_NAME : undefined
if (tag !== undefined && tag !== `v${version}`) faults.push(`the tag is ${tag}, but package.json has ${version}`)

const names = [...targets.map(({ name }) => `framepool-${name}`), 'framepool']
const tarballs = names.map((name) => join(root, '.package', 'tarballs', `${name}-${version}.tgz`))
const packed = tarballs.filter((path) => existsSync(path))
faults.push(
  ...tarballs.filter((path) => !packed.includes(path)).map((path) => `${path} is missing: run \`npm run package\``),
)
if (publish) endIfFaulty()

for (const tarball of packed) {
  const flags = publish ? ['--provenance'] : ['--dry-run']
  execFileSync('npm', ['publish', '--access', 'public', ...flags, tarball], { stdio: 'inherit' })
}
endIfFaulty()
writeFileSync(join(root, '.package', 'notes.md'), notes)
console.log(
  publish
    ? `framepool ${version} is published`
    : `framepool ${version} would be published, with these notes:\n\n${notes}`,
)

/** Ends this process with what stands in the way of a release, if anything does. */
function endIfFaulty() {
  for (const fault of faults) console.error(`FAILED   ${fault}`)
  if (faults.length > 0) process.exit(1)
}
