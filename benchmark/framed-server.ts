/**
 * P20: a server of length-prefixed frames with a worker: framepool beside Buffers that are copied to the worker, transferred, transferred as whole
 * chunks, and no worker at all.
 */
import { strict as assert } from 'node:assert'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import {
  adopt,
  FrameReader,
  FrameWriter,
  MemoryBudget,
  SliceChannel,
  type SliceReceiver,
  type SliceSender,
} from '../index.js'
import type { FramedBatch } from '../src/framing/framed-batch.js'

const MAX = 128 * 1024
const CLIENTS = 100
/** Frames that each client has under way. */
const WINDOW = 16
const ROUNDS = 7
const MILLISECONDS = 1000
const KINDS = ['framepool', 'copied', 'transferred', 'chunks', 'no worker'] as const
type Kind = (typeof KINDS)[number]
const SIZES: [name: string, least: number, most: number][] = [
  ['64 B to 1 KiB', 64, 1024],
  ['256 B to 16 KiB', 256, 16 * 1024],
  ['16 to 64 KiB', 16 * 1024, 64 * 1024],
]
const self = fileURLToPath(import.meta.url)

/** Work of the server: every byte of a payload is looked at, and the first is changed. */
function handle(payload: Uint8Array): void {
  let sum = 0
  for (let index = 0; index < payload.length; index += 64) sum ^= payload[index]!
  payload[0] = payload[0]! ^ 0xff ^ (sum & 0)
}

/** Splits a stream of chunks into frames, headers included, without a copy where a frame lies within a chunk. */
class Splitter {
  #rest: Buffer = Buffer.alloc(0)

  split(chunk: Uint8Array, onFrame: (frame: Buffer) => void): void {
    let bytes = Buffer.from(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.length)
    if (this.#rest.length > 0) bytes = Buffer.concat([this.#rest, bytes])
    let at = 0
    while (bytes.length - at >= 4) {
      const end = at + 4 + bytes.readUInt32BE(at)
      if (end > bytes.length) break
      onFrame(bytes.subarray(at, end))
      at = end
    }
    this.#rest = bytes.subarray(at)
  }
}

/** Writes what a turn brings in one call. */
class Corked {
  readonly #socket: Socket
  #corked = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  write(frame: Uint8Array): void {
    if (!this.#corked) {
      this.#corked = true
      this.#socket.cork()
      process.nextTick(() => {
        this.#corked = false
        this.#socket.uncork()
      })
    }
    this.#socket.write(frame)
  }
}

async function workByFramepool(): Promise<void> {
  const [requests, answers] = workerData.ends.map(adopt) as [SliceReceiver<FramedBatch>, SliceSender<FramedBatch>]
  for await (const batch of requests) {
    for (const payload of batch) handle(payload)
    await answers.sendAsync(batch)
  }
}

function workByMessages(kind: Kind): void {
  const splitters = new Map<number, Splitter>()
  parentPort!.on('message', ({ id, bytes }: { id: number; bytes: Uint8Array }) => {
    if (kind !== 'chunks') {
      handle(bytes.subarray(4))
      parentPort!.postMessage({ id, bytes }, kind === 'copied' ? [] : [bytes.buffer as ArrayBuffer])
      return
    }
    const splitter = splitters.get(id) ?? new Splitter()
    splitters.set(id, splitter)
    const frames: Buffer[] = []
    splitter.split(bytes, (frame) => {
      handle(frame.subarray(4))
      frames.push(frame)
    })
    const answer = new Uint8Array(Buffer.concat(frames))
    parentPort!.postMessage({ id, bytes: answer }, [answer.buffer])
  })
}

