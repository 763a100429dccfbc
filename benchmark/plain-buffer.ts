/**
 * The work for which the README says to use a plain Buffer: small messages in one thread, HTTP uploads, and a whole server
 * that passes small frames to a worker. It has no target. Ratios below 1 mean that framepool is slower.
 */
import { strict as assert } from 'node:assert'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { ByteRing, SlotPool } from '../index.js'
import { answerOf } from './answer.js'
import { compare } from './compare.js'
import { compareAsync } from './compare-async.js'
import type { Handover, ServerCost } from './frame-server-process.js'
import { PlainRing } from './rivals/plain-ring.js'
import { report } from './rounds.js'

const WORK = 1000

for (const size of [64, 1024]) await messages(size)
for (const length of [64, 16 * 1024]) await rings(length)
await uploads()
await servers()

/** Messages that are written, taken, read back and released, beside Buffers that are written and read back. */
async function messages(size: number): Promise<void> {
  const pool = new SlotPool(8 * size)
  const list = Array.from({ length: SlotPool.SLOTS }, () => Buffer.alloc(size))
  const times = (message: (index: number) => void) => () => {
    for (let index = 0; index < WORK; index++) message(index)
  }
  await compare({
    title: `messages of ${size} B in one thread`,
    work: WORK,
    cases: [
      {
        name: 'SlotPool, slice.bytes read',
        run: times((index) => {
          touch(pool.getWritable(size), index)
          const slice = pool.getDataOwned()
          readBack(slice.bytes, index)
          slice.release()
        }),
      },
      {
        name: 'SlotPool, written only',
        run: times((index) => {
          touch(pool.getWritable(size), index)
          pool.getDataOwned().release()
        }),
      },
      {
        name: 'Buffer.allocUnsafe, read',
        run: times((index) => {
          const bytes = Buffer.allocUnsafe(size)
          touch(bytes, index)
          readBack(bytes, index)
        }),
      },
      {
        name: 'a list of 8 Buffers, read',
        run: times((index) => {
          const bytes = list.pop()!
          touch(bytes, index)
          readBack(bytes, index)
          list.push(bytes)
        }),
      },
    ],
  })
  pool.close()
}

function touch(bytes: Uint8Array, index: number): void {
  bytes[0] = index
  bytes[bytes.length - 1] = index
}

function readBack(bytes: Uint8Array, index: number): void {
  if (bytes[0] !== (index & 0xff) || bytes[bytes.length - 1] !== bytes[0]) throw new Error('wrong bytes')
}

/** A ring in one thread, beside one in a plain ArrayBuffer. */
async function rings(length: number): Promise<void> {
  const { producer, consumer } = new ByteRing(64 * 1024).intoParts()
  const plain = new PlainRing(64 * 1024)
  const source = Uint8Array.from({ length }, (_, index) => index * 7)
  const target = new Uint8Array(length)
  const through = (write: (bytes: Uint8Array) => number, read: (bytes: Uint8Array) => number) => {
    target.fill(0)
    assert.equal(write(source), length)
    assert.equal(read(target), length)
    assert.deepEqual(target, source)
    return () => {
      for (let index = 0; index < WORK; index++) {
        write(source)
        read(target)
      }
    }
  }
  await compare({
    title: `a ring in one thread, ${length} B`,
    work: WORK,
    cases: [
      {
        name: 'ByteRing',
        run: through(
          (bytes) => producer.write(bytes),
          (bytes) => consumer.read(bytes),
        ),
      },
      {
        name: 'a ring in an ArrayBuffer',
        run: through(
          (bytes) => plain.write(bytes),
          (bytes) => plain.read(bytes),
        ),
      },
    ],
  })
  producer.release()
  consumer.release()
}

