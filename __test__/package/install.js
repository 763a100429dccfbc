// Packs this package and installs the tarball as a user would: into an empty folder, on a machine without Rust.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Programs that an installed package needs. There is no compiler among them. */
const TOOLS = ['node', 'npm', 'npx', 'sh', 'env']

/** Returns the folder of a project with framepool installed, and an environment whose PATH holds only `TOOLS`. */
export function installPackage() {
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
  // Packing must use the dist/ that was just built and tested.
  execFileSync('npm', ['pack', '--ignore-scripts', '--pack-destination', tarballs], { cwd: root, stdio: 'pipe' })
  const [tarball] = readdirSync(tarballs)
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }))
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', join(tarballs, tarball)], {
    cwd: project,
    env,
    stdio: 'pipe',
  })
  return { base, project, env }
}
