// Drives everything that touches shown memory in random order, and touches all memory that it was ever shown, to find
// memory that was freed, moved or reused: `node --expose-gc main.js <mode> <seed> <seconds> <trace>`.
//
// The modes are `plain` and `early`. In `early`, a script replaces parts of the language before framepool is loaded,
// and the replacements lie. FRAMEPOOL_DEBUG=1 runs debug mode. FRAMEPOOL_ADDON may name an addon with the
// feature `guard-pages`: freed memory is then inaccessible, and allocations fail. FRAMEPOOL_MODEL_WITHOUT is a regular
// expression of operations and circumstances to leave out, by their names in the trace: `Sessions.*|hooked`, or
// `failing Budget.*` for operations during which no allocation fails. FRAMEPOOL_MODEL_TOUCHES=1 also traces each touch.
//
// A run consists of rounds, each with its own seed. Each kind of subject has a part in at least one of them. The run
// prints a summary as JSON, and its findings on stderr.
import { createRequire } from 'node:module'
import { setImmediate as turn } from 'node:timers/promises'
import { Random } from '../hostile/values.js'
import { Channel } from './channels.js'
import { Companion } from './companion.js'
import { Frames } from './framing.js'
import { GrowingHeap, GrowingPool } from './growing.js'
import { SliceHolder } from './holders.js'
import { Ledger } from './ledger.js'
import { patchLanguage } from './patches.js'
import { Buddies, Budget, LentBuddies } from './pools.js'
import { Ring } from './rings.js'
import { Sessions } from './sessions.js'
import { Trace } from './trace.js'
import { Witness } from './witness.js'
import { World } from './world.js'

const STEPS = 1500
/** A round takes this many steps even if the time is over, so that a run on a slow machine shows something, too. */
const LEAST_STEPS = 500
/** Kinds of subjects, and the most that may live of each. */
const POPULATION = [
  [GrowingPool, 2],
  [GrowingHeap, 1],
  [SliceHolder, 2],
  [Budget, 1],
  [Buddies, 1],
  [LentBuddies, 1],
  [Ring, 2],
  [Sessions, 2],
  [Ledger, 1],
  [Frames, 2],
  [Channel, 1],
  [Companion, 1],
]

const [mode, seed, seconds, traceFile] = process.argv.slice(2)
if (mode === 'early') patchLanguage()
const framepool = { ...(await import('framepool')), ...(await import('framepool/sv2')) }
if (mode !== 'early') patchLanguage()

const path = process.env.FRAMEPOOL_ADDON
const addon = path === undefined ? {} : createRequire(import.meta.url)(path)
const native = addon.failAllocation === undefined ? null : addon
const without = new RegExp(`^(${process.env.FRAMEPOOL_MODEL_WITHOUT ?? ''})$`)
const trace = new Trace(traceFile)
const end = performance.now() + Number(seconds) * 1000
const succeeded = {}
/** Kinds that rounds had so far. A run ends when it had all. */
const seen = new Set()
let rounds = 0
let steps = 0
const findings = new Map()

process.on('uncaughtException', (error) => findings.set(`later: ${error?.stack ?? error}`, ''))
process.on('unhandledRejection', (error) => {
  if (!/^ERR_(CLOSED|RELEASED)$/.test(error?.code)) findings.set(`later: ${error?.stack ?? error}`, '')
})

/** Runs one round from a seed. The first seed is that of the run. */
async function round(roundSeed) {
  const random = new Random(roundSeed)
  const note = process.env.FRAMEPOOL_MODEL_TOUCHES === '1' ? (line) => trace.add(line) : null
  const witness = new Witness(random, 300, note)
  const world = new World({ deceived: mode === 'early', framepool, native, random, succeeded, trace, without, witness })
  trace.begin(roundSeed)
  // With fewer kinds, each pair of kinds meets more often.
  const population = POPULATION.filter(() => random.below(3) > 0)
  for (const kind of population) seen.add(kind)
  for (let step = 0; step < STEPS && world.findings.size === 0; step++) {
    if (population.length === 0 || (step >= LEAST_STEPS && performance.now() >= end)) break
    const [Kind, most] = random.pick(population)
    if (world.has(Kind.name) && world.count(Kind) < most) make(world, Kind)
    await world.step()
    steps++
    if (random.oneIn(100)) {
      const type = random.oneIn(4) ? 'major' : 'minor'
      trace.add(`(${type} collection)`)
      globalThis.gc({ type })
      await turn()
    }
  }
  for (const [what, stack] of world.findings) findings.set(what, stack)
  rounds++
  return random.below(2 ** 32)
}

function make(world, Kind) {
  world.note(`new ${Kind.name}`)
  try {
    world.add(Kind.make(world))
  } catch (error) {
    world.judge(error, `new ${Kind.name}`)
  }
}

let next = Number(seed)
do next = await round(next)
while ((performance.now() < end || seen.size < POPULATION.length) && findings.size === 0)
trace.close()
for (const [what, stack] of findings) console.error(`${what}\n${stack}`)
console.log(JSON.stringify({ guarded: native !== null, rounds, steps, succeeded }))
process.exit(findings.size === 0 ? 0 : 1)
