/**
 * P4: the first loop over threads of buffer_sv2's benchmark, beside postMessage with a copy and with a transfer. Each
 * of 1,000 rounds fills two messages of 4 to 16 KiB and sends them to another worker, which holds them for 1 ms and
 * releases them. A pool lends 8 slices at a time, and uses the heap beyond that. With one pool, as in the original,
 * most messages are on the heap. With several pools in turn, as users would have them, none is.
 */
import { type Slice, SlotPool } from '../index.js'
import { type AsyncCase, compareAsync } from './compare-async.js'
import { byChannel, byMessage } from './to-worker.js'

const MESSAGES = 2_000
/** Runs of the loop in each round, because one takes only a few milliseconds. */
const LOOPS = 5
const SIZES = Array.from({ length: 64 }, (_, index) => 4096 + ((index * 2731) % 12_289))
const HELD_MS = 1
/** Number of pools, with slots for all slices held at a time. */
const POOLS = 256
/** Capacity of the channel: a whole round, so that the sender never waits, just as postMessage never waits. */
const CAPACITY = 2048

const framepool = new URL('../index.js', import.meta.url)

/** Source of `hold(message, release)`, which keeps a message for 1 ms, and reports when a whole round is released. */
const HOLD = `
  let released = 0
  const held = []
  let timer = null
  function hold(bytes, release) {
    held.push({ until: performance.now() + ${HELD_MS}, byte: bytes[bytes.length - 1], release })
    timer ??= setTimeout(give, ${HELD_MS})
  }
  let sum = 0
  function give() {
    timer = null
    const now = performance.now()
    while (held.length > 0 && held[0].until <= now) {
      const { byte, release } = held.shift()
      sum += byte
      release()
      if (++released % ${MESSAGES} === 0) {
        parentPort.postMessage(sum)
        sum = 0
      }
    }
    if (held.length > 0) timer = setTimeout(give, ${HELD_MS})
  }
`

const CHANNEL_WORKER = `
  import { parentPort, workerData } from 'node:worker_threads'
  import { adopt } from '${framepool}'
  ${HOLD}
  const receiver = adopt(workerData)
  parentPort.postMessage('ready')
  for await (const slice of receiver) hold(slice.bytes, () => slice.release())
`

const POST_WORKER = `
  import { parentPort } from 'node:worker_threads'
  ${HOLD}
  parentPort.on('message', (bytes) => hold(bytes, () => {}))
  parentPort.postMessage('ready')
`

const sizeOf = (index: number): number => SIZES[index % SIZES.length] as number
const make = (index: number): Uint8Array<ArrayBuffer> => new Uint8Array(sizeOf(index)).fill(1)

/** Takes slices from `count` pools in turn. */
function takeFrom(count: number): (index: number) => Slice {
  const pools = Array.from({ length: count }, () => new SlotPool(SlotPool.SLOTS * 16 * 1024))
  return (index) => {
    const pool = pools[index % count] as SlotPool
    pool.getWritable(sizeOf(index)).fill(1)
    return pool.getDataOwned()
  }
}

/** Runs a case several times in each round. */
const loops = ({ run, ...rest }: AsyncCase): AsyncCase => ({
  ...rest,
  run: async () => {
    for (let loop = 0; loop < LOOPS; loop++) await run()
  },
})

const round = { messages: MESSAGES, sum: MESSAGES }
const sending = { ...round, source: CHANNEL_WORKER }
const posting = { ...round, source: POST_WORKER }
const cases = [
  await byChannel({ ...sending, name: `${POOLS} SlotPools in turn, SliceChannel` }, CAPACITY, takeFrom(POOLS)),
  await byChannel({ ...sending, name: 'one SlotPool, SliceChannel' }, CAPACITY, takeFrom(1)),
  await byMessage({ ...posting, name: 'Uint8Array, postMessage copying' }, false, MESSAGES, make),
  await byMessage({ ...posting, name: 'Uint8Array, postMessage transferring' }, true, MESSAGES, make),
]
const title = '1,000 rounds of two messages of 4 to 16 KiB, held for 1 ms by another worker'
await compareAsync(title, LOOPS * MESSAGES, cases.map(loops), [
  { id: 'P4', rival: 'Uint8Array, postMessage copying', least: 4 },
  { id: 'P4', rival: 'Uint8Array, postMessage transferring', least: 2 },
])
