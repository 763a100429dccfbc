/**
 * P4: the original benchmark's first loop over threads: 1,000 rounds of two messages of 4 to 16 KiB that are filled, sent to
 * another worker, held there for 1 ms and released; beside postMessage with a copy and with a transfer. A pool lends 8 slices at
 * a time, and gives heap memory beyond that: with one, as in the original, most messages are on the heap; with several in turn,
 * as a user would have them, few are.
 */
import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { type Slice, SliceChannel, SlotPool } from '../index.js'
import { type AsyncCase, compareAsync } from './compare-async.js'
import { startWorker } from './worker.js'

const MESSAGES = 2_000
const SIZES = Array.from({ length: 64 }, (_, index) => 4096 + ((index * 2731) % 12_289))
const HELD_MS = 1
/** As many as have slots for what is held at a time, nearly. */
const POOLS = 64

const framepool = new URL('../index.js', import.meta.url)

/** `hold(message, release)`: keeps what has come for 1 ms, and tells when all of a round has been released. */
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

async function byChannel(pools: SlotPool[]): Promise<AsyncCase> {
  const { sender, receiver } = SliceChannel.create<Slice>(1024)
  const worker = await startWorker(CHANNEL_WORKER, receiver.move())
  return {
    name: pools.length === 1 ? 'one SlotPool, SliceChannel' : `${pools.length} SlotPools in turn, SliceChannel`,
    run: async () => {
      const answer = once(worker, 'message')
      for (let sent = 0; sent < MESSAGES; sent++) {
        const pool = pools[sent % pools.length] as SlotPool
        pool.getWritable(SIZES[sent % SIZES.length] as number).fill(1)
        const slice = pool.getDataOwned()
        if (!sender.send(slice)) await sender.sendAsync(slice)
      }
      assert.deepEqual(await answer, [MESSAGES])
    },
    end: async () => {
      sender.end()
      await once(worker, 'exit')
    },
  }
}

async function byMessage(transfer: boolean): Promise<AsyncCase> {
  const worker = await startWorker(POST_WORKER, null)
  return {
    name: `Uint8Array, postMessage ${transfer ? 'transferring' : 'copying'}`,
    run: async () => {
      const answer = once(worker, 'message')
      for (let sent = 0; sent < MESSAGES; sent++) {
        const bytes = new Uint8Array(SIZES[sent % SIZES.length] as number).fill(1)
        worker.postMessage(bytes, transfer ? [bytes.buffer] : [])
      }
      assert.deepEqual(await answer, [MESSAGES])
    },
    end: () => worker.terminate(),
  }
}

const pools = Array.from({ length: POOLS }, () => new SlotPool(SlotPool.SLOTS * 16 * 1024))
const cases = [
  await byChannel(pools),
  await byChannel([new SlotPool(SlotPool.SLOTS * 16 * 1024)]),
  await byMessage(false),
  await byMessage(true),
]
await compareAsync('1,000 rounds of two messages of 4 to 16 KiB, held for 1 ms by another worker', MESSAGES, cases)
