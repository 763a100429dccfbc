import { createHash } from 'node:crypto'
import { expect, it, onTestFinished } from 'vitest'
import { createRelay, type Relay, type RelayOptions } from '../src/sv2/index.js'
import { codeOf } from './support/code-of.js'
import { dial, echo, eventually, keep, PATIENCE_MS, type Peer, quiet, startPool, type TestPool } from './support/network.js'
import { pattern } from './support/pattern.js'
import { Random } from './support/random.js'
import { relayOptions, startRelay } from './support/relay.js'
import { residentMemory } from './support/resident-memory.js'
import type { FrameCopy } from './support/sessions.js'

const MIB = 1 << 20
/** What a connection takes of a budget when it is accepted: see `FLOOR` in the core. */
const FLOOR = 36_864

const waits = { timeout: PATIENCE_MS }
const long = { timeout: 2 * PATIENCE_MS }

/** Looks at a relay's accounts all the time; `check()` looks again, and throws what was wrong with any of them. */
function watch(relay: Relay): { check(): void; peak(): number } {
  let wrong: unknown = null
  let peak = 0
  const look = (): void => {
    const { memoryBytes, budget } = relay.stats()
    peak = Math.max(peak, memoryBytes)
    try {
      expect(memoryBytes).toBeLessThanOrEqual(budget!.reserved)
      expect(budget!.reserved).toBeLessThanOrEqual(budget!.limit)
    } catch (error) {
      wrong ??= error
    }
  }
  const timer = setInterval(look, 1)
  onTestFinished(() => clearInterval(timer))
  return {
    check() {
      look()
      if (wrong !== null) throw wrong
    },
    peak: () => peak,
  }
}

async function connected(port: number, count: number, options = {}): Promise<Peer[]> {
  const miners = Array.from({ length: count }, () => dial(port, options))
  await eventually(() => expect(miners.every(({ session }) => session.state === 'transport')).toBe(true))
  return miners
}

/** The pool's peers, in the order of `miners`: each tells its own with its first frame. */
async function peersOf(miners: Peer[], pool: TestPool): Promise<Peer[]> {
  for (const [index, miner] of miners.entries()) miner.session.send({ messageType: 0xff }, Buffer.from(`${index}`))
  await eventually(() => expect(pool.peers.filter(({ frames }) => frames.length === 1).length).toBe(miners.length))
  const peers = new Array<Peer>(miners.length)
  for (const peer of pool.peers) peers[Number(peer.frames.pop()!.payload.toString())] = peer
  return peers
}

function digest(frames: FrameCopy[]): string {
  const hash = createHash('sha256')
  for (const { messageType, payload } of frames) hash.update(Uint8Array.of(messageType)).update(payload)
  return hash.digest('hex')
}

async function through(port: number, pool: TestPool): Promise<void> {
  const frames = pool.peers.length
  const [miner] = await connected(port, 1)
  await eventually(() => expect(pool.peers.length).toBe(frames + 1))
  await miner!.sendAll([{ messageType: 1, payload: pattern(100) }])
  await eventually(() => expect(pool.peers.at(-1)!.frames.length).toBe(1))
  await miner!.end()
}

it('holds for many miners that read nothing, and loses nothing of what they are sent', long, async () => {
  const limit = 16 * MIB
  const count = 120
  const pool = await startPool()
  const { relay, port } = await startRelay(pool.port, { maxMemory: limit })
  const miners = await connected(port, count)
  const peers = await peersOf(miners, pool)
  const accounts = watch(relay)
  const before = residentMemory()
  for (const { socket } of miners) socket.pause()
  // The sockets between take the first few of them.
  const sent = peers.map((_, miner) =>
    Array.from({ length: 9 }, (_, index) => ({ messageType: index, payload: pattern(1_000_000, miner + index) })),
  )
  const sending = Promise.all(peers.map((peer, index) => peer.sendAll(sent[index]!)))
  await eventually(() => expect(relay.stats().budget!.waiting).toBeGreaterThan(50))
  await quiet()
  accounts.check()
  // Small frames go on both ways meanwhile, and new miners are served.
  await through(port, pool)
  accounts.check()
  expect(accounts.peak()).toBeGreaterThan(2 * MIB)

  for (const { socket } of miners) socket.resume()
  await sending
  await eventually(() => expect(miners.every(({ frames }) => frames.length === 9)).toBe(true))
  expect(miners.map(({ frames }) => digest(frames))).toEqual(sent.map(digest))
  accounts.check()
  await eventually(() => expect(relay.stats().budget).toEqual({ limit, reserved: count * FLOOR, waiting: 0 }))
  console.log('resident', (residentMemory() - before) / MIB)
})
