import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Disconnection, Relay, RelayBudget, RelayOptions, Verdict } from '../../../src/sv2/index.js'
import { DEBUG } from '../../support/debug-mode.js'
import {
  dial,
  echo,
  eventually,
  type OnBatch,
  PATIENCE_MS,
  type Peer,
  quiet,
  startPool,
} from '../../support/network.js'
import { pattern } from '../../support/pattern.js'
import { Random } from '../../support/random.js'
import { relayOptions, startRelay } from '../../support/relay.js'
import { Tally } from '../../support/tally.js'

const MIB = 1 << 20
/** The smallest budget of a relay, in bytes. */
const LEAST = MIB
/** Bytes that a connection takes when it is accepted: `FLOOR` in the core. */
const FLOOR = 36_864
/** Number of miners that read nothing. */
const MINERS = 25
const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Sends `payloads` in order, as the output accepts them. */
async function send({ session }: Peer, payloads: Iterable<Uint8Array>, tally = new Tally()): Promise<Tally> {
  for (const payload of payloads) {
    tally.add(1, payload)
    if (!session.send({ messageType: 1 }, payload)) await session.drained()
  }
  return tally
}

/** Counts the frames of each peer. */
function counting(): { count: OnBatch; of(peer: Peer): Tally } {
  const tallies = new Map<Peer, Tally>()
  const of = (peer: Peer): Tally => {
    if (!tallies.has(peer)) tallies.set(peer, new Tally())
    return tallies.get(peer)!
  }
  const count: OnBatch = (batch, peer) => {
    for (const { messageType, payload } of batch) of(peer).add(messageType, payload)
  }
  return { count, of }
}

async function established(port: number, count: number, onBatch?: OnBatch): Promise<Peer[]> {
  const miners = Array.from({ length: count }, () => dial(port, {}, onBatch))
  await eventually(() => expect(miners.every(({ session }) => session.state === 'transport')).toBe(true))
  return miners
}

/** Checks a relay's accounts now and every millisecond. `check()` throws the first fault found. */
function watched(relay: Relay): { check(): void } {
  let wrong: unknown = null
  const look = (): void => {
    const { memoryBytes, budget } = relay.stats()
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
  }
}

function reasonsOf(relay: Relay): string[] {
  const reasons: string[] = []
  relay.on('disconnect', ({ reason }) => reasons.push(reason))
  return reasons
}

/**
 * Starts miners that send frames of `length` bytes. There is memory for one frame at a time. The pool reads nothing, so
 * one miner keeps that memory and the others wait.
 */
async function stalled(length: number, options: Parameters<typeof startRelay>[1] = {}) {
  const { count, of } = counting()
  const pool = await startPool((batch, peer) => {
    count(batch, peer)
    peer.socket.pause()
  })
  const { relay, port } = await startRelay(pool.port, { maxMemory: LEAST, ...options })
  const miners = await established(port, 4)
  let enough = false
  const sending = miners.map(async (miner) => {
    const tally = new Tally()
    for (let index = 0; !enough && miner.session.state === 'transport'; index++) {
      await send(miner, [pattern(length, index)], tally).catch(() => {})
    }
    return tally
  })
  // The system's buffers take the first frames.
  for (let before = -1, stable = false; !stable; ) {
    await quiet()
    const { framesUpstream, connections, budget } = relay.stats()
    stable = framesUpstream === before && budget!.waiting >= connections - 1
    before = framesUpstream
  }
  enough = true
  return { relay, port, pool, miners, sending, received: of }
}

