/** P16: how often a relay's native code asks for memory in steady state, for a million frames. Builds an addon that counts it. */
import { strict as assert } from 'node:assert'
import { execFileSync } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { pipelined } from './sv2-pipelined.js'
import { startRelayedPool } from './sv2-relayed-pool.js'

const FRAMES = 1_000_000
/** Frames on their way at once, in turn. */
const AT_ONCE = [1, 10, 100, 640]

const root = fileURLToPath(new URL('../..', import.meta.url))
const target = `${root}target/count-allocations`
const cargo = ['build', '--quiet', '-p', 'framepool-node', '--features', 'count-allocations', '--target-dir', target]
execFileSync('cargo', cargo, { cwd: root, stdio: 'inherit' })

const library = { darwin: 'libframepool_node.dylib', win32: 'framepool_node.dll' }[process.platform as string]
// Node loads no addon under another name.
const addon = `${target}/framepool.node`
copyFileSync(`${target}/debug/${library ?? 'libframepool_node.so'}`, addon)
const pool = await startRelayedPool(addon)
const pipeline = await pipelined(pool)
// Until the rings have grown, and spare buffers are there.
for (const atOnce of AT_ONCE.toReversed()) await pipeline(atOnce, FRAMES / 100)
const first = await pool.report()
// Sessions were made.
assert.ok(first.allocations)
let { frames } = first
console.log('\nA million frames of 64 B through a relay, in steady state: native allocations')
for (const atOnce of AT_ONCE) {
  // One by one takes long, and tells as much with fewer.
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