/** HTTP uploads whose chunks are copied into a slot pool, beside uploads whose chunks are used as Node gives them. */
async function uploads(): Promise<void> {
  const PIECES = 512
  const piece = Buffer.alloc(64 * 1024, 'framepool')
  const pool = new SlotPool(1 << 20)
  let seen = 0
  const look = (bytes: Uint8Array): void => {
    seen += bytes.length
  }
  const take: Record<string, (chunk: Buffer) => void> = {
    '/pool': (chunk) => {
      pool.writeAll(chunk)
      const slice = pool.getDataOwned()
      look(slice.bytes)
      slice.release()
    },
    '/plain': look,
  }
  const server = createServer(async (message, response) => {
    for await (const chunk of message) take[message.url!]!(chunk)
    response.end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const upload = (path: string) => async () => {
    seen = 0
    const sent = request({ host: '127.0.0.1', port, path, method: 'POST' })
    const answer = once(sent, 'response')
    await pipeline(Readable.from(Array<Buffer>(PIECES).fill(piece)), sent)
    const [response] = await answer
    response.resume()
    await once(response, 'end')
    assert.equal(seen, PIECES * piece.length)
  }
  await compareAsync('an HTTP upload of 32 MiB, client and server, for each 64 KiB', PIECES, [
    { name: 'chunks copied into a SlotPool', run: upload('/pool') },
    { name: 'chunks as Node gives them', run: upload('/plain') },
  ])
  server.close()
  pool.close()
}

/** Servers that pass each frame to a worker and back: 100 clients, one frame of each under way, every reply checked. */
async function servers(): Promise<void> {
  const ROUNDS = 5
  const WAYS: { name: string; handover: Handover }[] = [
    { name: 'SlotPool and SliceChannel', handover: 'framepool' },
    { name: 'postMessage, copied', handover: 'copy' },
    { name: 'postMessage, transferred', handover: 'transfer' },
  ]
  for (const [least, most] of [
    [64, 1024],
    [16 * 1024, 64 * 1024],
  ] as const) {
    const rounds = WAYS.map((): Served[] => [])
    for (let round = 0; round < ROUNDS; round++) {
      for (const [index, { handover }] of WAYS.entries()) rounds[index]!.push(await serve(handover, least, most))
    }
    const title = `a server with a worker, a slice or message for each frame of ${least} to ${most} B`
    const names = WAYS.map(({ name }) => name)
    const costsOf = (cost: (served: Served) => number): number[][] => rounds.map((own) => own.map(cost))
    const show = (what: string, unit: string, cost: (served: Served) => number): void => {
      report({ title: `${title}: ${what}`, unit, names, costs: costsOf(cost), targets: [] })
    }
    show('time of a frame', 'µs', ({ framesPerSecond }) => 1e6 / framesPerSecond)
    show('CPU time of a frame', 'µs', ({ cpuMicros }) => cpuMicros)
    show('99th percentile', 'ms', ({ p99Ms }) => p99Ms)
    show('memory of the process', 'MiB', ({ rssMebibytes }) => rssMebibytes)
  }
}

interface Served {
  framesPerSecond: number
  p99Ms: number
  /** CPU time of the server for each frame. */
  cpuMicros: number
  /** Peak of the server's resident memory. */
  rssMebibytes: number
}

/** Starts a server in a process of its own, and has 100 clients send frames of `least` to `most` bytes and check the replies. */
async function serve(handover: Handover, least: number, most: number): Promise<Served> {
  const CLIENTS = 100
  const frames = most > 16 * 1024 ? 10 : 60
  const server = fork(fileURLToPath(new URL('./frame-server-process.js', import.meta.url)), [handover])
  const port = await answerOf<number>(server)
  const delays: number[] = []
  const sockets = await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      await once(socket, 'connect')
      return socket
    }),
  )
  const start = performance.now()
  await Promise.all(sockets.map((socket, client) => converse(socket, client, frames, least, most, delays)))
  const seconds = (performance.now() - start) / 1000
  server.send('end')
  const { cpuSeconds, rssBytes } = await answerOf<ServerCost>(server)
  await once(server, 'exit')
  const total = CLIENTS * frames
  assert.equal(delays.length, total)
  delays.sort((one, other) => one - other)
  return {
    framesPerSecond: total / seconds,
    p99Ms: delays[Math.floor(total * 0.99)]!,
    cpuMicros: (cpuSeconds * 1e6) / total,
    rssMebibytes: rssBytes / 2 ** 20,
  }
}

/** Sends frames one after another, each when the last was answered: u32 length, then payload. A reply has all bits inverted. */
async function converse(
  socket: Socket,
  client: number,
  frames: number,
  least: number,
  most: number,
  delays: number[],
): Promise<void> {
  const iterator = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>
  const frame = Buffer.alloc(4 + most)
  let held: Buffer = Buffer.alloc(0)
  for (let index = 0; index < frames; index++) {
    const length = least + ((Math.imul(index * 100 + client, 0x9e37_79b1) >>> 0) % (most - least + 1))
    frame.writeUInt32LE(length)
    frame.fill(index + client, 4, 4 + length)
    const start = performance.now()
    socket.write(frame.subarray(0, 4 + length))
    const parts: Buffer[] = [held]
    for (let have = held.length; have < 4 + length; ) {
      const { value, done } = await iterator.next()
      if (done) throw new Error('the server ended the connection')
      parts.push(value)
      have += value.length
    }
    const reply = Buffer.concat(parts)
    delays.push(performance.now() - start)
    assert.equal(reply.readUInt32LE(), length)
    const expected = ~(index + client) & 0xff
    for (const at of [4, 3 + length]) assert.equal(reply[at], expected)
    held = reply.subarray(4 + length)
  }
  socket.destroy()
}
