// Runtimes for the tests. Missing ones are fetched from npm into .runtimes/.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './setup.mjs'

const folder = join(root, '.runtimes')

export const platform = { os: process.platform, arch: process.arch }

/** Returns the path of a file in the package of a runtime. */
export const file = (...path) => join(folder, 'node_modules', ...path)

/** Every supported Node. These packages contain the programs, so that no install script has to fetch them. */
export const nodes = [20, 22, 24, 26].map((major) => ({
  name: `node-${major}`,
  spec: `node-${platform.os}-${platform.arch}@${major}`,
  program: file(`node-${major}`, 'bin', 'node'),
}))

/** Installs the missing runtimes. */
export function fetch(runtimes) {
  const missing = runtimes.filter(({ program }) => !existsSync(program))
  if (missing.length === 0) return
  mkdirSync(folder, { recursive: true })
  if (!existsSync(join(folder, 'package.json'))) writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const specs = missing.map(({ name, spec }) => `${name}@npm:${spec}`)
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund']
  execFileSync('npm', ['install', ...flags, ...specs], { cwd: folder, stdio: ['ignore', 2, 2] })
}

/** The path of a Node that programs run on which the oldest supported Node is too old for. */
export function newerNode() {
  const node = nodes.find(({ name }) => name === 'node-24')
  fetch([node])
  return node.program
}