describe('a relay with a memory budget', { timeout: PATIENCE_MS }, () => {
  it('refuses miners above its room until one has gone', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port, { maxMemory: LEAST })
    const most = Math.floor(LEAST / 2 / FLOOR)
    const miners = await established(port, most)
    expect(relay.stats()).toMatchObject({ connections: most, rejected: 0 })
    expect(relay.stats().budget).toEqual<RelayBudget>({ limit: LEAST, reserved: most * FLOOR, waiting: 0 })
    const refused = dial(port)
    await eventually(() => expect(refused.closed).toBe(true))
    expect(relay.stats()).toMatchObject({ connections: most, connectionsTotal: most, rejected: 1 })
    await miners[0]!.end()
    await eventually(() => expect(relay.stats().connections).toBe(most - 1))
    const [next] = await established(port, 1)
    await send(next!, [pattern(100)])
    await eventually(() => expect(next!.frames).toEqual([{ messageType: 1, payload: pattern(100) }]))
  })

  it('divides its budget among the connections that it may have', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port, { maxMemory: LEAST, maxConnections: 1 })
    await established(port, 1)
    expect(relay.stats().budget!.reserved).toBeGreaterThan(LEAST / 4)
  })

  it('carries frames of all allowed sizes, and reserves nothing once they are through', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port, { maxMemory: 8 * MIB })
    const accounts = watched(relay)
    const [miner] = await established(port, 1)
    const payloads = [0, 1, 4057, 4058, 4059, 4096, 65_519, 65_520, 1_000_000, 3, 20_000].map((n) => pattern(n, n))
    const sent = await send(miner!, payloads)
    await eventually(() => expect(miner!.frames.length).toBe(payloads.length))
    const received = new Tally()
    for (const { messageType, payload } of miner!.frames) received.add(messageType, payload)
    expect(received.digest()).toBe(sent.digest())
    await eventually(() => expect(relay.stats().budget).toEqual({ limit: 8 * MIB, reserved: FLOOR, waiting: 0 }))
    accounts.check()
  })

  it('ends only the connection of a frame that it could never have room for', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port, { maxMemory: LEAST })
    const reasons = reasonsOf(relay)
    const [doomed, other] = await established(port, 2)
    // The relay may break the connection before all is sent.
    await send(doomed!, [pattern(100_000)]).catch(() => {})
    await eventually(() => expect(doomed!.closed).toBe(true))
    await eventually(() => expect(reasons).toEqual([expect.stringMatching(/needs \d+ bytes of memory .* has 262144$/)]))
    await send(other!, [pattern(30_000)])
    await eventually(() => expect(other!.frames.length).toBe(1))
  })

  it('lets large frames wait for room, and serves small frames meanwhile', async () => {
    const { relay, port, pool, miners, sending, received } = await stalled(30_000)
    const accounts = watched(relay)
    const [other] = await established(port, 1)
    await send(other!, [pattern(1000)])
    await eventually(() => expect(pool.peers.length).toBe(miners.length + 1))
    await eventually(() => expect(received(pool.peers.at(-1)!).frames).toBe(1))
    await quiet()
    expect(relay.stats().budget!.waiting).toBe(miners.length - 1)
    for (const { socket } of pool.peers) {
      socket.pause = () => socket
      socket.resume()
    }
    const sent = await Promise.all(sending)
    const digests = (tallies: Tally[]): string[] => tallies.map((tally) => tally.digest()).sort()
    await eventually(() =>
      expect(digests(pool.peers.slice(0, -1).map((peer) => received(peer)))).toEqual(digests(sent)),
    )
    expect(miners.every(({ closed }) => !closed)).toBe(true)
    accounts.check()
  })

  it('gives the memory of an ended connection to those that wait, and forgets a waiting one that ends', async () => {
    const { relay, pool } = await stalled(30_000)
    const accounts = watched(relay)
    for (const peer of pool.peers) {
      const before = relay.stats()
      peer.socket.resetAndDestroy()
      await eventually(() => expect(relay.stats().connections).toBe(before.connections - 1))
      await eventually(() => expect(relay.stats().budget!.waiting).toBeLessThanOrEqual(before.budget!.waiting - 1))
      if (relay.stats().budget!.waiting === 0) break
    }
    for (const peer of pool.peers) peer.socket.resetAndDestroy()
    await eventually(() => expect(relay.stats().budget).toEqual({ limit: LEAST, reserved: 0, waiting: 0 }))
    accounts.check()
  })

  it('closes while frames wait', async () => {
    const { relay } = await stalled(30_000)
    await relay.close({ drainMs: 100 })
    expect(relay.stats()).toMatchObject({ connections: 0, memoryBytes: 0, budget: { reserved: 0, waiting: 0 } })
  })

  it('does not treat a connection that waits for memory as idle', async () => {
    const { relay } = await stalled(30_000, { idleTimeoutMs: 1000 })
    const reasons = reasonsOf(relay)
    // A connection that has memory and moves nothing is idle, so that all get their turn.
    await eventually(() => expect(relay.stats().connections).toBe(0))
    expect(new Set(reasons)).toEqual(new Set(['idle timeout']))
  })

  it('has room for larger replacement payloads, as far as its budget reaches', async () => {
    const pool = await startPool()
    const sizes = new Map([
      [1, 3000],
      [2, 30_000],
      [3, 100_000],
    ])
    const { relay, port } = await startRelay(pool.port, {
      maxMemory: LEAST,
      onFrame: ({ messageType }) => pattern(sizes.get(messageType)!),
    })
    const accounts = watched(relay)
    const reasons = reasonsOf(relay)
    const [miner] = await established(port, 1)
    for (let round = 0; round < 10; round++) miner!.session.send({ messageType: 1 }, pattern(10))
    await eventually(() => expect(pool.peers[0]?.frames.length).toBe(10))
    miner!.session.send({ messageType: 2 }, pattern(10))
    await eventually(() => expect(pool.peers[0]?.frames.length).toBe(11))
    expect(pool.peers[0]!.frames.map(({ payload }) => payload.length)).toEqual([...new Array(10).fill(3000), 30_000])
    await eventually(() => expect(relay.stats().budget!.reserved).toBe(FLOOR))
    accounts.check()
    miner!.session.send({ messageType: 3 }, pattern(10))
    await eventually(() => expect(reasons).toEqual([expect.stringContaining("where the relay's budget has 262144")]))
  })

  it('never exceeds its budget, stops no connection forever and loses nothing, however the ends read', async () => {
    const random = new Random()
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port, { maxMemory: 3 * MIB })
    const accounts = watched(relay)
    const { count, of } = counting()
    const miners = await established(port, 12, count)
    const sending = miners.map((miner) => {
      const sizes = Array.from({ length: 60 }, () => random.below(random.below(2) === 0 ? 150_000 : 3000))
      return send(
        miner,
        sizes.map((size) => pattern(size, size)),
      )
    })
    const lazy = setInterval(() => {
      for (const { socket } of [...miners, ...pool.peers]) {
        if (random.below(2) === 0) socket.pause()
        else socket.resume()
      }
    }, 5)
    onTestFinished(() => clearInterval(lazy))
    await quiet()
    clearInterval(lazy)
    // The echo's own output moves only when it is drained.
    for (const { socket } of [...miners, ...pool.peers]) socket.resume()
    const sent = await Promise.all(sending)
    await eventually(() =>
      expect(
        miners.every((miner) => of(miner).frames === 60),
        random.origin,
      ).toBe(true),
    )
    expect(
      miners.map((miner) => of(miner).digest()),
      random.origin,
    ).toEqual(sent.map((tally) => tally.digest()))
    accounts.check()
  })
})

