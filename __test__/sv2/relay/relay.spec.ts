import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRelay, type RelayOptions, Sv2Session } from '../../../src/sv2/index.js'
import { codeOf, codeOfRejection } from '../../support/code-of.js'
import {
  connectThrough,
  dial,
  echo,
  eventually,
  keep,
  listening,
  PATIENCE_MS,
  type Peer,
  quiet,
  startPool,
} from '../../support/network.js'
import { pattern } from '../../support/pattern.js'
import { relayOptions, startRelay } from '../../support/relay.js'
import { ACT_1, ACT_2, authority, drain, type FrameCopy, wireLength } from '../../support/sessions.js'

/** Makes frames that differ between miners. */
function framesOf(miner: number, count: number, length: number): FrameCopy[] {
  return Array.from({ length: count }, (_, index) => ({
    messageType: (miner + index) & 0xff,
    payload: pattern(length, miner * 1000 + index),
  }))
}

describe('a relay', { timeout: PATIENCE_MS }, () => {
  it('carries the frames of 60 miners both ways, in order, without the heap', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port)
    const miners = Array.from({ length: 60 }, () => dial(port))
    const sent = miners.map((_, miner) => framesOf(miner, 100, 64 + miner))
    await eventually(() => expect(miners.every(({ session }) => session.state === 'transport')).toBe(true))
    await Promise.all(miners.map((miner, index) => miner.sendAll(sent[index]!)))
    await eventually(() => expect(miners.every(({ frames }) => frames.length === 100)).toBe(true))
    expect(miners.map(({ frames }) => frames)).toEqual(sent)
    expect(pool.peers.length).toBe(60)
    const stats = relay.stats()
    const wire = sent.flat().reduce((sum, { payload }) => sum + wireLength(payload.length), 0)
    const { memoryBytes, ...counters } = stats
    expect(counters).toEqual({
      connections: 60,
      connectionsTotal: 60,
      rejected: 0,
      handshakeFailures: 0,
      framesUpstream: 6000,
      framesDownstream: 6000,
      bytesUpstream: wire + 60 * ACT_1,
      bytesDownstream: wire + 60 * ACT_2,
      heapFallbacks: 0,
      budget: { limit: 1280 * 2 ** 20, reserved: 60 * 36_864, waiting: 0 },
      refused: expect.any(Object),
    })
    expect(new Set(Object.values(stats.refused))).toEqual(new Set([0]))
    // Each miner has two rings, which its traffic has grown to at most 64 KiB.
    expect(memoryBytes).toBeLessThan(60 * 2 * 70_000)
    // Silent connections give most of that back.
    await eventually(() => expect(relay.stats().memoryBytes).toBeLessThan(60 * 4096))
    await Promise.all(miners.map((miner) => miner.end()))
    await eventually(() => expect(relay.stats().connections).toBe(0))
    expect(relay.stats()).toEqual({
      ...stats,
      connections: 0,
      memoryBytes: 0,
      budget: { ...stats.budget, reserved: 0 },
    })
  })

  it('carries large frames, up to maxFrameSize', async () => {
    const maxFrameSize = 5_000_000
    const pool = await startPool(echo, { maxFrameSize })
    const { port, relay } = await startRelay(pool.port, { maxFrameSize })
    const miner = dial(port, { maxFrameSize })
    await eventually(() => expect(miner.session.state).toBe('transport'))
    const payloads = [0, 1, 65_519, 65_520, 1_000_000, maxFrameSize].map((length) => pattern(length, length))
    for (const payload of payloads) miner.session.send({ messageType: 1 }, payload)
    await eventually(() => expect(miner.frames.length).toBe(payloads.length))
    expect(miner.frames.every(({ payload }, index) => payload.equals(payloads[index]!))).toBe(true)
    // The memory of a large frame goes back.
    await eventually(() => expect(relay.stats().memoryBytes).toBeLessThan(200_000))

    miner.session.send({ messageType: 1 }, pattern(maxFrameSize + 1))
    await eventually(() => expect(miner.closed).toBe(true))
  })

  it('reports connections as they come and go', async () => {
    const pool = await startPool(echo)
    const relay = createRelay(relayOptions(pool.port))
    const events: unknown[] = []
    relay.on('listening', (address) => events.push(['listening', address]))
    relay.on('connection', (connection) => events.push(['connection', connection]))
    relay.on('disconnect', (connection) => events.push(['disconnect', connection]))
    const { host, port } = await relay.listen()
    const first = dial(port)
    await eventually(() => expect(first.session.state).toBe('transport'))
    const second = dial(port)
    await eventually(() => expect(second.session.state).toBe('transport'))
    await first.end()
    await eventually(() => expect(relay.stats().connections).toBe(1))
    await relay.close()
    const theRest = {
      remoteAddress: '127.0.0.1',
      error: null,
      framesUpstream: 0,
      framesDownstream: 0,
      durationMs: expect.any(Number),
    }
    expect(events).toEqual([
      ['listening', { host, port }],
      ['connection', { id: 1, remoteAddress: '127.0.0.1' }],
      ['connection', { id: 2, remoteAddress: '127.0.0.1' }],
      [
        'disconnect',
        { id: 1, ...theRest, side: 'downstream', code: 'ENDED_WITHOUT_FRAME', reason: expect.any(String) },
      ],
      ['disconnect', { id: 2, ...theRest, side: 'relay', code: 'RELAY_CLOSED', reason: 'the relay was closed' }],
    ])
    expect(host).toBe('127.0.0.1')
    expect(relay.stats()).toMatchObject({ connections: 0, connectionsTotal: 2, memoryBytes: 0 })
  })

  it('delivers every answer to a miner that has sent its last frame', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port)
    const miner = dial(port)
    await eventually(() => expect(miner.session.state).toBe('transport'))
    const sent = framesOf(0, 3000, 1000)
    await miner.sendAll(sent)
    await miner.end()
    await eventually(() => expect(miner.ended).toBe(true))
    expect(miner.frames.length).toBe(sent.length)
    expect(miner.frames.every(({ payload }, index) => payload.equals(sent[index]!.payload))).toBe(true)
    await eventually(() =>
      expect([miner.closed, pool.peers[0]?.closed, relay.stats().connections]).toEqual([true, true, 0]),
    )
    expect([miner.error, pool.peers[0]?.error]).toEqual([null, null])
  })

  it('passes the end of the pool on to the miner, after the frames of the pool', async () => {
    const pool = await startPool()
    const { relay, port } = await startRelay(pool.port)
    const { miner, peer } = await connectThrough(port, pool, false)
    await peer.sendAll(framesOf(1, 2000, 1000))
    await peer.end()
    await eventually(() => expect(miner.ended).toBe(true))
    expect(miner.frames.length).toBe(2000)
    await eventually(() => expect(relay.stats().connections).toBe(0))
    expect(miner.error).toBeNull()
  })
})

