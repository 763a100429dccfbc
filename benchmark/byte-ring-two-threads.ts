/**
 * P10: messages of 1 KiB and 16 KiB from one worker to another through a byte ring, beside a ring in a
 * SharedArrayBuffer whose ends wait with Atomics, and beside postMessage with transfer.
 */
import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { isMainThread, MessageChannel, type MessagePort, parentPort, Worker, workerData } from 'node:worker_threads'
import { adopt, ByteRing, type Consumer, type Producer, type Ticket } from '../index.js'
import { type AsyncCase, compareAsync } from './compare-async.js'
import { SharedRing, WaitingRing } from './rivals/shared-ring.js'

const SIZE = 256 * 1024
/** Bytes in each round. */
const BYTES = 2 ** 25
const WAIT = { timeoutMs: 600_000 }
/** Bytes posted in one turn of the event loop, so that both workers run at once. */
const POSTED = 64

/** Data of one of the two workers. */
type End =
  | { kind: 'producer'; ticket: Ticket<Producer> }
  | { kind: 'consumer'; ticket: Ticket<Consumer> }
  | { kind: 'writer' | 'reader'; memory: SharedArrayBuffer }
  | { kind: 'poster' | 'receiver'; port: MessagePort }

if (isMainThread) await main()
else serve(workerData as { end: End; length: number })

async function main(): Promise<void> {
  for (const length of [1024, 16 * 1024]) {
    const { producer, consumer } = new ByteRing(SIZE).intoParts()
    const memory = SharedRing.memory(SIZE)
    const { port1, port2 } = new MessageChannel()
    const cases = [
      await pair(
        'ByteRing',
        length,
        { kind: 'producer', ticket: producer.move() },
        { kind: 'consumer', ticket: consumer.move() },
      ),
      await pair('shared ring, Atomics.wait', length, { kind: 'writer', memory }, { kind: 'reader', memory }),
      await pair(
        'postMessage, transferred',
        length,
        { kind: 'poster', port: port1 },
        { kind: 'receiver', port: port2 },
      ),
    ]
    const targets = [
      { id: 'P10', rival: 'shared ring, Atomics.wait', least: 1.2 },
      { id: 'P10', rival: 'postMessage, transferred', least: 1.5 },
    ]
    await compareAsync(`messages of ${length} B from worker to worker`, BYTES / length, cases, targets)
  }
}

async function pair(name: string, length: number, ...ends: [End, End]): Promise<AsyncCase> {
  const workers = ends.map((end) => {
    const transferList = 'port' in end ? [end.port] : []
    return new Worker(new URL(import.meta.url), { workerData: { end, length }, transferList })
  })
  await Promise.all(workers.map((worker) => once(worker, 'online')))
  return {
    name,
    run: async () => {
      const answers = workers.map((worker) => once(worker, 'message') as Promise<[number]>)
      for (const worker of workers) worker.postMessage('begin')
      const [, [sum]] = (await Promise.all(answers)) as [[number], [number]]
      assert.equal(sum, BYTES / length)
    },
    end: () => Promise.all(workers.map((worker) => worker.terminate())),
  }
}

function serve({ end, length }: { end: End; length: number }): void {
  const work = workOf(end, length)
  parentPort?.on('message', async () => parentPort?.postMessage(await work()))
}

/** Sends the messages of a round, or receives them and sums their first bytes. */
function workOf(end: End, length: number): () => number | Promise<number> {
  const messages = BYTES / length
  const bytes = new Uint8Array(length).fill(1)
  switch (end.kind) {
    case 'producer': {
      const producer = adopt(end.ticket)
      return () => repeat(messages, () => send(producer, bytes))
    }
    case 'consumer': {
      const consumer = adopt(end.ticket)
      return () => repeat(messages, () => receive(consumer, bytes))
    }
    case 'writer': {
      const ring = new WaitingRing(end.memory, SIZE)
      return () => repeat(messages, () => ring.write(bytes))
    }
    case 'reader': {
      const ring = new WaitingRing(end.memory, SIZE)
      return () =>
        repeat(messages, () => {
          ring.read(bytes)
          return bytes[0] as number
        })
    }
    case 'poster':
      return async () => {
        for (let sent = 0; sent < messages; sent++) {
          const message = new Uint8Array(length).fill(1)
          end.port.postMessage(message, [message.buffer])
          if (sent % POSTED === 0) await new Promise(setImmediate)
        }
        return messages
      }
    case 'receiver':
      return () => receivePosted(end.port, messages)
  }
}

function repeat(count: number, once: () => number): number {
  let sum = 0
  for (let index = 0; index < count; index++) sum += once()
  return sum
}

function send(producer: Producer, bytes: Uint8Array): number {
  for (let written = producer.write(bytes); written < bytes.length; ) {
    producer.writableSync(bytes.length - written, WAIT)
    written += producer.write(bytes.subarray(written))
  }
  return 1
}

function receive(consumer: Consumer, bytes: Uint8Array): number {
  for (let read = consumer.read(bytes); read < bytes.length; ) {
    consumer.readableSync(bytes.length - read, WAIT)
    read += consumer.read(bytes.subarray(read))
  }
  return bytes[0] as number
}

function receivePosted(port: MessagePort, messages: number): Promise<number> {
  return new Promise((resolve) => {
    let [count, sum] = [0, 0]
    port.on('message', function take(bytes: Uint8Array) {
      sum += bytes[0] as number
      if (++count < messages) return
      port.off('message', take)
      resolve(sum)
    })
  })
}