describe('frames that wait for a promised verdict', { timeout: PATIENCE_MS }, () => {
  /** Starts a relay whose hook answers when the test says so, and at once after `hook.open`. */
  async function asking(options: Partial<RelayOptions> = {}) {
    const { count, of } = counting()
    const pool = await startPool(count)
    const hook = { open: false }
    const asked: { id: number; settle: (verdict: unknown) => void; reject: (error: Error) => void }[] = []
    const { relay, port } = await startRelay(pool.port, {
      maxMemory: LEAST,
      onFrame: (_frame, _direction, { id }) =>
        hook.open
          ? 'forward'
          : new Promise<Verdict>((resolve, reject) => {
              asked.push({ id, settle: resolve as (verdict: unknown) => void, reject })
            }),
      ...options,
    })
    return { pool, relay, port, hook, asked, received: of, accounts: watched(relay) }
  }

  it('keep their memory of the budget, and others wait for it', async () => {
    const { pool, relay, port, asked, received, accounts } = await asking()
    const miners = await established(port, 4)
    // There is memory for one frame of this length at a time.
    const sending = miners.map((miner, index) =>
      send(
        miner,
        [0, 1, 2].map((round) => pattern(30_000, 10 * index + round)),
      ),
    )
    for (let settled = 0; settled < 12; settled++) {
      await eventually(() => expect(asked.length).toBe(settled + 1))
      const left = new Set(miners.map((_, index) => index + 1))
      for (const id of left) if (asked.filter((frame) => frame.id === id).length === 3) left.delete(id)
      left.delete(asked[settled]!.id)
      await eventually(() => expect(relay.stats().budget!.waiting).toBe(left.size))
      expect(relay.stats().budget!.reserved).toBeGreaterThan(miners.length * FLOOR + 30_000)
      expect(asked.length).toBe(settled + 1)
      asked[settled]!.settle('forward')
    }
    const sent = await Promise.all(sending)
    const digests = (tallies: Tally[]): string[] => tallies.map((tally) => tally.digest()).sort()
    await eventually(() => expect(digests(pool.peers.map((peer) => received(peer)))).toEqual(digests(sent)))
    await eventually(() =>
      expect(relay.stats().budget).toEqual({ limit: LEAST, reserved: miners.length * FLOOR, waiting: 0 }),
    )
    accounts.check()
  })

  it('take no more than the share of their connection if they are small, however many come', async () => {
    const { pool, relay, port, hook, asked, received, accounts } = await asking()
    const [miner] = await established(port, 1)
    let sent = 0
    const tally = new Tally()
    const sending = send(
      miner!,
      (function* () {
        for (; sent < 5_000; sent++) yield pattern(1_000, sent)
      })(),
      tally,
    )
    await eventually(() => expect(asked.length).toBe(1))
    for (let before = -1; before !== sent; await quiet()) before = sent
    // The buffers of the system are full, and the miner has to wait.
    expect(sent).toBeLessThan(5_000)
    expect(asked.length).toBe(1)
    expect(relay.stats().budget).toEqual({ limit: LEAST, reserved: FLOOR, waiting: 0 })
    hook.open = true
    asked[0]!.settle('forward')
    await sending
    await eventually(() => expect(received(pool.peers[0]!).frames).toBe(5_000))
    expect(received(pool.peers[0]!).digest()).toBe(tally.digest())
    accounts.check()
  })

  it.each([
    ['rejects', (frame: { reject(error: Error): void }) => frame.reject(new Error('no database'))],
    ['is none', (frame: { settle(verdict: unknown): void }) => frame.settle('forwards')],
  ])('end their connection if the verdict %s, behind the frames that came before', async (_, end) => {
    const { pool, relay, port, asked, received, accounts } = await asking()
    const ends: Disconnection[] = []
    relay.on('disconnect', (disconnection) => ends.push(disconnection))
    const [miner, other] = await established(port, 2)
    await send(miner!, [pattern(30_000), pattern(30_000), pattern(30_000)])
    await eventually(() => expect(asked.length).toBe(1))
    asked[0]!.settle('forward')
    await eventually(() => expect(asked.length).toBe(2))
    end(asked[1]!)
    await eventually(() => expect(ends).toMatchObject([{ id: asked[0]!.id, code: 'USER_CODE', framesUpstream: 1 }]))
    await eventually(() => expect(received(pool.peers[0]!).frames).toBe(1))
    await eventually(() => expect(relay.stats().budget).toEqual({ limit: LEAST, reserved: FLOOR, waiting: 0 }))
    await send(other!, [pattern(30_000)])
    await eventually(() => expect(asked.length).toBe(3))
    asked[2]!.settle('drop')
    accounts.check()
  })

  it('are given up with their connection after idleTimeoutMs if the promise never settles', async () => {
    const { relay, port, asked, accounts } = await asking({ idleTimeoutMs: 1000 })
    const ends: Disconnection[] = []
    relay.on('disconnect', (disconnection) => ends.push(disconnection))
    const [miner] = await established(port, 1)
    await send(miner!, [pattern(30_000), pattern(30_000)])
    await eventually(() => expect(asked.length).toBe(1))
    await eventually(() => expect(ends).toMatchObject([{ code: 'IDLE_TIMEOUT', framesUpstream: 0 }]))
    await eventually(() => expect(relay.stats().budget).toEqual({ limit: LEAST, reserved: 0, waiting: 0 }))
    // Too late: this changes nothing.
    asked[0]!.settle('forward')
    await quiet()
    expect(asked.length).toBe(1)
    expect(relay.stats()).toMatchObject({ connections: 0, framesUpstream: 0, memoryBytes: 0 })
    accounts.check()
  })
})

