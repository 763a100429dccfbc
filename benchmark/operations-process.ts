// Prints the bytes that V8 allocates for each of the facade's hot operations, as JSON, for `npm run bench:check`. It runs with
// --expose-gc and a nursery that holds all of them, so that no collection takes any away between two readings.
import { strict as assert } from 'node:assert'
import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { BuddyPool, BudgetPool, ByteRing, SlotPool } from '../index.js'
import { SubmitSharesStandard } from '../src/sv2/messages/index.js'

/** Times that an operation runs before it is measured: the optimizing compiler is done with it by then. */
const WARM_UPS = 500_000
const COUNT = 100_000
/** Readings of each operation. The least is taken: the engine's own housekeeping only adds. */
const READINGS = 5

const pool = new SlotPool(1 << 16)
const crowded = new SlotPool(1 << 16)
crowded.getWritable(1)
crowded.getDataOwned()
const buddy = new BuddyPool()
const budget = new BudgetPool({ bufferSize: 1024, maxMemory: 1 << 20 })
const { producer, consumer } = new ByteRing(1 << 16).intoParts()
const source = new Uint8Array(1021)
const target = new Uint8Array(1021)

const share = {
  channelId: 3,
  sequenceNumber: 7,
  jobId: 9,
  nonce: 0xdead_beef,
  ntime: 1_700_000_000,
  version: 0x2000_0000,
}
const payload = SubmitSharesStandard.encode(share)
let sum = 0

function message(from: SlotPool): number {
  from.getWritable(64)[0] = 1
  const slice = from.getDataOwned()
  const [byte] = slice.bytes
  slice.release()
  return byte!
}

const operations: Record<string, () => void> = {
  'slot pool: a message of 64 B': () => message(pool),
  'slot pool: a message of 64 B behind another': () => message(crowded),
  'buddy pool: 16 KiB': () => {
    const buffer = buddy.allocateSync(16_384)
    buffer.bytes[0] = 1
    buffer.release()
  },
  'budget pool: 16 buffers of 1 KiB, not touched': () => {
    budget.tryAllocate(16)!.release()
  },
  'ring: 1,021 B written and read': () => {
    producer.write(source)
    consumer.read(target)
  },
  'ring: ioSlices both ways': () => {
    producer.ioSlices(() => 1024)
    consumer.ioSlices(() => 1024)
  },
  'messages: two fields of a share read in place': () => {
    sum = (sum + SubmitSharesStandard.get.channelId(payload) + SubmitSharesStandard.get.sequenceNumber(payload)) | 0
  },
  'messages: the channel of a share rewritten in place': () => SubmitSharesStandard.set.channelId(payload, 99),
  'messages: a share encoded into an array': () => {
    SubmitSharesStandard.encodeInto(target, share)
  },
}

let collections = 0
new PerformanceObserver((list) => {
  collections += list.getEntries().length
}).observe({ entryTypes: ['gc'] })

function bytes(operation: () => void): number {
  for (let index = 0; index < WARM_UPS; index++) operation()
  let least = Number.POSITIVE_INFINITY
  for (let reading = 0; reading < READINGS; reading++) {
    gc!()
    const before = process.memoryUsage().heapUsed
    for (let index = 0; index < COUNT; index++) operation()
    least = Math.min(least, process.memoryUsage().heapUsed - before)
  }
  return Math.max(0, Math.round(least / COUNT))
}

const found: Record<string, number> = {}
for (const [name, operation] of Object.entries(operations)) {
  found[name] = bytes(operation)
  await turn()
}
// Each reading forces one, and each warm-up may have made some.
assert.ok(collections > 0)
console.log(JSON.stringify(found))
process.exit()
