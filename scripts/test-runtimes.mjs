// `npm run test:runtimes -- [names]`: the facade's tests on every supported Node, a few on Bun and Deno. They are fetched
// from npm into .runtimes/ when they are not there; delete that folder to have the newest of each.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, install, root } from './setup.mjs'
import { run, vitest } from './stages.mjs'

const folder = join(root, '.runtimes')
const file = (...path) => join(folder, 'node_modules', ...path)
const { platform, arch } = process
const smoke = (args) => (name, command) => ({
  name,
  command,
  args: [...args, join(root, '__test__', 'smoke', 'smoke.js')],
  count: countSmoke,
})
// The packages that have the programs themselves, so that no install script has to fetch anything.
const runtimes = [20, 22, 24, 26].map((major) => ({
  name: `node-${major}`,
  spec: `node-${platform}-${arch}@${major}`,
  program: file(`node-${major}`, 'bin', 'node'),
  stage: vitest,
}))
runtimes.push(
  {
    name: 'bun',
    spec: `@oven/bun-${platform}-${arch === 'arm64' ? 'aarch64' : arch}`,
    program: file('bun', 'bin', 'bun'),
    stage: smoke([]),
  },
  { name: 'deno', spec: `@deno/${platform}-${arch}-glibc`, program: file('deno', 'deno'), stage: smoke(['run', '-A']) },
)

function countSmoke(output) {
  return [/^ok /gm, /^not ok /gm].map((line) => output.match(line)?.length ?? 0)
}

function fetch(missing) {
  if (missing.length === 0) return
  mkdirSync(folder, { recursive: true })
  if (!existsSync(join(folder, 'package.json'))) writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const specs = missing.map(({ name, spec }) => `${name}@npm:${spec}`)
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund']
  execFileSync('npm', ['install', ...flags, ...specs], { cwd: folder, stdio: ['ignore', 2, 2] })
}

const asked = process.argv.slice(2)
const names = runtimes.map(({ name }) => name)
const unknown = asked.find((name) => !names.includes(name))
if (unknown !== undefined) {
  console.error(`there is no runtime ${unknown}; there are ${names.join(', ')}`)
  process.exit(1)
}
const chosen = runtimes.filter(({ name }) => asked.length === 0 || asked.includes(name))
install()
build()
fetch(chosen.filter(({ program }) => !existsSync(program)))
const lines = []
let allFailed = 0
for (const { name, program, stage } of chosen) {
  const version = execFileSync(program, ['--version'], { encoding: 'utf8' }).match(/\d+\.\d+\.\d+/)[0]
  const start = performance.now()
  const { passed, failed } = await run(stage(`${name} (${version})`, program))
  const seconds = Math.round((performance.now() - start) / 1000)
  lines.push(`${name.padEnd(8)} ${version.padEnd(10)} ${passed} passed, ${failed} failed, ${seconds} s`)
  allFailed += failed
}
console.log(`\n${lines.join('\n')}`)
process.exit(allFailed === 0 ? 0 : 1)
