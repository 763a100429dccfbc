// Packs this package and that of this platform, and installs the tarballs as a user would: into an empty folder, on a machine without Rust.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pack } from '../../scripts/package/check.mjs'
import { stagePlatform, stageRoot } from '../../scripts/package/stage.mjs'
import { hostTarget } from '../../scripts/package/targets.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Programs that an installed package needs. There is no compiler among them. */
const TOOLS = ['node', 'npm', 'npx', 'sh', 'env']

/** Gives the folder of a project that has framepool installed, an environment whose PATH holds only `TOOLS`, and what was packed. */
export async function installPackage() {
  const base = mkdtempSync(join(tmpdir(), 'framepool-package-'))
  const [bin, tarballs, project] = ['bin', 'tarballs', 'project'].map((name) => {
    mkdirSync(join(base, name))
    return join(base, name)
  })
  for (const tool of TOOLS) {
    const path = execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim()
    symlinkSync(realpathSync(path), join(bin, tool))
  }
  const env = { ...process.env, PATH: bin }
  // dist/ is what was just built and tested: it is packed as it is.
  const target = hostTarget()
  const addon = join(root, 'src', 'native', `framepool.${target.name}.node`)
  const packed = [
    pack(await stageRoot(join(base, 'staged', 'framepool'), [target]), tarballs),
    pack(stagePlatform(join(base, 'staged', target.name), target, addon), tarballs),
  ]
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }))
  const files = packed.map(({ tarball }) => tarball)
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...files], {
    cwd: project,
    env,
    stdio: 'pipe',
  })
  return { base, project, env, target, packed }
}