describe('onFrame', { timeout: PATIENCE_MS }, () => {
  async function through(onFrame: NonNullable<RelayOptions['onFrame']>) {
    const pool = await startPool((batch, peer) => {
      keep(batch, peer)
      echo(batch, peer)
    })
    // The miner's first frame has type 0.
    const { relay, port } = await startRelay(pool.port, {
      onFrame: (frame, ...rest) => (frame.messageType === 0 ? 'forward' : onFrame(frame, ...rest)),
    })
    return { relay, port, ...(await connectThrough(port, pool, true)) }
  }

  it('sees every frame with its direction, and may forward, drop or replace it', async () => {
    const seen: [number, string, number][] = []
    const { relay, miner, peer } = await through((frame, direction) => {
      seen.push([frame.messageType, direction, frame.payload.length])
      if (direction === 'downstream') return frame.messageType === 1 ? 'drop' : 'forward'
      if (frame.messageType === 2) return 'drop'
      return frame.messageType === 3 ? new Uint8Array([3, 3, 3]) : 'forward'
    })
    const header = { extensionType: 5, channelMessage: true }
    for (const messageType of [1, 2, 3, 4]) miner.session.send({ messageType, ...header }, pattern(10, messageType))
    await eventually(() => expect(miner.frames.length).toBe(2))
    expect(peer.frames).toEqual([
      { messageType: 1, payload: pattern(10, 1) },
      { messageType: 3, payload: Buffer.from([3, 3, 3]) },
      { messageType: 4, payload: pattern(10, 4) },
    ])
    expect(miner.frames).toEqual(peer.frames.slice(1))
    expect(seen.filter(([, direction]) => direction === 'upstream')).toEqual(
      [1, 2, 3, 4].map((type) => [type, 'upstream', 10]),
    )
    expect(seen.filter(([, direction]) => direction === 'downstream').map(([type]) => type)).toEqual([1, 3, 4])
    expect(relay.stats()).toMatchObject({ framesUpstream: 4, framesDownstream: 3 })
  })

  it('keeps the header of a frame whose payload it replaces', async () => {
    const headers: unknown[] = []
    const { miner } = await through(({ messageType, extensionType, channelMessage, channelId }, direction) => {
      if (direction === 'upstream') return Buffer.from([1, 0, 0, 0])
      headers.push({ messageType, extensionType, channelMessage, channelId })
      return 'forward'
    })
    miner.session.send({ messageType: 9, extensionType: 0x1234, channelMessage: true }, pattern(10))
    await eventually(() => expect(miner.frames.length).toBe(1))
    expect(headers).toEqual([{ messageType: 9, extensionType: 0x1234, channelMessage: true, channelId: 1 }])
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('no such frame')
      },
      'no such frame',
    ],
    ['returns something else', () => 'perhaps' as never, "onFrame must return 'forward', 'drop' or a Uint8Array"],
    [
      'returns a promise of something else',
      () => Promise.resolve('perhaps') as never,
      "onFrame must return 'forward', 'drop' or a Uint8Array",
    ],
    ['returns too much', () => new Uint8Array(0x100_0000), 'a payload of 16777216 bytes does not fit'],
  ])('closes the connection when it %s, and that one alone', async (_, onFrame, reason) => {
    const { relay, port, miner, peer } = await through((frame) => (frame.messageType === 66 ? onFrame() : 'forward'))
    const reasons: string[] = []
    relay.on('disconnect', (event) => reasons.push(event.reason))
    const other = dial(port)
    await eventually(() => expect(other.session.state).toBe('transport'))
    miner.session.send({ messageType: 66 }, pattern(10))
    await eventually(() => expect([miner.closed, peer.closed]).toEqual([true, true]))
    await eventually(() => expect(reasons).toEqual([expect.stringContaining(reason)]))
    await other.sendAll(framesOf(2, 3, 10))
    await eventually(() => expect(other.frames.length).toBe(3))
  })
})

