/** P5: slices of 1 KiB, one way to another worker through a SliceChannel, received, touched, released, beside postMessage. */
import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { type Slice, SliceChannel, SlotPool } from '../index.js'
import { type AsyncCase, compareAsync } from './compare-async.js'
import { startWorker } from './worker.js'

const WORK = 20_000
const BYTES = 1024
/** Slices on their way at a time, and the pools of 8 slots that they come from. */
const CAPACITY = 256
const POOLS = CAPACITY / SlotPool.SLOTS
/** What is posted without a turn of the event loop: Node sends as fast as it can. */
const POSTED = 256

const framepool = new URL('../index.js', import.meta.url)

/** Sums up what it receives, and tells when a slice of one byte has come. */
const CHANNEL_WORKER = `
  import { parentPort, workerData } from 'node:worker_threads'
  import { adopt } from '${framepool}'
  const receiver = adopt(workerData)
  parentPort.postMessage('ready')
  let sum = 0
  for (let slice; (slice = receiver.receiveSync({ timeoutMs: 600_000 })) !== null; slice.release()) {
    const { bytes } = slice
    if (bytes.length > 1) sum += bytes[0]
    else {
      parentPort.postMessage(sum)
      sum = 0
    }
  }
`

const POST_WORKER = `
  import { parentPort } from 'node:worker_threads'
  let sum = 0
  parentPort.on('message', (bytes) => {
    if (bytes.length > 1) sum += bytes[0]
    else {
      parentPort.postMessage(sum)
      sum = 0
    }
  })
  parentPort.postMessage('ready')
`

async function byChannel(): Promise<AsyncCase> {
  const { sender, receiver } = SliceChannel.create<Slice>(CAPACITY)
  const worker = await startWorker(CHANNEL_WORKER, receiver.move())
  const pools = Array.from({ length: POOLS }, () => new SlotPool(SlotPool.SLOTS * BYTES))
  return {
    name: 'SliceChannel',
    run: async () => {
      const answer = once(worker, 'message')
      for (let sent = 0; sent <= WORK; sent++) {
        const pool = pools[sent % POOLS] as SlotPool
        const view = pool.getWritable(sent < WORK ? BYTES : 1)
        view[0] = 1
        const slice = pool.getDataOwned()
        if (!sender.send(slice)) await sender.sendAsync(slice)
      }
      assert.deepEqual(await answer, [WORK])
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
    name: `postMessage, ${transfer ? 'transferred' : 'copied'}`,
    run: async () => {
      const answer = once(worker, 'message')
      for (let sent = 0; sent <= WORK; sent++) {
        const bytes = new Uint8Array(sent < WORK ? BYTES : 1)
        bytes[0] = 1
        worker.postMessage(bytes, transfer ? [bytes.buffer] : [])
        if (sent % POSTED === 0) await new Promise(setImmediate)
      }
      assert.deepEqual(await answer, [WORK])
    },
    end: () => worker.terminate(),
  }
}

const cases = [await byChannel(), await byMessage(true), await byMessage(false)]
await compareAsync('slices of 1 KiB to another worker', WORK, cases)
