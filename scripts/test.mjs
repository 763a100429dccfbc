// `npm test`: sets everything up, then runs every check and every test, and ends with one line that counts them.
import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, install, root } from './setup.mjs'

const bin = (name) => join(root, 'node_modules', '.bin', name)
const vitestReport = join(tmpdir(), `framepool-vitest-${process.pid}.json`)

/** `count` reads how many tests a stage ran; a stage without it is one check. */
const stages = [
  { name: 'Biome', command: bin('biome'), args: ['check', '.'] },
  { name: 'Types', command: bin('tsc'), args: ['-p', 'tsconfig.json'] },
  { name: 'rustfmt', command: 'cargo', args: ['fmt', '--check'] },
  {
    name: 'Clippy (core)',
    command: 'cargo',
    args: ['clippy', '-p', 'framepool', '--all-targets', '--', '-D', 'warnings'],
  },
  // Its test target does not exist: napi-rs exports nothing from a test build.
  { name: 'Clippy (binding)', command: 'cargo', args: ['clippy', '-p', 'framepool-node', '--', '-D', 'warnings'] },
  { name: 'Rust', command: 'cargo', args: ['test', '--workspace'], count: countCargo },
  {
    name: 'Facade',
    command: bin('vitest'),
    args: ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${vitestReport}`],
    count: countVitest,
  },
  { name: 'Package', command: bin('ava'), args: [], count: countAva },
]

function countCargo(output) {
  const results = [...output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed/gm)]
  return results.reduce(([passed, failed], [, p, f]) => [passed + Number(p), failed + Number(f)], [0, 0])
}

function countVitest() {
  const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(vitestReport, 'utf8'))
  rmSync(vitestReport)
  return [numPassedTests, numFailedTests]
}

function countAva(output) {
  const count = (what) => Number(output.match(new RegExp(`(\\d+) tests? ${what}`))?.[1] ?? 0)
  return [count('passed'), count('failed')]
}

function run({ command, args }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const [stream, target] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text
        target.write(text)
      })
    }
    child.on('error', (error) => {
      console.error(error.message)
      resolve({ ok: false, output })
    })
    child.on('close', (code) => resolve({ ok: code === 0, output }))
  })
}

install()
build()
let passed = 0
let failed = 0
for (const stage of stages) {
  console.log(`\n── ${stage.name} ──`)
  const { ok, output } = await run(stage)
  const [stagePassed, stageFailed] = stage.count?.(output) ?? [ok ? 1 : 0, 0]
  passed += stagePassed
  // A stage can fail without a failing test: it did not start, or something broke outside of any test.
  failed += ok ? stageFailed : Math.max(stageFailed, 1)
  if (!ok) console.error(`framepool: ${stage.name} failed`)
  if (ok && stagePassed === 0) {
    console.error(`framepool: ${stage.name} ran no test`)
    failed++
  }
}
console.log(`\n${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