describe('close', { timeout: PATIENCE_MS }, () => {
  /**
   * Starts a pool that answers after the relay has ended its side. It answers every frame then. With `stubborn` it
   * never ends.
   */
  async function startLatePool(stubborn: boolean): Promise<{ port: number; received: () => number }> {
    const payloads: Buffer[] = []
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const session = Sv2Session.responder(authority)
      socket.on('error', () => {})
      socket.on('close', () => session.close())
      socket.on('data', (chunk) => {
        for (const { payload } of session.receive(chunk)) payloads.push(Buffer.from(payload))
        socket.write(drain(session))
      })
      socket.on('end', () => {
        for (const payload of payloads) session.send({ messageType: 7 }, payload)
        if (stubborn) socket.write(drain(session))
        else socket.end(drain(session))
      })
    })
    return { port: await listening(server), received: () => payloads.length }
  }

  async function withMiner(poolPort: number) {
    const { relay, port } = await startRelay(poolPort)
    const miner = dial(port)
    await eventually(() => expect(miner.session.state).toBe('transport'))
    return { relay, miner }
  }

  function expectAnswers(miner: Peer, count: number, length: number): void {
    expect(miner.frames.length).toBe(count)
    expect(miner.frames.every(({ payload }, index) => payload.equals(pattern(length, index)))).toBe(true)
  }

  it('lets answers to accepted frames through', async () => {
    const pool = await startLatePool(false)
    const { relay, miner } = await withMiner(pool.port)
    await miner.sendAll(framesOf(0, 500, 1000))
    await eventually(() => expect(pool.received()).toBe(500))
    await relay.close()
    await eventually(() => expect(miner.ended).toBe(true))
    expectAnswers(miner, 500, 1000)
    expect(miner.error).toBeNull()
  })

  it('waits for a miner that is slow to read', async () => {
    const pool = await startPool(echo)
    const { relay, miner } = await withMiner(pool.port)
    await miner.sendAll(framesOf(0, 1, 10))
    await eventually(() => expect(miner.frames.length).toBe(1))
    miner.socket.pause()
    const [peer] = pool.peers
    const sending = peer!.sendAll(framesOf(0, 10_000, 1000))
    await quiet()
    const closed = relay.close({ drainMs: PATIENCE_MS })
    await quiet()
    expect(relay.stats().connections).toBe(1)
    miner.frames.length = 0
    miner.socket.resume()
    await Promise.all([closed, sending])
    await eventually(() => expect(miner.ended).toBe(true))
    expectAnswers(miner, 10_000, 1000)
  })

  it('loses no answer to a miner that goes on sending meanwhile', async () => {
    const pool = await startLatePool(false)
    const { relay, miner } = await withMiner(pool.port)
    await miner.sendAll(framesOf(0, 2000, 1000))
    await eventually(() => expect(pool.received()).toBe(2000))
    miner.socket.pause()
    const closed = relay.close({ drainMs: PATIENCE_MS })
    // The relay no longer reads these frames. Unread bytes of a closed socket reset its connection.
    for (const { messageType, payload } of framesOf(1, 1000, 1000)) miner.session.send({ messageType }, payload)
    await quiet()
    miner.socket.resume()
    await eventually(() => expect(miner.ended).toBe(true))
    expectAnswers(miner, 2000, 1000)
    expect([pool.received(), miner.error]).toEqual([2000, null])
    await closed
  })

  it('closes connections that have not ended after drainMs', async () => {
    const pool = await startLatePool(true)
    const { relay, miner } = await withMiner(pool.port)
    await miner.sendAll(framesOf(0, 5, 1000))
    await eventually(() => expect(pool.received()).toBe(5))
    await relay.close({ drainMs: 200 })
    expect(relay.stats()).toMatchObject({ connections: 0, memoryBytes: 0 })
    await eventually(() => expect(miner.closed).toBe(true))
    expectAnswers(miner, 5, 1000)
  })

  it('accepts no more connections', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port)
    await relay.close()
    const miner = dial(port)
    await eventually(() => expect(miner.closed).toBe(true))
    expect(miner.error).toMatchObject({ code: 'ECONNREFUSED' })
    expect(await codeOfRejection(relay.listen())).toBe('ERR_CLOSED')
    await relay[Symbol.asyncDispose]()
  })

  it('ends connections that are in their handshake', async () => {
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port)
    const silent = connect(port, '127.0.0.1')
    await eventually(() => expect(relay.stats().connections).toBe(1))
    const ended = once(silent, 'close')
    silent.resume()
    await relay.close({ drainMs: PATIENCE_MS })
    await ended
    expect(relay.stats()).toMatchObject({ connections: 0, handshakeFailures: 1 })
  })

  it('ends a relay that is about to listen, or never did', async () => {
    const relay = createRelay(relayOptions(1))
    const address = relay.listen().catch((error) => error)
    await relay.close()
    expect(await codeOfRejection(relay.listen())).toBe('ERR_CLOSED')
    const { port } = (await address) as { port?: number }
    if (port !== undefined) {
      const miner = dial(port)
      await eventually(() => expect(miner.closed).toBe(true))
      expect(miner.error).toMatchObject({ code: 'ECONNREFUSED' })
    }
    await createRelay(relayOptions(1)).close()
  })

  it.each([
    ['ERR_OUT_OF_RANGE', { drainMs: -1 }],
    ['ERR_INVALID_ARG_TYPE', { drainMs: '1' as never }],
    ['ERR_INVALID_ARG_TYPE', null as never],
  ])('%s for wrong options, and it stays open', async (code, options) => {
    const { relay } = await startRelay(1)
    expect(await codeOfRejection(relay.close(options))).toBe(code)
    expect(await codeOfRejection(relay.listen())).toBe('ERR_BUSY')
  })
})

