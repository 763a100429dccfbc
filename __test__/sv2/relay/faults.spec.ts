import { createServer, type Socket } from 'node:net'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { generateAuthorityKeypair, type Relay, Sv2Session } from '../../../src/sv2/index.js'
import { codeOf } from '../../support/code-of.js'
import {
  begin,
  connectThrough,
  dial,
  echo,
  eventually,
  listening,
  type OnBatch,
  PATIENCE_MS,
  type Peer,
  quiet,
  startPool,
  type TestPool,
} from '../../support/network.js'
import { pattern } from '../../support/pattern.js'
import { Random } from '../../support/random.js'
import { startRelay } from '../../support/relay.js'
import { residentMemory } from '../../support/resident-memory.js'
import { authority, drain, strangers } from '../../support/sessions.js'
import { raw } from '../../support/sockets.js'
import { Tally } from '../../support/tally.js'

const HANDSHAKE_TIMEOUT_MS = 300
/** Certificates have a tolerance of 10 s, and clocks count whole seconds. */
const BEYOND_LEEWAY_MS = 11_100
/** Most bytes that one miner may hold in the relay. */
const HELD_AT_MOST = 1 << 20
/** Bytes. Many times more than the sockets between two ends hold. */
const FAR_TOO_MUCH = 100_000_000

/** Starts before the other tests and is checked after them, so that the wait costs little. */
let late: { initiator: Sv2Session; act2: Buffer; elapsed: Promise<void> }

beforeAll(() => {
  const { initiator } = strangers()
  const responder = Sv2Session.responder({ ...authority, certificateValiditySeconds: 0 })
  responder.receive(drain(initiator))
  const elapsed = new Promise<void>((resolve) => {
    setTimeout(resolve, BEYOND_LEEWAY_MS)
  })
  late = { initiator, act2: drain(responder), elapsed }
})

/** Collects the reasons for which `relay` ends connections from now on. */
function reasonsOf(relay: Relay): string[] {
  const reasons: string[] = []
  relay.on('disconnect', ({ reason }) => reasons.push(reason))
  return reasons
}

async function established(port: number, onBatch?: OnBatch): Promise<Peer> {
  const miner = dial(port, {}, onBatch)
  await eventually(() => expect(miner.session.state).toBe('transport'))
  return miner
}

/** Sends a few frames through the relay, and waits for their echoes. */
async function expectServed(miner: Peer): Promise<void> {
  const before = miner.frames.length
  const sent = [0, 1, 2].map((index) => ({ messageType: index, payload: pattern(100, before + index) }))
  await miner.sendAll(sent)
  await eventually(() => expect(miner.frames.length).toBe(before + sent.length))
  expect(miner.frames.slice(before)).toEqual(sent)
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve()
    else socket.once('close', () => resolve())
  })
}

