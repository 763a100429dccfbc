/** P16: native allocations of a relay in steady state, for a million frames. Builds an addon that counts them. */
import { strict as assert } from 'node:assert'
import { execFileSync } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { pipelined } from './sv2-pipelined.js'
import { startRelayedPool } from './sv2-relayed-pool.js'

const FRAMES = 1_000_000
/** Frames in transit at once, for each run. */
const AT_ONCE = [1, 10, 100, 640]

const root = fileURLToPath(new URL('../..', import.meta.url))
const target = `${root}target/count-allocations`
const cargo = ['build', '--quiet', '-p', 'framepool-node', '--features', 'count-allocations', '--target-dir', target]
execFileSync('cargo', cargo, { cwd: root, stdio: 'inherit' })

const library = { darwin: 'libframepool_node.dylib', win32: 'framepool_node.dll' }[process.platform as string]
// Node loads addons only from files with this extension.
const addon = `${target}/framepool.node`
copyFileSync(`${target}/debug/${library ?? 'libframepool_node.so'}`, addon)
const pool = await startRelayedPool(addon)
const pipeline = await pipelined(pool)
// Warms up until the rings have grown and spare buffers exist.
for (const atOnce of AT_ONCE.toReversed()) await pipeline(atOnce, FRAMES / 100)
const first = await pool.report()
// The relay made sessions, so allocations were counted.
assert.ok(first.allocations)
let { frames } = first
console.log('\nA million frames of 64 B through a relay, in steady state: native allocations')
for (const atOnce of AT_ONCE) {
  // Frames that go one at a time take long, and fewer of them show as much.
  const count = Math.min(FRAMES, (FRAMES * atOnce) / 10)
  await pipeline(atOnce, count)
  const report = await pool.report()
  assert.equal(report.frames - frames, count)
  frames = report.frames
  const each = `${((report.allocations! / count) * FRAMES).toFixed(0)}`
  console.log(`  ${`${atOnce} on their way at once`.padEnd(34)} ${each.padStart(8)}`)
}
pool.stop()
process.exit()
