/** P16: native allocations of a relay in steady state: none for a frame. Builds an addon that counts them. */
import { strict as assert } from 'node:assert'
import { countingAddon } from './native.js'
import { reportFigure } from './rounds.js'
import { pipelined } from './sv2-pipelined.js'
import { startRelayedPool } from './sv2-relayed-pool.js'

const FRAMES = 200_000
/** Frames in transit at once, for each run. */
const AT_ONCE = [1, 10, 100, 640]

const addon = countingAddon()
const pool = await startRelayedPool(addon)
const pipeline = await pipelined(pool)
// Warms up until the rings have grown and spare buffers exist.
for (const atOnce of AT_ONCE.toReversed()) await pipeline(atOnce, FRAMES / 20)
const first = await pool.report()
// The relay made sessions, so allocations were counted.
assert.ok(first.allocations)
let { frames } = first
console.log('\nframes of 64 B through a relay, in steady state')
for (const atOnce of AT_ONCE) {
  // Frames that go one at a time take long, and fewer of them show as much.
  const count = Math.min(FRAMES, (FRAMES * atOnce) / 10)
  await pipeline(atOnce, count)
  const report = await pool.report()
  assert.equal(report.frames - frames, count)
  frames = report.frames
  reportFigure({
    id: 'P16',
    title: `native allocations of a relay for 1,000 frames, ${atOnce} on their way at once`,
    unit: 'allocations',
    value: (report.allocations! / count) * 1000,
    // Fewer than one in 1,000 frames do not belong to frames.
    limit: 1,
    atLeast: false,
  })
}
pool.stop()
process.exit()
