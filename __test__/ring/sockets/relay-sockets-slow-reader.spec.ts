import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import type { Cost, Way } from '../../../benchmark/relay-process.js'
import { listening } from '../../support/network.js'
import { Random } from '../../support/random.js'
import { accept } from '../../support/sockets.js'

const MIB = 2 ** 20
/** Bytes in each direction. More bytes test more and take longer: the slow reader needs about 15 s for each GB. */
const BYTES = Number(process.env.FRAMEPOOL_RELAY_BYTES ?? 192 * MIB)
/** Does not divide the size of a ring, so that misplaced bytes show. */
const PIECE = 65_521

/** Sends `BYTES` bytes and returns their hash. */
async function send(socket: Socket, random: Random): Promise<string> {
  const piece = random.bytes(2 * PIECE)
  const hash = createHash('sha256')
  for (let sent = 0, length: number; sent < BYTES; sent += length) {
    length = Math.min(PIECE, BYTES - sent)
    const bytes = piece.subarray(random.below(PIECE)).subarray(0, length)
    hash.update(bytes)
    if (!socket.write(bytes)) await once(socket, 'drain')
  }
  socket.end()
  return hash.digest('hex')
}

/** Reads to the end and returns the hash. Sleeps for `sleepMs` after every 2 MiB. */
async function receive(socket: Socket, sleepMs: number): Promise<string> {
  const hash = createHash('sha256')
  let length = 0
  let awake = 0
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    hash.update(chunk)
    length += chunk.length
    awake += chunk.length
    if (sleepMs > 0 && awake >= 2 * MIB) {
      awake = 0
      await sleep(sleepMs)
    }
  }
  expect(length).toBe(BYTES)
  return hash.digest('hex')
}

it('relays both directions at once, one to a slow reader, and holds no more than its rings', async () => {
  const random = new Random()
  const server = createServer({ allowHalfOpen: true })
  const target = await listening(server)
  const way: Way = { ringBytes: MIB / 2 }
  const relay = fork(
    fileURLToPath(new URL('../../../dist/benchmark/relay-process.js', import.meta.url)),
    [way, target].map((argument) => JSON.stringify(argument)),
  )
  onTestFinished(() => {
    relay.kill()
  })
  const [port] = (await once(relay, 'message')) as [number]
  const cost = once(relay, 'message') as Promise<[Cost]>
  const dialled = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const { accepted: right, dialled: left } = await accept(server, dialled)
  const [fromLeft, fromRight, atLeft, atRight] = await Promise.all([
    send(left, random),
    send(right, random),
    receive(left, 0),
    receive(right, 25),
  ])
  expect(atRight, random.origin).toBe(fromLeft)
  expect(atLeft, random.origin).toBe(fromRight)
  const [{ rssGrowthBytes, longestStallMs }] = await cost
  console.log(
    `${BYTES} bytes each way: the relay grew by ${(rssGrowthBytes / MIB).toFixed(1)} MiB, ` +
      `its longest stall was ${longestStallMs.toFixed(1)} ms`,
  )
  // The limit covers two rings and Node's needs. The bytes that the slow reader has not read would be far more.
  expect(rssGrowthBytes).toBeLessThan(32 * MIB)
}, 600_000)
