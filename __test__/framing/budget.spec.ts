import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { FrameReader, MemoryBudget } from '../../index.js'
import { runProgram, WORKERS } from '../support/program.js'
import { Random } from '../support/random.js'
import { dial, serve } from './connections.js'

/** Milliseconds that the test takes. `FRAMEPOOL_FUZZ_MS` sets another number. */
const RUN_MS = Number(process.env.FRAMEPOOL_FUZZ_MS ?? 4000)
/** Bytes beside the longest frame: cut headers of other connections, and what aligns tables. */
const SMALL = 1024

function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.below(list.length)]!
}

/** Makes `count` frames of random lengths, most of them short. */
function framesOf(random: Random, count: number, max: number, isDelimited: boolean): Buffer[] {
  return Array.from({ length: count }, () => {
    const length = random.below(random.below(3) === 0 ? max - 4 : Math.min(max - 4, 300))
    if (isDelimited) return Buffer.from(`${'x'.repeat(length)}\n`)
    const frame = Buffer.alloc(4 + length)
    frame.writeUInt32BE(length)
    return frame
  })
}

/** Sends `bytes` in random pieces, and resolves when the server has closed the connection. */
async function send(random: Random, port: number, bytes: Buffer): Promise<void> {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  await once(socket, 'connect')
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(random.below(4) === 0 ? 100_000 : 2000)
    socket.write(bytes.subarray(at, end))
    at = end
    if (random.below(3) === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  socket.end().resume()
  await once(socket, 'close')
}

it(
  'readers that share a budget with hardly more than one frame finish all frames, and give everything back',
  async () => {
    const random = new Random()
    for (const end = Date.now() + RUN_MS; Date.now() < end; ) {
      const max = pick(random, [100, 1000, 20_000, 70_000, 200_000])
      const budget = new MemoryBudget(max + SMALL + pick(random, [0, 2000, max, 3 * max, 16 * max]))
      const isDelimited = random.below(2) === 0
      const how = pick(random, ['at once', 'retained', 'async'])
      let received = 0
      const ends: Promise<unknown>[] = []
      const server = createServer((socket) => {
        socket.on('error', () => {})
        const options = { maxFrameLength: max, budget }
        const reader = isDelimited ? FrameReader.delimited(options) : FrameReader.lengthDelimited(options)
        ends.push(
          reader.attach(socket, async (batch) => {
            received += batch.length
            if (how === 'at once') return
            if (how === 'retained') {
              batch.retain()
              setTimeout(() => batch.release(), random.below(5))
            } else {
              await new Promise((resolve) => setTimeout(resolve, random.below(3)))
            }
          }),
        )
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as { port: number }
      let sent = 0
      const clients = Array.from({ length: 1 + random.below(40) }, () => {
        const frames = framesOf(random, random.below(12), max, isDelimited)
        sent += frames.length
        return send(random, port, Buffer.concat(frames))
      })
      const origin = `${random.origin}: ${max}, ${budget.maxMemory}, ${how}`
      await Promise.all(clients)
      await Promise.all(ends)
      expect(received, origin).toBe(sent)
      await expect.poll(() => budget.stats(), { message: origin }).toMatchObject({ reservedBytes: 0, waiting: 0 })
      expect(budget.stats().peakBytes, origin).toBeLessThanOrEqual(budget.maxMemory)
      server.close()
    }
  },
  RUN_MS + 60_000,
)

it.each([
  [1000, 250],
  [1 << 20, 1 << 16],
  [4 << 20, 1 << 17],
  [64 << 20, 1 << 18],
])('one thread keeps little of a budget for its next read: %i bytes', async (maxMemory, reservedBytes) => {
  const budget = new MemoryBudget(maxMemory)
  const socket = new PassThrough()
  const reader = FrameReader.lengthDelimited({ maxFrameLength: 100, budget })
  const end = reader.attach(socket, () => {})
  expect(budget.stats()).toMatchObject({ reservedBytes, waiting: 0 })
  socket.end()
  await end
  expect(budget.stats().reservedBytes).toBe(0)
})

it.each([
  [10, 1],
  [60, 4],
])(
  'gives each of %i readers its turn with a budget of %i frames, though all clients send as fast as they can',
  async (clients, frames) => {
    const max = 65_536
    const budget = new MemoryBudget(frames * max + SMALL)
    const received: number[] = []
    const port = await serve(async (socket) => {
      const index = received.push(0) - 1
      const reader = FrameReader.lengthDelimited({ maxFrameLength: max, budget })
      await reader.attach(socket, async (batch) => {
        received[index]! += batch.length
      })
    })
    const frame = Buffer.alloc(max)
    frame.writeUInt32BE(max - 4)
    for (let index = 0; index < clients; index++) {
      const socket = dial(port)
      const send = (): void => {
        if (!socket.destroyed) socket.write(frame, send)
      }
      send()
    }
    await expect
      .poll(() => received.length === clients && Math.min(...received), { timeout: 30_000 })
      .toBeGreaterThan(20)
    const [least, most] = [Math.min(...received), Math.max(...received)]
    expect(most, `${received}`).toBeLessThan(10 * least)
  },
)

describe('a stream that is over within a frame', () => {
  const cut = Buffer.alloc(3000)
  cut.writeUInt32BE(4000)
  const ways: [string, (socket: PassThrough) => void][] = [
    ['ends', (socket) => socket.end()],
    ['breaks', (socket) => socket.destroy(new Error('reset'))],
    ['is closed', (socket) => socket.destroy()],
    ['brings what onBatch throws for', (socket) => socket.write(Buffer.alloc(1004))],
  ]

  it.each(ways)('gives the memory of the frame back at once when it %s', async (_, finish) => {
    const budget = new MemoryBudget(100_000)
    const reader = FrameReader.lengthDelimited({ maxFrameLength: 4004, budget })
    const socket = new PassThrough()
    const over = reader.attach(socket, () => {
      throw new Error('no frame is whole')
    })
    socket.write(cut)
    await expect.poll(() => reader.pending).toBe(3000)
    finish(socket)
    await over.catch(() => {})
    expect(budget.stats()).toMatchObject({ reservedBytes: 0, waiting: 0 })
    if (reader.pending > 0) {
      expect(() => reader.receive(cut)).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }))
      await expect(reader.attach(new PassThrough(), () => {})).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    }
    reader[Symbol.dispose]()
    expect(reader.pending).toBe(0)
  })

  it('does not take the batch from an onBatch that still works on it', async () => {
    const budget = new MemoryBudget(100_000)
    const reader = FrameReader.lengthDelimited({ maxFrameLength: 4004, budget })
    const socket = new PassThrough()
    let proceed = (): void => {}
    let payload = ''
    const over = reader.attach(socket, async (batch) => {
      await new Promise<void>((resolve) => {
        proceed = resolve
      })
      payload = Buffer.from(batch.payload(0)).toString()
    })
    socket.write(Buffer.concat([Buffer.from('\0\0\0\x04four'), cut]))
    await expect.poll(() => reader.pending).toBe(3000)
    socket.destroy()
    await expect(over).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    expect(budget.stats().reservedBytes).toBe(8)
    proceed()
    await expect.poll(() => payload).toBe('four')
    await expect.poll(() => budget.stats().reservedBytes).toBe(0)
  })

  it('at a boundary leaves the reader for another stream', async () => {
    const reader = FrameReader.lengthDelimited({ maxFrameLength: 4004, budget: new MemoryBudget(100_000) })
    let frames = 0
    for (let round = 0; round < 2; round++) {
      const socket = new PassThrough()
      const over = reader.attach(socket, ({ length }) => {
        frames += length
      })
      socket.end(Buffer.from('\0\0\0\x04four'))
      await over
    }
    expect(frames).toBe(2)
    reader[Symbol.dispose]()
  })
})

