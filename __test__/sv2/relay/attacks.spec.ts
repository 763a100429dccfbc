import { connect, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type RelayRefusals, Sv2Session } from '../../../src/sv2/index.js'
import {
  begin,
  connectThrough,
  dial,
  echo,
  eventually,
  PATIENCE_MS,
  type Peer,
  startPool,
} from '../../support/network.js'
import { pattern } from '../../support/pattern.js'
import { Random } from '../../support/random.js'
import { startRelay } from '../../support/relay.js'
import { authority, drain } from '../../support/sessions.js'
import { raw } from '../../support/sockets.js'

const GRACE_MS = 2_000

const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms)
  })

/** Connects a client that can send anything. `wire` returns the bytes of a frame. */
async function attacker(port: number): Promise<{ socket: Socket; wire: (length: number) => Buffer }> {
  const socket = raw(port)
  const session = Sv2Session.initiator({ authorityPublicKey: authority.authorityPublicKey })
  onTestFinished(() => session.close())
  socket.write(drain(session))
  await new Promise<void>((resolve, reject) => {
    socket.on('close', () => reject(new Error('the relay has closed the connection')))
    socket.on('data', (chunk) => {
      if (session.state !== 'handshake') return
      session.receive(chunk)
      resolve()
    })
  })
  return {
    socket,
    wire: (length) => {
      session.send({ messageType: 1 }, Buffer.alloc(length))
      return drain(session)
    },
  }
}

/** Attacks by name, with the reason that each is counted for. */
const ATTACKS: Record<string, [keyof RelayRefusals, (port: number, random: Random) => Promise<void>]> = {
  'says nothing': [
    'handshakeTimeout',
    async (port) => {
      raw(port)
    },
  ],
  'shakes hands slowly': [
    'handshakeTimeout',
    async (port, random) => {
      const socket = raw(port)
      for (let byte = 0; byte < 64 && !socket.destroyed; byte++) {
        socket.write(random.bytes(1))
        await sleep(500)
      }
    },
  ],
  'sends garbage': [
    'foreign',
    async (port, random) => {
      raw(port).write(random.bytes(500))
    },
  ],
  'stops behind a large header': [
    'slowFrame',
    async (port) => {
      const { socket, wire } = await attacker(port)
      socket.write(wire(900_000).subarray(0, 22))
    },
  ],
  'sends a frame byte by byte': [
    'slowFrame',
    async (port) => {
      const { socket, wire } = await attacker(port)
      for (const byte of wire(900_000)) {
        if (socket.destroyed) return
        socket.write(Buffer.from([byte]))
        await sleep(50)
      }
    },
  ],
  'breaks off in the middle of a frame': [
    'cutFrame',
    async (port) => {
      const { socket, wire } = await attacker(port)
      socket.write(wire(50_000).subarray(0, 20_000))
      await sleep(100)
      socket.resetAndDestroy()
    },
  ],
  'reads nothing': [
    'slowReader',
    async (port) => {
      const { socket, wire } = await attacker(port)
      socket.pause()
      while (!socket.destroyed) {
        if (socket.writableLength < 4_000_000) socket.write(wire(200_000))
        await sleep(1)
      }
    },
  ],
  'sends empty frames': [
    'frameRate',
    async (port) => {
      const { socket, wire } = await attacker(port)
      const frames = Buffer.concat(Array.from({ length: 3_000 }, () => wire(0)))
      socket.resume()
      socket.write(frames)
    },
  ],
}

/** Sends frames one after another, each when the last has come back. Returns how many there were. */
async function work(miner: Peer, until: () => boolean): Promise<number> {
  let count = 0
  while (!until()) {
    const payload = pattern(100 + (count % 50), count)
    miner.session.send({ messageType: 1 }, payload)
    await eventually(() => expect(miner.frames.length).toBe(1))
    expect(miner.frames[0]!.payload.equals(payload)).toBe(true)
    miner.frames.length = 0
    count++
  }
  return count
}