/** Program that runs a relay, which leaves miners alone that read nothing, in a separate process and checks its accounts all the time. */
const RELAY = `
  import { createRelay } from './dist/src/sv2/index.js'
  const relay = createRelay(JSON.parse(process.argv[1]))
  let [peak, peakRss, held] = [0, 0, true]
  setInterval(() => {
    const { memoryBytes, budget } = relay.stats()
    peak = Math.max(peak, memoryBytes)
    held &&= memoryBytes <= budget.reserved && budget.reserved <= budget.limit
    peakRss = Math.max(peakRss, process.memoryUsage.rss())
  }, 2)
  process.stdin.on('data', () => {
    const { connections, budget } = relay.stats()
    console.log(JSON.stringify({ connections, ...budget, peak, held, peakRss, rss: process.memoryUsage.rss() }))
  })
  console.log((await relay.listen()).port)`

interface Report extends RelayBudget {
  connections: number
  peak: number
  held: boolean
  peakRss: number
  rss: number
}

async function relayProcess(poolPort: number, maxMemory: number) {
  const args = [
    '--input-type=module',
    '-e',
    RELAY,
    JSON.stringify(relayOptions(poolPort, { maxMemory, minBytesPerSecond: 0 })),
  ]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => {
    child.kill()
  })
  const lines = createInterface(child.stdout)
  const [port] = await once(lines, 'line')
  const report = async (): Promise<Report> => {
    child.stdin.write('?')
    return JSON.parse((await once(lines, 'line'))[0])
  }
  return { port: Number(port), report }
}