it('readers of five threads finish all frames with a budget of 1 MiB', () => {
  const server = `
    import { createServer } from 'node:net'
    import { parentPort, workerData } from 'node:worker_threads'
    import { adopt, FrameReader } from 'framepool'
    const budget = adopt(workerData)
    const server = createServer((socket) => {
      const reader = FrameReader.lengthDelimited({ maxFrameLength: 70_000, budget })
      reader.attach(socket, () => {}).catch((error) => socket.destroy(error))
    }).listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))
  `
  const output = runProgram(`
    ${WORKERS}
    import { connect } from 'node:net'
    import { MemoryBudget } from 'framepool'
    const budget = new MemoryBudget(1 << 20)
    const ports = []
    for (let count = 0; count < 5; count++) {
      const worker = start(${JSON.stringify(server)}, { workerData: budget.share() })
      ports.push((await once(worker, 'message'))[0])
    }
    const frame = Buffer.alloc(70_000)
    frame.writeUInt32BE(69_996)
    // Connections that stay idle keep the reserves of their threads.
    for (const port of ports) await once(connect(port, '127.0.0.1'), 'connect')
    for (const port of ports) {
      const socket = connect(port, '127.0.0.1').resume()
      socket.end(frame)
      await once(socket, 'close')
    }
    console.log('all', budget.stats().waiting)
    process.exit()
  `)
  expect(output).toBe('all 0\n')
})
