/**
 * P5: slices of 1 KiB sent to another worker through a SliceChannel, touched and released there, beside postMessage.
 */
import { type Slice, SlotPool } from '../index.js'
import { compareAsync } from './compare-async.js'
import { byChannel, byMessage, CHANNEL_WORKER, POST_WORKER } from './to-worker.js'

const WORK = 50_000
const BYTES = 1024
/** Slices in transit at a time. They keep one end busy while the other wakes up. */
const CAPACITY = 1024
/** Number of pools, with slots for all slices in transit in both directions. */
const POOLS = (2 * CAPACITY) / SlotPool.SLOTS
/** Messages posted in one turn of the event loop, so that Node sends as fast as it can. */
const POSTED = 256

const pools = Array.from({ length: POOLS }, () => new SlotPool(SlotPool.SLOTS * BYTES))
const bytesOf = (index: number): number => (index < WORK ? BYTES : 1)

function take(index: number): Slice {
  const pool = pools[index % POOLS] as SlotPool
  pool.getWritable(bytesOf(index))[0] = 1
  return pool.getDataOwned()
}

function make(index: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(bytesOf(index))
  bytes[0] = 1
  return bytes
}

// The last message, of one byte, does not count.
const round = { messages: WORK + 1, sum: WORK }
const posting = { ...round, source: POST_WORKER }
const cases = [
  await byChannel({ ...round, name: 'SliceChannel', source: CHANNEL_WORKER }, CAPACITY, take),
  await byMessage({ ...posting, name: 'postMessage, transferred' }, true, POSTED, make),
  await byMessage({ ...posting, name: 'postMessage, copied' }, false, POSTED, make),
]
const targets = [{ id: 'P5', rival: 'postMessage, transferred', least: 10, everyRound: true }]
await compareAsync('slices of 1 KiB to another worker', WORK, cases, targets)
