// `node scripts/package/manifests.mjs`: writes the folders under npm/ from the table of targets and package.json. With `--check` it fails where they differ.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../setup.mjs'
import { platformManifest, platformReadme } from './stage.mjs'
import { targets } from './targets.mjs'

/** Paths under npm/ that are not as they should be. */
export function outdatedManifests() {
  return contents().flatMap(([path, text]) => (existsSync(path) && readFileSync(path, 'utf8') === text ? [] : [path]))
}

function contents() {
  return targets.flatMap((target) => [
    [join(root, 'npm', target.name, 'package.json'), `${JSON.stringify(platformManifest(target), null, 2)}\n`],
    [join(root, 'npm', target.name, 'README.md'), platformReadme(target)],
  ])
}

if (process.argv[1] === import.meta.filename) {
  if (process.argv.includes('--check')) {
    for (const path of outdatedManifests())
      console.error(`${path} is outdated: run \`node scripts/package/manifests.mjs\``)
    process.exitCode = outdatedManifests().length === 0 ? 0 : 1
  } else {
    for (const [path, text] of contents()) {
      mkdirSync(join(path, '..'), { recursive: true })
      writeFileSync(path, text)
    }
  }
}