function serve(kind: Kind): void {
  let next = 0
  const writers = new Map<number, Corked | FrameWriter>()
  const options = { maxFrameLength: MAX }
  const budget = new MemoryBudget(8 * 1024 * 1024)
  let worker: Worker | null = null
  let requests: SliceSender<FramedBatch> | null = null
  if (kind === 'framepool') {
    const [there, back] = [SliceChannel.create<FramedBatch>(1024), SliceChannel.create<FramedBatch>(1024)]
    requests = there.sender
    worker = new Worker(self, { workerData: { kind, ends: [there.receiver.move(), back.sender.move()] } })
    void (async () => {
      for await (const batch of back.receiver) (writers.get(batch.tag) as FrameWriter | undefined)?.forward(batch)
    })()
  } else if (kind !== 'no worker') {
    worker = new Worker(self, { workerData: { kind } })
    worker.on('message', ({ id, bytes }) => {
      ;(writers.get(id) as Corked | undefined)?.write(bytes)
    })
  }
  const server = createServer({ noDelay: true }, (socket) => {
    const id = next++
    socket.on('error', () => {})
    socket.on('close', () => writers.delete(id))
    if (requests !== null) {
      const { send, sendAsync } = { send: requests.send.bind(requests), sendAsync: requests.sendAsync.bind(requests) }
      writers.set(id, FrameWriter.lengthDelimited(socket, options))
      FrameReader.lengthDelimited({ ...options, budget })
        .attach(socket, (batch) => (send(batch, id) ? undefined : sendAsync(batch, { tag: id })))
        .catch(() => {})
      return
    }
    const writer = new Corked(socket)
    writers.set(id, writer)
    const splitter = new Splitter()
    socket.on('data', (chunk) => {
      const bytes = chunk as Buffer
      if (kind === 'chunks') {
        const own = bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
        worker!.postMessage({ id, bytes: own }, [own.buffer as ArrayBuffer])
        return
      }
      splitter.split(bytes, (frame) => {
        if (kind === 'no worker') {
          handle(frame.subarray(4))
          writer.write(frame)
        } else if (kind === 'copied') {
          worker!.postMessage({ id, bytes: new Uint8Array(frame.buffer, frame.byteOffset, frame.length) })
        } else {
          const own = new Uint8Array(frame)
          worker!.postMessage({ id, bytes: own }, [own.buffer])
        }
      })
    })
  }).listen(0, '127.0.0.1', () => process.send!((server.address() as { port: number }).port))
  let peak = 0
  setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }, 5)
  process.on('message', () => {
    process.send!(peak)
    peak = 0
  })
}

interface Result {
  frames: number
  p99: number
  rss: number
}

/** Drives a server for a moment. Every reply is checked. */
async function drive(port: number, least: number, most: number): Promise<{ frames: number; p99: number }> {
  const times: number[] = []
  let going = true
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      const socket = connect(port, '127.0.0.1').setNoDelay()
      await once(socket, 'connect')
      const sent: [at: number, length: number, first: number][] = []
      let seed = client + 1
      const send = (): void => {
        seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff
        const length = least + (seed % (most - least + 1))
        const frame = Buffer.alloc(4 + length, seed & 255)
        frame.writeUInt32BE(length)
        sent.push([performance.now(), length, seed & 255])
        socket.write(frame)
      }
      const splitter = new Splitter()
      const ended = new Promise<void>((resolve) => {
        socket.on('data', (chunk) => {
          splitter.split(chunk as Buffer, (frame) => {
            const [at, length, first] = sent.shift()!
            assert.equal(frame.length, 4 + length)
            assert.equal(frame[4], first ^ 0xff)
            assert.equal(frame[frame.length - 1], first)
            times.push(performance.now() - at)
            if (going) send()
          })
          if (sent.length === 0) resolve()
        })
      })
      for (let index = 0; index < WINDOW; index++) send()
      setTimeout(() => {
        going = false
      }, MILLISECONDS)
      await ended
      socket.destroy()
    }),
  )
  times.sort((a, b) => a - b)
  return { frames: (times.length / MILLISECONDS) * 1000, p99: times[Math.floor(times.length * 0.99)]! }
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}

async function compareServers(): Promise<void> {
  for (const [name, least, most] of SIZES) {
    const servers = new Map<Kind, { child: ChildProcess; port: number; results: Result[] }>()
    for (const kind of KINDS) {
      const child = fork(self, [kind])
      servers.set(kind, { child, port: (await once(child, 'message'))[0] as number, results: [] })
    }
    for (let round = 0; round < ROUNDS; round++) {
      for (const { child, port, results } of servers.values()) {
        child.send('reset')
        await once(child, 'message')
        const driven = await drive(port, least, most)
        child.send('peak')
        results.push({ ...driven, rss: (await once(child, 'message'))[0] as number })
      }
    }
    console.log(
      `\n${name}, ${CLIENTS} clients, ${WINDOW} frames under way each; medians of ${ROUNDS} interleaved rounds`,
    )
    for (const [kind, { child, results }] of servers) {
      const [frames, p99, rss] = (['frames', 'p99', 'rss'] as const).map((key) =>
        median(results.map((one) => one[key])),
      )
      const mib = (rss! / 2 ** 20).toFixed(0).padStart(4)
      console.log(
        `  ${kind.padEnd(12)} ${frames!.toFixed(0).padStart(8)} frames/s   p99 ${p99!.toFixed(1).padStart(6)} ms   peak RSS ${mib} MiB`,
      )
      child.kill()
    }
  }
}

if (!isMainThread) {
  if (workerData.kind === 'framepool') await workByFramepool()
  else workByMessages(workerData.kind)
} else if (process.send !== undefined) serve(process.argv[2] as Kind)
else await compareServers()
