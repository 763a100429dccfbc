// `npm test`: sets everything up, then runs every check and every test, and ends with one line that counts them.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, generated, install, root } from './setup.mjs'
import { run, vitest } from './stages.mjs'

const bin = (name) => join(root, 'node_modules', '.bin', name)

const stages = [
  { name: 'Biome', command: bin('biome'), args: ['check', '.'] },
  { name: 'Spelling', command: bin('cspell'), args: ['--no-progress'] },
  { name: 'Types', command: bin('tsc'), args: ['-p', 'tsconfig.json'] },
  // Fails on a warning, so that every exported member stays documented.
  { name: 'API reference', command: 'npm', args: ['run', 'docs'] },
  { name: 'Module circles (Rust)', command: 'npm', args: ['run', 'circles'] },
  { name: 'rustfmt', command: 'cargo', args: ['fmt', '--check'] },
  {
    name: 'Clippy (core)',
    command: 'cargo',
    args: ['clippy', '-p', 'framepool', '--all-targets', '--', '-D', 'warnings'],
  },
  // Skips the crate's test target, which cannot exist: napi-rs exports nothing from a test build.
  { name: 'Clippy (binding)', command: 'cargo', args: ['clippy', '-p', 'framepool-node', '--', '-D', 'warnings'] },
  { name: 'Rust', command: 'cargo', args: ['test', '--workspace'], count: countCargo },
  vitest('Facade', process.execPath),
  { name: 'Package', command: bin('ava'), args: [], count: countAva },
]

function countCargo(output) {
  const results = [...output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed/gm)]
  return results.reduce(([passed, failed], [, p, f]) => [passed + Number(p), failed + Number(f)], [0, 0])
}

function countAva(output) {
  const count = (what) => Number(output.match(new RegExp(`(\\d+) tests? ${what}`))?.[1] ?? 0)
  return [count('passed'), count('failed')]
}

const declarations = () => (existsSync(generated) ? readFileSync(generated, 'utf8') : '')

install()
const committed = declarations()
build()
let passed = 0
let failed = 0
if (declarations() === committed) passed++
else {
  console.error(`framepool: ${generated} was stale, and the build has written it anew: commit it`)
  failed++
}
for (const stage of stages) {
  const result = await run(stage)
  passed += result.passed
  failed += result.failed
}
console.log(`\n${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
