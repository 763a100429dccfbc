// `npm run bench -- [names] [--node MAJOR]… [--report]`: builds, then runs the benchmarks in turn. With --report it keeps what they
// measure in benchmark/report.json, and writes the page benchmark/report.html. A report of some names keeps the other runs. The
// benchmarks get all other options, such as `--miners=50` of relay.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runToEnd } from './run-to-end.mjs'
import { fetch, nodes } from './runtimes.mjs'
import { build, install, root } from './setup.mjs'

/** The Nodes on which a report needs a benchmark, if they are several: those that its targets are for. */
const NODES = {
  'slot-pool': ['20', '24', '26'],
  'byte-ring': ['20', '24', '26'],
  'slice-channel': ['20', '24', '26'],
  'frame-reader': ['20', '24', '26'],
  'framed-idle-connections': ['20', '24', '26'],
  'framed-server': ['20', '24', '26'],
  relay: ['20', '24', '26'],
  messages: ['20', '24'],
}
/** Seconds after which a report ends a benchmark that hangs. The longest takes about a minute. */
const LIMIT_SECONDS = 240

const { values, positionals: names } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: { node: { type: 'string', multiple: true }, report: { type: 'boolean', default: false } },
})
const { node: majors, report: reports, ...others } = values
const flags = Object.entries(others).map(([name, value]) => (value === true ? `--${name}` : `--${name}=${value}`))
install()
build()
const folder = `${root}dist/benchmark/`
// A benchmark names its target in its first line. The other files hold code that benchmarks share.
const scenarios = readdirSync(folder)
  .filter((file) => file.endsWith('.js') && readFileSync(folder + file, 'utf8').startsWith('/**'))
  .map((file) => file.slice(0, -3))
const unknown = names.find((name) => !scenarios.includes(name))
if (unknown !== undefined) {
  console.error(`there is no benchmark ${unknown}; there are ${scenarios.join(', ')}`)
  process.exit(1)
}
const asked = names.length > 0 ? names : scenarios
const plan = asked.flatMap((name) => programsFor(name).map((program) => ({ name, program })))
console.error('framepool: building the native programs of the benchmarks')
const { buildFor } = await import(`${folder}native.js`)
buildFor(asked)
// Before the report itself changes the checkout.
const commit = commitOfCheckout()

let failed = 0
const begin = performance.now()
const minutes = () => ((performance.now() - begin) / 60_000).toFixed(1)
for (const [index, { name, program }] of plan.entries()) {
  const left = plan.length - index - 1
  console.error(
    `\nframepool: ${name} on Node ${said(program, '--version')}; ${left} left after it, ${minutes()} minutes so far`,
  )
  const run = await measure(name, program)
  if (reports) await keep(run)
  if (run.ok) continue
  console.error(`framepool: ${name} failed: ${run.ended}`)
  // A report says what failed, and has the rest.
  if (!reports) process.exit(1)
  failed++
}
console.error(`\nframepool: ${plan.length} benchmarks took ${minutes()} minutes; ${failed} failed`)
process.exit(failed > 0 ? 1 : 0)

/** Returns the Nodes on which a benchmark is to run. */
function programsFor(name) {
  const asked = majors ?? (reports ? NODES[name] : undefined)
  if (asked === undefined) return [process.execPath]
  return asked.map((major) => {
    const node = nodes.find((node) => node.name === `node-${major}`)
    if (node === undefined) {
      console.error(`there is no Node ${major}; there are ${nodes.map(({ name }) => name.slice(5)).join(', ')}`)
      process.exit(1)
    }
    if (process.versions.node.startsWith(`${major}.`)) return process.execPath
    fetch([node])
    return node.program
  })
}

/** Runs a benchmark, shows what it prints, and returns the run. */
async function measure(name, program) {
  const records = join(tmpdir(), `framepool-records-${process.pid}.jsonl`)
  rmSync(records, { force: true })
  const date = new Date().toISOString()
  const start = performance.now()
  const { output, ended } = await runToEnd(program, [`${folder}${name}.js`, ...flags], {
    cwd: root,
    env: reports ? { ...process.env, FRAMEPOOL_BENCH_RECORDS: records } : process.env,
    limitSeconds: reports ? LIMIT_SECONDS : Number.POSITIVE_INFINITY,
  })
  const lines = existsSync(records) ? readFileSync(records, 'utf8').trimEnd().split('\n') : []
  rmSync(records, { force: true })
  return {
    name,
    node: said(program, '--version'),
    commit,
    date,
    seconds: Math.round((performance.now() - start) / 1000),
    ok: ended === null,
    ...(ended !== null && { ended }),
    output,
    records: lines.map((line) => JSON.parse(line)),
  }
}

/** Puts a run into the report, in place of an earlier one, and writes the page. */
async function keep(run) {
  const file = `${root}benchmark/report.json`
  const known = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).runs : []
  const major = (version) => version.split('.')[0]
  const kept = known.filter(
    ({ name, node }) => scenarios.includes(name) && (name !== run.name || major(node) !== major(run.node)),
  )
  const runs = [...kept, run].sort((a, b) => a.name.localeCompare(b.name) || a.node.localeCompare(b.node))
  const { SEED } = await import(`${folder}statistics.js`)
  const { page } = await import(`${folder}report/page.js`)
  const report = { machine: machine(), seed: SEED, runs }
  writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`)
  writeFileSync(`${root}benchmark/report.html`, page(report))
}

/** Returns the commit of the checkout, with `+` if files other than the report were changed. */
function commitOfCheckout() {
  const changed = said('git', 'status', '--porcelain', '--untracked-files=no', '--', '.', ':!benchmark/report.json')
  return `${said('git', 'rev-parse', '--short', 'HEAD')}${changed === '' ? '' : '+'}`
}

function machine() {
  return {
    cpu: cpus()[0].model.trim(),
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${process.arch} ${release()}`,
    rust: said('rustc', '--version'),
  }
}

function said(program, ...args) {
  return execFileSync(program, args, { cwd: root, encoding: 'utf8' }).trim()
}
