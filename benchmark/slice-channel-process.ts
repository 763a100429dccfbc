// Program that the benchmark slice-channel forks: it sends slices or messages of 1 KiB to a worker, a round for each message that it gets.
import { type Slice, SlotPool } from '../index.js'
import { byChannel, byMessage, CHANNEL_WORKER, POST_WORKER } from './to-worker.js'

/** Ways to send, by the name that the benchmark shows. */
export const WAYS = ['SliceChannel', 'postMessage, transferred', 'postMessage, copied'] as const

/** Messages of a round. */
export const WORK = 50_000
const BYTES = 1024
/** Slices in transit at a time. They keep one end busy while the other wakes up. */
const CAPACITY = 1024
/** Number of pools, with slots for all slices in transit in both directions. */
const POOLS = (2 * CAPACITY) / SlotPool.SLOTS
/** Messages posted in one turn of the event loop, so that Node sends as fast as it can. */
const POSTED = 256

const bytesOf = (index: number): number => (index < WORK ? BYTES : 1)

function make(index: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(bytesOf(index))
  bytes[0] = 1
  return bytes
}

function taker(): (index: number) => Slice {
  const pools = Array.from({ length: POOLS }, () => new SlotPool(SlotPool.SLOTS * BYTES))
  return (index) => {
    const pool = pools[index % POOLS] as SlotPool
    pool.getWritable(bytesOf(index))[0] = 1
    return pool.getDataOwned()
  }
}

const name = WAYS.find((way) => way === process.argv[2])
if (name !== undefined) {
  // The last message, of one byte, does not count.
  const round = { name, messages: WORK + 1, sum: WORK }
  const { run } =
    name === 'SliceChannel'
      ? await byChannel({ ...round, source: CHANNEL_WORKER }, CAPACITY, taker())
      : await byMessage({ ...round, source: POST_WORKER }, name === 'postMessage, transferred', POSTED, make)
  process.on('message', async () => {
    await run()
    process.send!('done')
  })
  process.send!('ready')
}