describe('limits', { timeout: PATIENCE_MS }, () => {
  it('refuses miners above maxConnections, until one has gone', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port, { maxConnections: 2 })
    const [first, second] = [await established(port), await established(port)]
    await closed(raw(port))
    await closed(raw(port))
    expect(relay.stats()).toMatchObject({ connections: 2, connectionsTotal: 2, rejected: 2, handshakeFailures: 0 })
    await first.end()
    await eventually(() => expect(relay.stats().connections).toBe(1))
    await expectServed(await established(port))
    await expectServed(second)
  })

  it.each([
    ['says nothing', 0],
    ['stops in its first message', 63],
  ])('ends a handshake in which the miner %s', async (_, bytes) => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port, { handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS })
    const reasons = reasonsOf(relay)
    const miner = await established(port)
    await expectServed(miner)
    const silent = raw(port)
    silent.write(pattern(bytes))
    await closed(silent)
    await eventually(() =>
      expect(reasons).toEqual([`handshake timeout: downstream sent ${bytes} of the 64 bytes of its first message`]),
    )
    expect(relay.stats()).toMatchObject({ connections: 1, handshakeFailures: 1 })
    await expectServed(miner)
  })

  it('ends a handshake in which the pool is silent', async () => {
    const silent = createServer((socket) => socket.on('error', () => {}))
    const { relay, port } = await startRelay(await listening(silent), { handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS })
    const reasons = reasonsOf(relay)
    const miner = await begin(port)
    await eventually(() => expect(miner.closed).toBe(true))
    await eventually(() =>
      expect(reasons).toEqual(['handshake timeout: upstream sent 0 of the 234 bytes of its first message']),
    )
    expect(relay.stats()).toMatchObject({ connections: 0, handshakeFailures: 1, memoryBytes: 0 })
  })

  it('keeps a connection whose handshakes finish in time', async () => {
    const pool = await startPool(echo)
    // A busy machine takes its time for handshakes.
    const handshakeTimeoutMs = 3000
    const { port } = await startRelay(pool.port, { handshakeTimeoutMs })
    const miner = await established(port)
    await expectServed(miner)
    await new Promise((resolve) => {
      setTimeout(resolve, handshakeTimeoutMs + 500)
    })
    await expectServed(miner)
  })

  it('ends a connection on which nothing moves for idleTimeoutMs', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port, { idleTimeoutMs: 500 })
    const reasons = reasonsOf(relay)
    const [idle, busy] = [await established(port), await established(port)]
    const work = setInterval(() => busy.session.send({ messageType: 1 }, pattern(10)), 20)
    onTestFinished(() => clearInterval(work))
    await eventually(() => expect(idle.closed).toBe(true))
    expect([reasons, busy.closed]).toEqual([['idle timeout'], false])
    clearInterval(work)
    await eventually(() => expect(busy.closed).toBe(true))
    expect(relay.stats()).toMatchObject({ connections: 0, handshakeFailures: 0, memoryBytes: 0 })
  })

  it('does not treat a connection as idle that it does not read because of its rate', async () => {
    const pool = await startPool(echo)
    const { port } = await startRelay(pool.port, { idleTimeoutMs: 500, maxFramesPerSecond: 20 })
    const miner = dial(port)
    await miner.session.established()
    // A second's worth may come at once. For what is over, more waits three seconds, in which nothing moves.
    const work = setInterval(() => {
      if (!miner.closed) miner.session.send({ messageType: 1 }, pattern(10))
    }, 50)
    onTestFinished(() => clearInterval(work))
    for (let sent = 0; sent < 80; sent++) miner.session.send({ messageType: 1 }, pattern(10))
    await eventually(() => expect(miner.frames.length).toBeGreaterThanOrEqual(81))
    expect(miner.closed).toBe(false)
  })
})

describe('the pool', { timeout: PATIENCE_MS }, () => {
  it('is not trusted with another key', async () => {
    const pool = await startPool(echo)
    const upstream = { host: '127.0.0.1', port: pool.port, authorityPublicKey: generateAuthorityKeypair().publicKey }
    const { relay, port } = await startRelay(pool.port, { upstream })
    const reasons = reasonsOf(relay)
    const miner = await begin(port)
    await eventually(() => expect(miner.closed).toBe(true))
    await eventually(() => expect(reasons).toEqual([expect.stringContaining('certificate')]))
    expect(relay.stats()).toMatchObject({ connections: 0, handshakeFailures: 1, framesUpstream: 0 })
  })

  it('is trusted with any key if no key is given', async () => {
    const pool = await startPool(echo)
    const { port } = await startRelay(pool.port, { upstream: { host: '127.0.0.1', port: pool.port } })
    await expectServed(await established(port))
  })

  it('ends its miners when it goes away, and serves new ones when it returns', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port)
    const reasons = reasonsOf(relay)
    const miners = [await established(port), await established(port)]
    // The handshake with the pool follows the one with the miner.
    for (const miner of miners) await expectServed(miner)
    await kill(pool)
    await eventually(() => expect(miners.map((miner) => miner.closed)).toEqual([true, true]))

    const refused = await begin(port)
    await eventually(() => expect(refused.closed).toBe(true))
    await eventually(() => expect(reasons.at(-1)).toContain('ECONNREFUSED'))
    expect(relay.stats()).toMatchObject({ connections: 0, connectionsTotal: 3, handshakeFailures: 1 })

    await new Promise<void>((resolve) => {
      pool.server.listen(pool.port, '127.0.0.1', resolve)
    })
    await expectServed(await established(port))
  })

  it.each(['reset', 'closed'])('whose connection is %s in mid-stream loses that miner alone', async (how) => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port)
    const reasons = reasonsOf(relay)
    const { miner: doomed } = await connectThrough(port, pool, true)
    const other = await established(port)
    const sending = flood(doomed, () => doomed.closed)
    await eventually(() => expect(doomed.frames.length).toBeGreaterThan(100))
    if (how === 'reset') pool.peers[0]!.socket.resetAndDestroy()
    else pool.peers[0]!.socket.destroy()
    await sending
    await eventually(() => expect(relay.stats().connections).toBe(1))
    await eventually(() => expect(reasons).toEqual([expect.stringContaining('upstream')]))
    await expectServed(other)
    await expectServed(await established(port))
  })

  it('loses only the miner to which it sends garbage', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port)
    const reasons = reasonsOf(relay)
    const { miner: doomed } = await connectThrough(port, pool, true)
    const other = await established(port)
    pool.peers[0]!.socket.write(pattern(1000))
    await eventually(() => expect(doomed.closed).toBe(true))
    await eventually(() => expect(reasons).toEqual([expect.stringMatching(/^upstream: .*authentication/)]))
    await expectServed(other)
  })

  it('is heard when it sends frames right after its handshake', async () => {
    // The frames come in one piece with the answer to the handshake.
    const server = createServer((socket) => {
      const session = Sv2Session.responder(authority)
      socket.on('error', () => {})
      socket.on('close', () => session.close())
      socket.once('data', (chunk) => {
        session.receive(chunk)
        for (const messageType of [1, 2]) session.send({ messageType }, pattern(10))
        socket.write(drain(session))
      })
    })
    const { port } = await startRelay(await listening(server))
    const miner = await begin(port)
    await eventually(() => expect(miner.frames.map(({ messageType }) => messageType)).toEqual([1, 2]))
  })
})

