// Stages of test runs: commands whose tests are counted.
import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, relative } from 'node:path'
import { root } from './setup.mjs'
import { showOutput } from './show-output.mjs'

const bin = (name) => join(root, 'node_modules', '.bin', name)

/** The stages of `npm run lint`: checks that build nothing. */
export const linters = [
  { name: 'Biome', command: bin('biome'), args: ['check', '.'] },
  { name: 'Spelling', command: 'npm', args: ['run', 'spelling'] },
  { name: 'Workflows and Dockerfiles', command: process.execPath, args: ['scripts/package/workflows.mjs'] },
  { name: 'Module circles (Rust)', command: 'npm', args: ['run', 'circles'] },
  { name: 'rustfmt', command: 'cargo', args: ['fmt', '--check'] },
  {
    name: 'Clippy (core)',
    command: 'cargo',
    args: ['clippy', '-p', 'framepool', '--all-targets', '--', '-D', 'warnings'],
  },
  // Skips the crate's test target, which cannot exist: napi-rs exports nothing from a test build.
  { name: 'Clippy (binding)', command: 'cargo', args: ['clippy', '-p', 'framepool-node', '--', '-D', 'warnings'] },
]

/** Returns the stage of the facade's tests, or of some test files, on a Node. Programs that they start use it, too. */
export function vitest(name, node, files = []) {
  const report = join(tmpdir(), `framepool-vitest-${process.pid}.json`)
  const program = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  return {
    name,
    command: node,
    args: [program, 'run', ...files, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` },
    count: () => {
      const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'))
      rmSync(report)
      const failures = testResults.flatMap(({ name: path, assertionResults }) =>
        assertionResults
          .filter(({ status }) => status === 'failed')
          .map(({ fullName, failureMessages }) =>
            [`${relative(root, path)}: ${fullName}`, ...failureMessages].join('\n'),
          ),
      )
      return [numPassedTests, numFailedTests, failures]
    },
  }
}

/** Lines that the last report shows of each failure. */
const LINES_SHOWN = 20

/**
 * Runs stages one after another, and ends this process with a line that counts what passed and failed, these included. Before that
 * line it tells again what failed: of a long run often only the end is kept.
 */
export async function runAll(stages, passed = 0, failed = 0) {
  const failures = []
  for (const stage of stages) {
    const result = await run(stage)
    passed += result.passed
    failed += result.failed
    failures.push(...result.failures)
  }
  if (failures.length > 0) console.log('\n── Failed ──')
  for (const failure of failures) console.log(`\n${failure.split('\n').slice(0, LINES_SHOWN).join('\n')}`)
  console.log(`\n${passed} passed, ${failed} failed`)
  process.exit(failed === 0 ? 0 : 1)
}

/**
 * Runs a command, shows its output, and returns the numbers of its tests that passed and failed, and what failed. `count` reads
 * these from the output. A stage without `count` is one check.
 */
export async function run({ name, command, args, env, count }) {
  console.log(`\n── ${name} ──`)
  const { ok, output } = await show(command, args, env)
  let [passed, failed, failures = []] = [ok ? 1 : 0, 0]
  try {
    if (count) [passed, failed, failures = []] = count(output)
  } catch (error) {
    console.error(`framepool: no count of ${name}: ${error.message}`)
    passed = 0
  }
  // A stage can fail without a failing test, if it did not start or an error happened outside the tests.
  if (!ok) {
    console.error(`framepool: ${name} failed`)
    failed = Math.max(failed, 1)
    if (failures.length === 0) failures = [name]
  } else if (passed === 0) {
    console.error(`framepool: ${name} ran no test`)
    failed++
    failures = [`${name} ran no test`]
  }
  return { passed, failed, failures }
}

function show(command, args, env) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    showOutput(child, (text) => {
      output += text
    })
    child.on('error', (error) => {
      console.error(error.message)
      resolve({ ok: false, output })
    })
    child.on('close', (code) => resolve({ ok: code === 0, output }))
  })
}