describe('many miners that read nothing', { timeout: 4 * PATIENCE_MS }, () => {
  it('take no more than the budget of a relay', async () => {
    const limit = 12 * MIB
    const pool = await startPool()
    const relay = await relayProcess(pool.port, limit)
    const { count, of } = counting()
    const miners = await established(relay.port, MINERS, count)
    // With its first frame, each gets its connection to the pool.
    for (const miner of miners) await send(miner, [pattern(1)])
    await eventually(() => expect(pool.peers.length).toBe(miners.length))
    await eventually(() => expect(pool.peers.every(({ frames }) => frames.length === 1)).toBe(true))
    const before = await relay.report()
    for (const { socket } of miners) socket.pause()
    let enough = false
    const sending = pool.peers.map(async (peer, index) => {
      const tally = new Tally()
      for (let frame = 0; !enough; frame++) await send(peer, [pattern(1_000_000, index + frame)], tally)
      return tally
    })
    let report = before
    while (report.waiting < MINERS / 2) report = await relay.report()
    await quiet()
    enough = true
    for (const { socket } of miners) socket.resume()
    const sent = (await Promise.all(sending)).map((tally) => tally.digest()).sort()
    await eventually(() => expect(miners.map((miner) => of(miner).digest()).sort()).toEqual(sent))
    while (report.waiting > 0 || report.reserved > MINERS * FLOOR) report = await relay.report()
    expect(report).toMatchObject({ connections: MINERS, held: true, limit, reserved: MINERS * FLOOR })
    expect(report.peak).toBeGreaterThan(2 * MIB)
    // The bound allows for one batch, spare buffers and Node's own memory for sockets besides the budget.
    // Debug mode keeps freed memory.
    if (!DEBUG) expect(report.peakRss - before.rss).toBeLessThan(limit + 40 * MIB)
  })
})