describe('a miner', { timeout: PATIENCE_MS }, () => {
  it('ends its own connection when it dies in the middle of a frame', async () => {
    const received: number[] = []
    const pool = await startPool((batch) => {
      for (const { messageType } of batch) received.push(messageType)
    })
    const { relay, port } = await startRelay(pool.port)
    const session = Sv2Session.initiator({ authorityPublicKey: authority.authorityPublicKey })
    const socket = raw(port)
    socket.on('data', (chunk) => session.receive(chunk))
    socket.write(drain(session))
    await eventually(() => expect(session.state).toBe('transport'))
    session.send({ messageType: 1 }, pattern(10))
    session.send({ messageType: 2 }, pattern(500_000))
    socket.write(drain(session).subarray(0, 400_000))
    await eventually(() => expect(relay.stats().memoryBytes).toBeGreaterThan(400_000))
    socket.resetAndDestroy()
    await eventually(() => expect(pool.peers[0]?.closed).toBe(true))
    expect(received).toEqual([1])
    expect(relay.stats()).toMatchObject({ connections: 0, memoryBytes: 0, framesUpstream: 1 })
    session.close()
  })

  it('is disconnected when it sends too large a frame', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port, { maxFrameSize: 1000 })
    const reasons = reasonsOf(relay)
    const [doomed, other] = [await established(port), await established(port)]
    doomed.session.send({ messageType: 1 }, pattern(1001))
    await eventually(() => expect(doomed.closed).toBe(true))
    await eventually(() => expect(reasons).toEqual([expect.stringMatching(/^downstream: .*1001/)]))
    await expectServed(other)
  })

  it.each([1, 63, 64, 65, 86, 1000, 1_000_000, 20_000_000])(
    'that sends %i bytes of garbage is disconnected',
    async (length) => {
      const pool = await startPool(echo)
      const { relay, port } = await startRelay(pool.port, { handshakeTimeoutMs: 1000 })
      const { miner } = await connectThrough(port, pool, true)
      const garbage = Array.from({ length: 5 }, () => raw(port))
      for (const [index, socket] of garbage.entries()) socket.end(pattern(length, index * 1000))
      await Promise.all(garbage.map(closed))
      await eventually(() =>
        expect(relay.stats()).toMatchObject({ connections: 1, connectionsTotal: 6, framesUpstream: 1 }),
      )
      await eventually(() => expect(pool.peers.filter((peer) => !peer.closed).length).toBe(1))
      await expectServed(miner)
    },
  )

  it('receives nothing when it speaks another protocol', async () => {
    const pool = await startPool(echo)
    const { port } = await startRelay(pool.port, { handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS })
    const socket = raw(port)
    let heard = 0
    socket.on('data', (chunk) => {
      heard += chunk.length
    })
    socket.write('{"id":1,"method":"mining.subscribe","params":[]}\n')
    await closed(socket)
    expect(heard).toBe(0)
  })

  it('comes and goes after another, and leaves nothing behind', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port)
    const payload = pattern(60_000)
    const comeAndGo = async (rounds: number): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        const miners = Array.from({ length: 10 }, () => dial(port, {}, () => {}))
        await eventually(() => expect(miners.every(({ session }) => session.state === 'transport')).toBe(true))
        for (const { session } of miners) session.send({ messageType: 1 }, payload)
        await eventually(() => expect(miners.every(({ session }) => session.stats().framesIn === 1)).toBe(true))
        for (const [index, miner] of miners.entries()) {
          miner.session.send({ messageType: 2 }, payload)
          if (index % 2 === 0) miner.socket.destroy()
          else miner.session.close()
        }
        await eventually(() => expect(relay.stats().connections).toBe(0))
      }
    }
    await comeAndGo(20)
    const before = residentMemory()
    await comeAndGo(50)
    // 500 miners have two rings of 64 KiB each in the relay. If the rings stayed, they would hold 65 MB.
    expect(residentMemory() - before).toBeLessThan(35_000_000)
    expect(relay.stats()).toMatchObject({ connectionsTotal: 700, handshakeFailures: 0, memoryBytes: 0 })
    await eventually(() => expect(pool.peers.every(({ closed }) => closed)).toBe(true))
    expect(pool.peers.every(({ session }) => session.stats().memoryBytes === 0)).toBe(true)
  })
})