describe('a relay under attack', { timeout: 5 * PATIENCE_MS }, () => {
  it('lets honest miners in among 2,000 clients that connect at once and never finish a handshake', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port, { maxHandshakes: 1_000, maxConnectionsPerSecond: 10_000 })
    const random = new Random()
    const miners: Promise<Peer>[] = []
    for (let client = 0; client < 2_000; client++) {
      raw(port).write(random.bytes(64))
      if (client % 200 === 100) miners.push(begin(port))
      // Those that have connected send their bytes.
      if (client % 100 === 99) await new Promise(setImmediate)
    }
    for (const { frames } of await Promise.all(miners)) await eventually(() => expect(frames.length).toBe(1))
    expect(relay.stats().refused.handshakes).toBeGreaterThan(0)
  })

  it('loses nothing of honest miners under attacks of every kind at once, and counts each attack', async () => {
    const random = new Random()
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port, {
      handshakeTimeoutMs: 5_000,
      graceMs: GRACE_MS,
      minBytesPerSecond: 500,
      maxFramesPerSecond: 1_000,
      maxMemory: 16 << 20,
    })
    const miners: Peer[] = []
    for (let index = 0; index < 10; index++) miners.push((await connectThrough(port, pool, true)).miner)
    let over = false
    const working = miners.map((miner) => work(miner, () => over))
    const missing = (): string[] =>
      Object.values(ATTACKS).flatMap(([reason]) => (relay.stats().refused[reason] === 0 ? [reason] : []))
    const attacks = Object.values(ATTACKS).flatMap(([reason, attack]) =>
      [1, 2].map(async () => {
        while (!over && relay.stats().refused[reason] === 0) {
          // The relay may end it at any point.
          await attack(port, random).catch(() => {})
          await sleep(1_000)
        }
      }),
    )
    const { limit } = relay.stats().budget
    const looking = setInterval(() => expect(relay.stats().memoryBytes).toBeLessThanOrEqual(limit), 20)
    onTestFinished(() => clearInterval(looking))
    for (const end = Date.now() + 3 * PATIENCE_MS; missing().length > 0 && Date.now() < end; ) await sleep(100)
    expect(missing(), random.origin).toEqual([])
    over = true
    for (const count of await Promise.all(working)) expect(count).toBeGreaterThan(0)
    await Promise.all(attacks)
    expect(miners.every(({ closed }) => !closed)).toBe(true)
    expect([...relay.connections()].filter(({ id }) => id <= 10).length).toBe(10)
  })
})

describe('a limit on connections', { timeout: PATIENCE_MS }, () => {
  it('refuses more connections of one address', async () => {
    const { relay, port } = await startRelay(1, { maxConnectionsPerAddress: 2 })
    const miners = Array.from({ length: 4 }, () => dial(port))
    await eventually(() => expect(miners.filter(({ closed }) => closed).length).toBe(2))
    expect(relay.stats()).toMatchObject({ connections: 2, rejected: 2, refused: { address: 2 } })
    const other = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.5' })
    onTestFinished(() => {
      other.destroy()
    })
    await eventually(() => expect(relay.stats().connections).toBe(3))
  })

  it('refuses connections that come too fast, and tells of that', async () => {
    const { relay, port } = await startRelay(1, { maxConnectionsPerSecond: 1 })
    const told: { reason: string; count: number }[] = []
    relay.on('refused', (refusal) => told.push(refusal))
    for (let index = 0; index < 30; index++) raw(port)
    await eventually(() => expect(relay.stats().refused.connectionRate).toBeGreaterThan(10))
    expect(relay.stats().connectionsTotal).toBeGreaterThanOrEqual(10)
    await eventually(() => expect(told[0]).toMatchObject({ reason: 'connectionRate' }))
  })

  it('tells of every refusal, the last ones of a crowd included', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port, { maxConnections: 1 })
    await connectThrough(port, pool, true)
    let [told, events] = [0, 0]
    relay.on('refused', ({ reason, count }) => {
      expect(reason).toBe('connections')
      told += count
      events++
    })
    const begun = performance.now()
    for (let index = 0; index < 40; index++) raw(port)
    await eventually(() => expect([relay.stats().refused.connections, told]).toEqual([40, 40]))
    // At most one a second, and the first at once.
    expect(events).toBeLessThanOrEqual(2 + (performance.now() - begun) / 1000)
    // Those of the last second are told when the relay closes.
    for (let index = 0; index < 5; index++) raw(port)
    await eventually(() => expect(relay.stats().refused.connections).toBe(45))
    await relay.close({ drainMs: 0 })
    expect(told).toBe(45)
  })

  it('ends a silent connection for a new one after two seconds', async () => {
    const { relay, port } = await startRelay(1, { maxConnections: 2 })
    const codes: [number, string][] = []
    relay.on('disconnect', ({ id, code }) => codes.push([id, code]))
    raw(port)
    raw(port)
    await eventually(() => expect(relay.stats().connections).toBe(2))
    raw(port)
    await eventually(() => expect(relay.stats().refused.connections).toBe(1))
    expect(codes).toEqual([])
    await sleep(2100)
    raw(port)
    await eventually(() => expect(codes).toEqual([[1, 'HANDSHAKE_LIMIT']]))
    expect(relay.stats()).toMatchObject({ connections: 2, rejected: 1 })
  })

  it('ends the oldest connection in its handshake, and leaves those alone that are through', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port, { maxHandshakes: 3 })
    const { miner } = await connectThrough(port, pool, true)
    const codes: [number, string][] = []
    relay.on('disconnect', ({ id, code }) => codes.push([id, code]))
    for (let index = 0; index < 5; index++) {
      raw(port)
      await eventually(() => expect(relay.stats().connectionsTotal).toBe(index + 2))
    }
    await eventually(() =>
      expect(codes).toEqual([
        [2, 'HANDSHAKE_LIMIT'],
        [3, 'HANDSHAKE_LIMIT'],
      ]),
    )
    const late = await begin(port)
    await eventually(() => expect(late.frames.length).toBe(1))
    expect(miner.closed).toBe(false)
  })
})