describe('listen', () => {
  it("rejects with the system's error, and may be retried", async () => {
    const blocker = createServer()
    const port = await listening(blocker)
    const relay = createRelay(relayOptions(1, { listen: { port } }))
    expect(await codeOfRejection(relay.listen())).toBe('EADDRINUSE')
    await new Promise((resolve) => {
      blocker.close(resolve)
    })
    expect(await relay.listen()).toEqual({ host: '127.0.0.1', port })
    await relay.close()
  })

  it('is ERR_BUSY while it listens, or is about to', async () => {
    const relay = createRelay(relayOptions(1))
    const first = relay.listen()
    expect(await codeOfRejection(relay.listen())).toBe('ERR_BUSY')
    await first
    expect(await codeOfRejection(relay.listen())).toBe('ERR_BUSY')
    await relay.close()
  })

  it('listens on another host', async () => {
    const relay = createRelay(relayOptions(1, { listen: { host: '127.0.0.2', port: 0 } }))
    expect((await relay.listen()).host).toBe('127.0.0.2')
    await relay.close()
  })

  it('takes an IPv6 address with a zone', async () => {
    const zones = Object.entries(networkInterfaces()).flatMap(([zone, addresses = []]) =>
      addresses.filter(({ address }) => address.startsWith('fe80:')).map(({ address }) => `${address}%${zone}`),
    )
    // No such address is in reach on some machines. What the system says then is about an address with a zone, too.
    const host = zones[0] ?? `fe80::1%${Object.keys(networkInterfaces())[0]}`
    const pool = await startPool(echo)
    const upstream = { host, port: pool.port }
    const relay = createRelay(relayOptions(pool.port, { listen: { host, port: 0 }, upstream }))
    onTestFinished(() => relay.close({ drainMs: 0 }))
    const ends: string[] = []
    relay.on('disconnect', ({ code }) => ends.push(code))
    if (zones.length === 0) return expect(relay.listen()).rejects.toMatchObject({ code: /^E[A-Z]+$/ })
    const { port } = await relay.listen()
    const session = Sv2Session.initiator({ authorityPublicKey: authority.authorityPublicKey })
    onTestFinished(() => session.close())
    const socket = connect(port, host)
    onTestFinished(() => void socket.destroy())
    session.attach(socket, () => {})
    await session.established()
    session.send({ messageType: 0 }, new Uint8Array(0))
    // The pool listens on another address: the system says so.
    await eventually(() => expect(ends).toEqual(['ECONNREFUSED']))
  })

  it.each(['fe80::1%no-such-zone', '1.2.3.4%lo'])('does not listen on %s', async (host) => {
    const relay = createRelay(relayOptions(1, { listen: { host, port: 0 } }))
    await expect(relay.listen()).rejects.toThrow(host)
    await relay.close()
  })
})

