/**
 * P20: a server of length-prefixed frames with a worker: framepool beside Buffers that are copied to the worker, transferred, transferred as whole
 * chunks, and no worker at all.
 */
import { strict as assert } from 'node:assert'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { constants, PerformanceObserver } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
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
import { answerOf } from './answer.js'
import type { Target } from './report/record.js'
import { report } from './rounds.js'
import { median } from './statistics.js'

const MAX = 128 * 1024
const CLIENTS = 100
/** Frames that each client has under way. */
const WINDOW = 16
/** Many short rounds beside one another: this machine may be half as fast a second later. */
const ROUNDS = 15
const LATENCY_ROUNDS = 7
/** Time in which a round sends frames, and one that measures latencies. */
const MILLISECONDS = 100
const LATENCY_MILLISECONDS = 100
/** Share of the slowest server's throughput at which latencies are measured. */
const LOAD = 0.8
/** How often frames are sent then. */
const TICK_MS = 2
/** How many frames a client sends at a time then. */
const PIPELINED = 4
const KINDS = ['framepool', 'copied', 'transferred', 'chunks', 'no worker'] as const
type Kind = (typeof KINDS)[number]
/** Least ratio of a rival's 99th percentile to framepool's (P20). */
const LATENCY_TARGET = 1.25
/**
 * Sizes of frames; rounds until servers are as fast as they will be, since V8 compiles code again and again for seconds, which tells most where
 * frames cost least; and the least ratio of the throughput to that of each rival (P20).
 */
const SIZES: [name: string, least: number, most: number, warmUps: number, target: number][] = [
  ['64 B to 1 KiB', 64, 1024, 30, 1.2],
  ['256 B to 16 KiB', 256, 16 * 1024, 10, 1.4],
  ['16 to 64 KiB', 16 * 1024, 64 * 1024, 10, 1.4],
]
/** Bytes of the frames that clients send again and again. */
const FRAMES_BYTES = 4 << 20
/** Memory that all clients read into: a reply is checked before the next read. */
const replies = Buffer.alloc(256 << 10)
const self = fileURLToPath(import.meta.url)

/** Work of the server: every byte of a payload is looked at, and the first is changed. */
function handle(payload: Uint8Array): void {
  let sum = 0
  for (let index = 0; index < payload.length; index += 64) sum ^= payload[index]!
  payload[0] = payload[0]! ^ 0xff ^ (sum & 0)
}

/** Splits a stream of chunks into frames, headers included. */
class Splitter {
  #rest: Uint8Array = new Uint8Array(0)
  readonly #transfers: boolean

  /** `transfers`: what `split()` returns is transferred, with the memory that it lies in. */
  constructor(transfers = false) {
    this.#transfers = transfers
  }

  /** Calls `onFrame` with each whole frame, which is not copied, and returns all of them as they lie side by side. */
  split(chunk: Uint8Array, onFrame: (frame: Buffer) => void): Buffer {
    let bytes = Buffer.from(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.length)
    if (this.#rest.length > 0) {
      // Memory of its own, which can be transferred.
      bytes = Buffer.allocUnsafeSlow(this.#rest.length + chunk.length)
      bytes.set(this.#rest)
      bytes.set(chunk, this.#rest.length)
    }
    let at = 0
    while (bytes.length - at >= 4) {
      const end = at + 4 + bytes.readUInt32BE(at)
      if (end > bytes.length) break
      onFrame(bytes.subarray(at, end))
      at = end
    }
    const rest = bytes.subarray(at)
    this.#rest = this.#transfers ? new Uint8Array(rest) : rest
    return bytes.subarray(0, at)
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
    if (!answers.send(batch)) await answers.sendAsync(batch)
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
    const splitter = splitters.get(id) ?? new Splitter(true)
    splitters.set(id, splitter)
    const answer = splitter.split(bytes, (frame) => handle(frame.subarray(4)))
    if (answer.length > 0) parentPort!.postMessage({ id, bytes: answer }, [answer.buffer as ArrayBuffer])
  })
}

/** Counts the major collections of this isolate into shared memory. */
function countCollections(collections: Int32Array): void {
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { detail } = entry as unknown as { detail: { kind: number } }
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) Atomics.add(collections, 0, 1)
    }
  }).observe({ entryTypes: ['gc'] })
}

/** The cost of a server since its start. */
interface Cost {
  cpuSeconds: number
  peakRss: number
  majorCollections: number
}

