// Runtimes that tests run on. They are fetched from npm into .runtimes/ when they are not there.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './setup.mjs'

const folder = join(root, '.runtimes')

export const platform = { os: process.platform, arch: process.arch }

/** Where a package of a runtime has its files. */
export const file = (...path) => join(folder, 'node_modules', ...path)

/** Every supported Node: the packages that have the programs themselves, so that no install script has to fetch anything. */
export const nodes = [20, 22, 24, 26].map((major) => ({
  name: `node-${major}`,
  spec: `node-${platform.os}-${platform.arch}@${major}`,
  program: file(`node-${major}`, 'bin', 'node'),
}))

/** Those of the names that were asked for, or all; ends this process if there is none of a name. */
export function choose(runtimes, asked) {
  const names = runtimes.map(({ name }) => name)
  const unknown = asked.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    console.error(`there is no runtime ${unknown}; there are ${names.join(', ')}`)
    process.exit(1)
  }
  return runtimes.filter(({ name }) => asked.length === 0 || asked.includes(name))
}

/** Installs those that are missing. */
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
