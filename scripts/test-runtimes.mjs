// `npm run test:runtimes -- [names]`: runs the facade's tests on every supported Node, and a few on Bun and Deno.
// Missing runtimes are fetched from npm into .runtimes/. Delete that folder to get the newest versions.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { choose } from './choose.mjs'
import { fetch, file, nodes, platform } from './runtimes.mjs'
import { build, install, root } from './setup.mjs'
import { run, vitest } from './stages.mjs'

const smoke = (args) => (name, command) => ({
  name,
  command,
  args: [...args, join(root, '__test__', 'smoke', 'smoke.js')],
  count: countSmoke,
})
const runtimes = nodes.map((node) => ({ ...node, stage: vitest }))
runtimes.push(
  {
    name: 'bun',
    spec: `@oven/bun-${platform.os}-${platform.arch === 'arm64' ? 'aarch64' : platform.arch}`,
    program: file('bun', 'bin', 'bun'),
    stage: smoke([]),
  },
  {
    name: 'deno',
    spec: `@deno/${platform.os}-${platform.arch}-glibc`,
    program: file('deno', 'deno'),
    stage: smoke(['run', '-A']),
  },
)

function countSmoke(output) {
  return [/^ok /gm, /^not ok /gm].map((line) => output.match(line)?.length ?? 0)
}

const chosen = choose('runtime', runtimes, process.argv.slice(2))
install()
build()
fetch(chosen)
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