describe('a slow reader', { timeout: 2 * PATIENCE_MS }, () => {
  it.each([
    ['miner', 64, 4096],
    ['miner', 0, 64],
    ['pool', 64, 4096],
    ['pool', 0, 64],
  ])(
    '%s holds little in the relay while it is flooded with frames of %i to %i bytes, and loses none',
    async (slow, min, max) => {
      const random = new Random()
      const [sent, received] = [new Tally(), new Tally()]
      const count: OnBatch = (batch) => {
        for (const { messageType, payload } of batch) received.add(messageType, payload)
      }
      // Only the first connection is slow.
      const pool = await startPool((batch, peer) =>
        (slow === 'pool' && peer === pool.peers[0] ? count : echo)(batch, peer),
      )
      const { relay, port } = await startRelay(pool.port)
      const miner = await begin(port, {}, slow === 'miner' ? count : undefined)
      // The miner's first frame comes to the slow end, too.
      sent.add(0, new Uint8Array(0))
      await eventually(() => expect(received.frames).toBe(1))
      const peer = pool.peers[0]!
      const before = process.memoryUsage.rss()

      const [reader, sender] = slow === 'miner' ? [miner, peer] : [peer, miner]
      reader.socket.pause()
      let stalled = false
      // A relay that never stops reading must fail at this bound, before the test times out.
      const sending = flood(sender, () => stalled || sent.bytes > FAR_TOO_MUCH, {
        next: () => pattern(min + random.below(max - min), random.below(65_521)),
        onSent: (messageType, payload) => sent.add(messageType, payload),
      })
      for (let frames = -1; frames !== sent.frames; ) {
        frames = sent.frames
        await quiet()
      }
      expect(relay.stats().memoryBytes, random.origin).toBeLessThan(HELD_AT_MOST)
      expect(process.memoryUsage.rss() - before).toBeLessThan(FAR_TOO_MUCH / 2)
      expect(sent.frames).toBeGreaterThan(received.frames)
      expect(relay.stats().heapFallbacks).toBe(0)

      await expectServed(await established(port))

      stalled = true
      reader.socket.resume()
      await sending
      await eventually(() => expect(received.frames, random.origin).toBe(sent.frames))
      expect(received.digest(), random.origin).toBe(sent.digest())
      expect([miner.closed, peer.closed]).toEqual([false, false])
    },
  )
})

it('a certificate that has expired is not trusted', { timeout: PATIENCE_MS }, async () => {
  const { initiator, act2, elapsed } = late
  await elapsed
  expect(codeOf(() => initiator.receive(act2))).toBe('ERR_SV2_CERTIFICATE')
  expect(initiator.error?.code).toBe('ERR_SV2_CERTIFICATE')
  expect(initiator.error?.message).toMatch(/: it expired \d\d s ago /)
})

/** Sends frames until `enough` says so or the session is closed. */
async function flood(
  { session }: Peer,
  enough: () => boolean,
  { next = () => pattern(1000), onSent = (_messageType: number, _payload: Uint8Array): void => {} } = {},
): Promise<void> {
  for (let messageType = 0; !enough() && session.state === 'transport'; messageType = (messageType + 1) & 0x7f) {
    const payload = next()
    onSent(messageType, payload)
    if (!session.send({ messageType }, payload)) await session.drained().catch(() => {})
  }
}

/** Ends a pool as the death of its process would. */
async function kill({ server, peers }: TestPool): Promise<void> {
  const down = new Promise((resolve) => {
    server.close(resolve)
  })
  for (const { socket } of peers) socket.resetAndDestroy()
  await down
}
