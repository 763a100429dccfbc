import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { type Slice, SliceChannel } from '../index.js'
import type { AsyncCase } from './compare-async.js'
import { startWorker } from './worker.js'

const framepool = new URL('../index.js', import.meta.url)

/** Program of a worker that sums the slices it receives, and reports after a slice of one byte. */
export const CHANNEL_WORKER = `
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

/** Program of a worker that sums the messages it gets, and reports after a message of one byte. */
export const POST_WORKER = `
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

/** A round of messages to another worker. */
interface Round {
  name: string
  /** Program of the worker, which reports `sum` after the last message. */
  source: string
  messages: number
  sum: number
}

/** Sends the slices that `take` returns through a channel of `capacity` slices. */
export async function byChannel(round: Round, capacity: number, take: (index: number) => Slice): Promise<AsyncCase> {
  const { sender, receiver } = SliceChannel.create<Slice>(capacity)
  const worker = await startWorker(round.source, receiver.move())
  return {
    name: round.name,
    run: async () => {
      const answer = once(worker, 'message')
      for (let sent = 0; sent < round.messages; sent++) {
        const slice = take(sent)
        if (!sender.send(slice)) await sender.sendAsync(slice)
      }
      assert.deepEqual(await answer, [round.sum])
    },
    end: async () => {
      sender.end()
      await once(worker, 'exit')
    },
  }
}

/** Posts the arrays that `make` returns, `burst` of them in each turn of the event loop. */
export async function byMessage(
  round: Round,
  transfer: boolean,
  burst: number,
  make: (index: number) => Uint8Array<ArrayBuffer>,
): Promise<AsyncCase> {
  const worker = await startWorker(round.source, null)
  return {
    name: round.name,
    run: async () => {
      const answer = once(worker, 'message')
      for (let sent = 0; sent < round.messages; sent++) {
        const bytes = make(sent)
        worker.postMessage(bytes, transfer ? [bytes.buffer] : [])
        if (sent % burst === 0) await new Promise(setImmediate)
      }
      assert.deepEqual(await answer, [round.sum])
    },
    end: () => worker.terminate(),
  }
}