function serve(kind: Kind): void {
  const collections = new Int32Array(new SharedArrayBuffer(4))
  countCollections(collections)
  let next = 0
  const writers = new Map<number, Corked | FrameWriter>()
  const options = { maxFrameLength: MAX }
  const budget = new MemoryBudget(8 * 1024 * 1024)
  let worker: Worker | null = null
  let requests: SliceSender<FramedBatch> | null = null
  if (kind === 'framepool') {
    const [there, back] = [SliceChannel.create<FramedBatch>(1024), SliceChannel.create<FramedBatch>(1024)]
    requests = there.sender
    worker = new Worker(self, { workerData: { kind, collections, ends: [there.receiver.move(), back.sender.move()] } })
    void (async () => {
      for await (const batch of back.receiver) (writers.get(batch.tag) as FrameWriter | undefined)?.forward(batch)
    })()
  } else if (kind !== 'no worker') {
    worker = new Worker(self, { workerData: { kind, collections } })
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
  process.on('message', () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
    const cost: Cost = {
      cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
      peakRss: maxRSS * 1024,
      majorCollections: Atomics.load(collections, 0),
    }
    process.send!(cost)
  })
}

async function costOf(server: ChildProcess): Promise<Cost> {
  server.send('cost')
  return await answerOf<Cost>(server)
}

/** Frames that clients send, behind one another in one Buffer: their bytes are made only once, so that clients cost little. */
class Frames {
  readonly bytes: Buffer
  /** Where each frame begins, and where the last one ends. */
  readonly starts: number[] = [0]

  constructor(least: number, most: number) {
    let seed = 1
    let end = 0
    while (end < FRAMES_BYTES) {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff
      // The low bits have short periods.
      end += 4 + least + ((seed >> 8) % (most - least + 1))
      this.starts.push(end)
    }
    this.bytes = Buffer.allocUnsafe(end)
    for (let index = 0; index < this.count; index++) {
      const [start, next] = [this.starts[index]!, this.starts[index + 1]!]
      this.bytes.writeUInt32BE(next - start - 4, start)
      this.bytes.fill(this.first(index), start + 4, next)
    }
  }

  get count(): number {
    return this.starts.length - 1
  }

  length(index: number): number {
    return this.starts[index + 1]! - this.starts[index]! - 4
  }

  /** Returns the first byte of a payload, which is also its last. */
  first(index: number): number {
    return (index * 31) & 255
  }
}

/** A client, which checks every reply. */
class Client {
  /** Called with the milliseconds that each reply of a read took. */
  onReplies: (took: number[]) => void = () => {}
  readonly #frames: Frames
  #socket!: Socket
  /** Moments at which the frames were sent whose replies are awaited. */
  readonly #sent: number[] = []
  /** The next frame to send, and the one whose reply is awaited. */
  #next: number
  #awaited: number
  /** Bytes of that reply that have come, and the length in its header. */
  #come = 0
  #length = 0

  constructor(frames: Frames, index: number) {
    this.#frames = frames
    this.#next = (index * 7) % frames.count
    this.#awaited = this.#next
  }