describe('options', () => {
  const { authorityPublicKey } = authority
  const wrong: [string, string, () => unknown][] = [
    ['ERR_INVALID_ARG_TYPE', 'none', () => createRelay(undefined as never)],
    ['ERR_INVALID_ARG_TYPE', 'no port', () => createRelay(relayOptions(1, { listen: {} as never }))],
    [
      'ERR_INVALID_ARG_TYPE',
      'no upstream host',
      () => createRelay(relayOptions(1, { upstream: { port: 1 } as never })),
    ],
    ['ERR_INVALID_ARG_TYPE', 'onFrame', () => createRelay(relayOptions(1, { onFrame: 'forward' as never }))],
    ['ERR_INVALID_ARG_TYPE', 'key', () => createRelay(relayOptions(1, { authorityPublicKey: 5 as never }))],
    ['ERR_OUT_OF_RANGE', 'port', () => createRelay(relayOptions(1, { listen: { port: 65_536 } }))],
    ['ERR_OUT_OF_RANGE', 'upstream port', () => createRelay(relayOptions(0))],
    ['ERR_OUT_OF_RANGE', 'maxFrameSize', () => createRelay(relayOptions(1, { maxFrameSize: 0x100_0000 }))],
    ['ERR_OUT_OF_RANGE', 'maxMemory', () => createRelay(relayOptions(1, { maxMemory: 1_048_575 }))],
    ['ERR_OUT_OF_RANGE', 'maxConnections', () => createRelay(relayOptions(1, { maxConnections: -1 }))],
    ['ERR_OUT_OF_RANGE', 'handshakeTimeoutMs', () => createRelay(relayOptions(1, { handshakeTimeoutMs: 0 }))],
    ['ERR_OUT_OF_RANGE', 'idleTimeoutMs', () => createRelay(relayOptions(1, { idleTimeoutMs: 0.5 }))],
    ['ERR_SV2_KEY', 'secret key', () => createRelay(relayOptions(1, { authoritySecretKey: authorityPublicKey }))],
    [
      'ERR_SV2_KEY',
      'upstream key',
      () => createRelay(relayOptions(1, { upstream: { host: 'x', port: 1, authorityPublicKey: 'x' } })),
    ],
  ]
  it.each(wrong)('%s: %s', (code, _, call) => {
    expect(codeOf(call)).toBe(code)
  })
})
