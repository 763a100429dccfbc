import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { expect, it } from 'vitest'
import { FrameReader, MemoryBudget } from '../../index.js'
import { Random } from '../support/random.js'

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