  async connect(port: number): Promise<void> {
    const onread = { buffer: replies, callback: (count: number) => this.#receive(count) }
    this.#socket = connect({ port, host: '127.0.0.1', onread }).setNoDelay()
    await once(this.#socket, 'connect')
  }

  /** Number of replies that are awaited. */
  get waiting(): number {
    return this.#sent.length
  }

  /** Sends frames in one write. */
  send(count: number): void {
    const now = performance.now()
    const { starts, bytes } = this.#frames
    for (let left = count; left > 0; ) {
      const part = Math.min(left, this.#frames.count - this.#next)
      this.#socket.write(bytes.subarray(starts[this.#next], starts[this.#next + part]))
      this.#next = (this.#next + part) % this.#frames.count
      left -= part
    }
    for (let index = 0; index < count; index++) this.#sent.push(now)
  }

  close(): void {
    this.#socket.destroy()
  }

  #receive(count: number): boolean {
    const took: number[] = []
    const now = performance.now()
    for (let at = 0; at < count; ) {
      if (this.#come < 4) {
        this.#length = this.#length * 256 + replies[at++]!
        this.#come++
        continue
      }
      const first = this.#frames.first(this.#awaited)
      if (this.#come === 4) {
        assert.equal(this.#length, this.#frames.length(this.#awaited))
        assert.equal(replies[at], first ^ 0xff)
      }
      const part = Math.min(4 + this.#length - this.#come, count - at)
      at += part
      this.#come += part
      if (this.#come < 4 + this.#length) continue
      assert.equal(replies[at - 1], first)
      took.push(now - this.#sent.shift()!)
      this.#awaited = (this.#awaited + 1) % this.#frames.count
      this.#come = this.#length = 0
    }
    this.onReplies(took)
    return true
  }
}

function connectClients(port: number, frames: Frames): Promise<Client[]> {
  return Promise.all(
    Array.from({ length: CLIENTS }, async (_, index) => {
      const client = new Client(frames, index)
      await client.connect(port)
      return client
    }),
  )
}

async function allReplies(clients: Client[]): Promise<void> {
  while (clients.some(({ waiting }) => waiting > 0)) await setTimeout(1)
}

/** The replies of a round, and the time until the last of them had come. */
interface Throughput {
  frames: number
  milliseconds: number
}

/** Has each client keep `WINDOW` frames under way. */
async function throughput(clients: Client[]): Promise<Throughput> {
  let [frames, going] = [0, true]
  const start = performance.now()
  for (const client of clients) {
    client.onReplies = ({ length }) => {
      frames += length
      if (going && length > 0) client.send(length)
    }
    client.send(WINDOW)
  }
  await setTimeout(MILLISECONDS)
  going = false
  await allReplies(clients)
  return { frames, milliseconds: performance.now() - start }
}

/**
 * Returns the 99th percentile in milliseconds of the time to a reply, while frames come at a fixed rate whatever the server does. The time
 * runs from the moment at which a frame is sent: timers of the clients, which are late by up to a millisecond, do not count.
 */
async function latency(clients: Client[], rate: number): Promise<number> {
  const times: number[] = []
  for (const client of clients) client.onReplies = (took) => times.push(...took)
  const start = performance.now()
  let [sent, next] = [0, 0]
  for (let at = start; at < start + LATENCY_MILLISECONDS; at += TICK_MS) {
    while (performance.now() < at) await setTimeout(1)
    for (const due = ((at - start) * rate) / 1000; sent < due; sent += PIPELINED) {
      clients[next++ % clients.length]!.send(PIPELINED)
    }
  }
  await allReplies(clients)
  times.sort((a, b) => a - b)
  return times[Math.floor(times.length * 0.99)]!
}

interface Server {
  child: ChildProcess
  clients: Client[]
  frames: number[]
  /** CPU time a frame, in microseconds. */
  cpu: number[]
  p99: number[]
  /** Cost until the server was warm. */
  before: Cost
}

async function compareServers(): Promise<void> {
  for (const [name, least, most, warmUps, target] of SIZES) {
    const servers = new Map<Kind, Server>()
    const sent = new Frames(least, most)
    for (const kind of KINDS) {
      const child = fork(self, [kind])
      const port = await answerOf<number>(child)
      const clients = await connectClients(port, sent)
      servers.set(kind, { child, clients, frames: [], cpu: [], p99: [], before: await costOf(child) })
    }
    for (let round = 0; round < warmUps; round++) {
      for (const { clients } of servers.values()) await throughput(clients)
    }
    for (const server of servers.values()) server.before = await costOf(server.child)
    for (let round = 0; round < ROUNDS; round++) {
      for (const { child, clients, frames, cpu } of servers.values()) {
        const before = (await costOf(child)).cpuSeconds
        const reached = await throughput(clients)
        frames.push((reached.frames / reached.milliseconds) * 1000)
        cpu.push((((await costOf(child)).cpuSeconds - before) * 1e6) / reached.frames)
      }
    }
    const rate = Math.min(...[...servers.values()].map(({ frames }) => median(frames))) * LOAD
    for (let round = 0; round < LATENCY_ROUNDS; round++) {
      for (const { clients, p99 } of servers.values()) p99.push(await latency(clients, rate))
    }
    const all = [...servers.values()]
    const [, ...rivals] = KINDS
    // A server without a worker hands nothing over: it shows how far any server with one could come.
    const targets = (least: number): Target[] =>
      rivals.filter((rival) => rival !== 'no worker').map((rival) => ({ id: 'P20', rival, least }))
    const show = (what: string, unit: string, costs: number[][], targets: Target[] = []): void => {
      report({ title: `a server of frames of ${name}: ${what}`, unit, names: [...KINDS], costs, targets })
    }
    show(
      'time of a frame',
      'µs',
      all.map(({ frames }) => frames.map((rate) => 1e6 / rate)),
      targets(target),
    )
    show(
      'CPU time of a frame',
      'µs',
      all.map(({ cpu }) => cpu),
    )
    show(
      `99th percentile at ${rate.toFixed(0)} frames/s`,
      'ms',
      all.map(({ p99 }) => p99),
      targets(LATENCY_TARGET),
    )
    for (const [kind, { child, clients, before }] of servers) {
      const { peakRss, majorCollections } = await costOf(child)
      const collections = majorCollections - before.majorCollections
      console.log(
        `  ${kind.padEnd(12)} peak RSS ${(peakRss / 2 ** 20).toFixed(0).padStart(4)} MiB, major collections ${collections}`,
      )
      for (const client of clients) client.close()
      child.kill()
    }
  }
}

if (!isMainThread) {
  countCollections(workerData.collections)
  if (workerData.kind === 'framepool') await workByFramepool()
  else workByMessages(workerData.kind)
} else if (process.send !== undefined) serve(process.argv[2] as Kind)
else await compareServers()
