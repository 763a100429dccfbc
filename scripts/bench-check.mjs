// `npm run bench:check [-- --save]`: counts what the hot operations cost, which no other load of the machine changes, and compares it
// with benchmark/operations.json: the instructions of the core's, under Valgrind's callgrind, and the bytes that V8 allocates for the
// facade's. Fails if one costs over 3 % more, and tells what became cheaper. --save writes the figures anew.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { compareCosts } from './operation-costs.mjs'
import { build, install, root } from './setup.mjs'

const FIGURES = `${root}benchmark/operations.json`
/** Times that an operation runs under callgrind. */
const TIMES = 1000

if (spawnSync('valgrind', ['--version']).status !== 0) {
  console.error('framepool: bench:check needs Valgrind: apt-get install valgrind')
  process.exit(1)
}
install()
build()
const major = process.versions.node.split('.')[0]
const known = existsSync(FIGURES) ? JSON.parse(readFileSync(FIGURES, 'utf8')) : { instructions: {}, bytes: {} }
const found = { instructions: instructions(), bytes: bytes() }
if (process.argv.includes('--save')) {
  const figures = { instructions: found.instructions, bytes: { ...known.bytes, [major]: found.bytes } }
  writeFileSync(FIGURES, `${JSON.stringify(figures, null, 2)}\n`)
  console.log(`wrote ${FIGURES}`)
  process.exit()
}
if (known.bytes[major] === undefined) {
  console.error(`framepool: there are no bytes for Node ${major}, but for ${Object.keys(known.bytes).join(', ')}`)
  process.exit(1)
}
const results = [
  ...compareCosts('instructions', known.instructions, found.instructions),
  ...compareCosts('bytes', known.bytes[major], found.bytes),
]
for (const { line } of results) console.log(line)
const failed = results.filter(({ ok }) => !ok).length
console.log(`\n${results.length - failed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)

/** Returns the instructions of each operation of the core. */
function instructions() {
  const program = benchProgram()
  const names = execFileSync(program, { encoding: 'utf8' }).trim().split('\n')
  const count = (name) => {
    const flags = ['--tool=callgrind', '--callgrind-out-file=/dev/null', '--toggle-collect=*measured*']
    const { status, stderr } = spawnSync('valgrind', [...flags, program, name, String(TIMES)], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`callgrind failed:\n${stderr}`)
    return Math.round(Number(stderr.match(/Collected : (\d+)/)[1]) / TIMES)
  }
  return Object.fromEntries(names.map((name) => [name, count(name)]))
}

/** Builds the operations of the core, and returns the path of the program. */
function benchProgram() {
  const args = ['bench', '--no-run', '--quiet', '-p', 'framepool', '--bench', 'operations', '--message-format=json']
  const output = execFileSync('cargo', args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 28,
  })
  const messages = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  return messages.find(({ reason, executable }) => reason === 'compiler-artifact' && executable).executable
}

/** Returns the bytes that V8 allocates for each operation of the facade. */
function bytes() {
  // Concurrent compilation would finish at other moments from run to run.
  const flags = [
    '--expose-gc',
    '--min-semi-space-size=128',
    '--max-semi-space-size=128',
    '--no-concurrent-recompilation',
  ]
  return JSON.parse(
    execFileSync(process.execPath, [...flags, `${root}dist/benchmark/operations-process.js`], { encoding: 'utf8' }),
  )
}
