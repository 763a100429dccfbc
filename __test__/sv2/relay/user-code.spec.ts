import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRelay, type Disconnection, type Relay, type RelayOptions, type Verdict } from '../../../src/sv2/index.js'
import {
  connectThrough,
  dial,
  echo,
  eventually,
  keep,
  listening,
  PATIENCE_MS,
  startPool,
} from '../../support/network.js'
import { pattern } from '../../support/pattern.js'
import { relayOptions, startRelay } from '../../support/relay.js'
import { drain, pair } from '../../support/sessions.js'
import { raw } from '../../support/sockets.js'
import { SHOWN, throwing } from '../../support/thrown.js'
import { uncaught } from '../../support/uncaught.js'

/** Collects process warnings until the end of the test. */
function warnings(): Error[] {
  const found: Error[] = []
  const collect = (warning: Error): void => {
    found.push(warning)
  }
  process.on('warning', collect)
  onTestFinished(() => {
    process.off('warning', collect)
  })
  return found
}

function endsOf(relay: Relay): Disconnection[] {
  const ends: Disconnection[] = []
  relay.on('disconnect', (end) => ends.push(end))
  return ends
}

/** Sends a frame through the relay, and waits for its echo. */
async function expectServed(port: number): Promise<void> {
  const miner = dial(port)
  await miner.session.established()
  miner.session.send({ messageType: 9 }, pattern(10))
  await eventually(() => expect(miner.frames.length).toBe(1))
  await miner.end()
}

describe('onFrame', { timeout: PATIENCE_MS }, () => {
  it.each(SHOWN)('ends that connection alone if it throws %s, and says so', async (shown, value) => {
    const failures = uncaught()
    const pool = await startPool((batch, peer) => {
      keep(batch, peer)
      echo(batch, peer)
    })
    const onFrame: RelayOptions['onFrame'] = ({ messageType }) => (messageType === 66 ? throwing(value)() : 'forward')
    const { relay, port } = await startRelay(pool.port, { onFrame })
    const ends = endsOf(relay)
    const miner = dial(port)
    await miner.session.established()
    const other = dial(port)
    await other.session.established()
    for (const messageType of [1, 2, 66, 3]) miner.session.send({ messageType }, pattern(10))
    await eventually(() => expect(ends.length).toBe(1))
    const common = { id: 1, side: 'relay', code: 'USER_CODE', reason: `onFrame threw ${shown}` }
    // Frames that were passed on before are counted and arrive.
    expect(ends[0]).toMatchObject({ ...common, framesUpstream: 2 })
    expect(Object.is(ends[0]!.error?.cause, value)).toBe(true)
    await eventually(() => expect(pool.peers[0]!.frames.map(({ messageType }) => messageType)).toEqual([1, 2]))
    expect(relay.stats()).toMatchObject({ connections: 1, framesUpstream: 2 })
    other.session.send({ messageType: 1 }, pattern(10))
    await eventually(() => expect(other.frames.length).toBe(1))
    expect(failures).toEqual([])
  })

  const wrong = "onFrame must return 'forward', 'drop' or a Uint8Array, or a promise of it"
  it.each<[string, () => unknown]>([
    ['a promise of something else', () => Promise.resolve('back')],
    ['a promise of null', () => Promise.resolve(null)],
    ['nothing', () => undefined],
    ['null', () => null],
    ['an array', () => [1, 2, 3]],
    ['a Proxy', () => new Proxy(new Uint8Array(1), { get: throwing('trap') })],
    ['an object with a text', () => ({ toString: () => 'forward' })],
  ])('that returns %s ends that connection alone', async (_, answer) => {
    const failures = uncaught()
    const pool = await startPool(echo)
    const onFrame = (({ messageType }) => (messageType === 66 ? answer() : 'forward')) as RelayOptions['onFrame']
    const { relay, port } = await startRelay(pool.port, { onFrame: onFrame! })
    const ends = endsOf(relay)
    const miner = dial(port)
    await miner.session.established()
    miner.session.send({ messageType: 66 }, pattern(10))
    await eventually(() => expect(ends.length).toBe(1))
    expect(ends[0]).toMatchObject({ side: 'relay', code: 'USER_CODE', reason: wrong })
    await expectServed(port)
    expect(failures).toEqual([])
  })

  it.each<[string, () => unknown, string]>([
    ['a promise that is rejected', () => Promise.reject(null), 'null'],
    [
      'a promise with a constructor of its own',
      () => Object.defineProperty(Promise.resolve(), 'constructor', { get: throwing(null) }),
      'null',
    ],
    // biome-ignore lint/suspicious/noThenProperty: that is what a thenable is
    ['a thenable', () => ({ then: throwing(0) }), '0'],
  ])('that returns %s ends that connection alone, and says so', async (_, answer, shown) => {
    const failures = uncaught()
    const pool = await startPool(echo)
    const onFrame = (({ messageType }) => (messageType === 66 ? answer() : 'forward')) as RelayOptions['onFrame']
    const { relay, port } = await startRelay(pool.port, { onFrame: onFrame! })
    const ends = endsOf(relay)
    const miner = dial(port)
    await miner.session.established()
    miner.session.send({ messageType: 66 }, pattern(10))
    await eventually(() => expect(ends.length).toBe(1))
    expect(ends[0]).toMatchObject({ side: 'relay', code: 'USER_CODE', reason: `onFrame threw ${shown}` })
    await expectServed(port)
    expect(failures).toEqual([])
  })

  it.each<[string, (payload: Uint8Array) => Verdict | Promise<Verdict>]>([
    ['a payload', (payload) => payload],
    ['a promise of a payload', (payload) => Promise.resolve(payload)],
  ])(
    'that returns %s longer than any frame ends that connection alone, behind the frames before it',
    async (_, answer) => {
      const pool = await startPool(keep)
      const onFrame: RelayOptions['onFrame'] = ({ messageType }) =>
        messageType === 66 ? answer(new Uint8Array(0x100_0000)) : 'forward'
      const { relay, port } = await startRelay(pool.port, { onFrame })
      const ends = endsOf(relay)
      const miner = dial(port)
      await miner.session.established()
      miner.session.send({ messageType: 1 }, pattern(10))
      await eventually(() => expect(pool.peers[0]?.frames.length).toBe(1))
      for (const messageType of [2, 66, 3]) miner.session.send({ messageType }, pattern(10))
      await eventually(() => expect(ends.length).toBe(1))
      const reason = 'a payload of 16777216 bytes does not fit into a frame; onFrame returned it'
      expect(ends[0]).toMatchObject({ side: 'relay', code: 'USER_CODE', reason, framesUpstream: 2 })
      await eventually(() => expect(pool.peers[0]!.frames.map(({ messageType }) => messageType)).toEqual([1, 2]))
      expect(relay.stats()).toMatchObject({ framesUpstream: 2 })
    },
  )

  it('that throws leaves those before it to a pool that reads them later', async () => {
    const pool = await startPool(keep)
    const onFrame: RelayOptions['onFrame'] = ({ messageType }) => {
      if (messageType === 66) throw new Error('enough')
      return 'forward'
    }
    const { relay, port } = await startRelay(pool.port, { onFrame })
    const ends = endsOf(relay)
    const { miner, peer } = await connectThrough(port, pool, false)
    peer.socket.pause()
    const frames = 60
    await miner.sendAll(Array.from({ length: frames }, () => ({ messageType: 1, payload: pattern(60_000) })))
    miner.session.send({ messageType: 66 }, pattern(10))
    await eventually(() => expect(miner.closed).toBe(true))
    peer.socket.resume()
    await eventually(() => expect(ends).toMatchObject([{ code: 'USER_CODE', framesUpstream: frames + 1 }]))
    await eventually(() => expect(peer.closed).toBe(true))
    expect(peer.frames.length).toBe(frames)
  })

  it('takes a payload for as long as it is', async () => {
    class Liar extends Uint8Array {
      override get length(): number {
        throw new Error('no length')
      }
    }
    const pool = await startPool(keep)
    const { port } = await startRelay(pool.port, { onFrame: () => Liar.from(pattern(30_000)), maxMemory: 1 << 20 })
    const miner = dial(port)
    await miner.session.established()
    miner.session.send({ messageType: 1 }, pattern(10))
    await eventually(() => expect(pool.peers[0]?.frames[0]?.payload).toEqual(pattern(30_000)))
  })

  it('may use the pool that the frames lie in', async () => {
    const { initiator, responder } = pair()
    const pool = await startPool(keep)
    const onFrame: RelayOptions['onFrame'] = () => {
      initiator.send({ messageType: 1 }, pattern(5))
      expect([...responder.receive(drain(initiator))].length).toBe(1)
      return 'forward'
    }
    const { port } = await startRelay(pool.port, { onFrame })
    const miner = dial(port)
    await miner.session.established()
    for (const messageType of [1, 2, 3]) miner.session.send({ messageType }, pattern(10, messageType))
    await eventually(() => expect(pool.peers[0]?.frames.length).toBe(3))
    expect(pool.peers[0]!.frames).toEqual(
      [1, 2, 3].map((messageType) => ({ messageType, payload: pattern(10, messageType) })),
    )
  })

  it('may close the relay', async () => {
    const pool = await startPool(keep)
    let closing: Promise<void> | null = null
    const { relay, port } = await startRelay(pool.port, {
      onFrame: () => {
        closing ??= relay.close({ drainMs: 0 })
        return 'forward'
      },
    })
    const ends = endsOf(relay)
    const miner = dial(port)
    await miner.session.established()
    miner.session.send({ messageType: 1 }, pattern(10))
    await eventually(() => expect(closing).not.toBeNull())
    await closing
    expect(ends).toMatchObject([{ side: 'relay', code: 'RELAY_CLOSED', reason: 'the relay was closed' }])
  })
})

describe("a listener of 'connection'", { timeout: PATIENCE_MS }, () => {
  it.each(SHOWN)('ends that connection alone if it throws %s, and says so', async (shown, value) => {
    const failures = uncaught()
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port, { maxConnections: 2 })
    const ends = endsOf(relay)
    relay.on('connection', ({ id }) => {
      if (id <= 2) throwing(value)()
    })
    const sockets = [raw(port), raw(port)]
    await eventually(() => expect(ends.map(({ id }) => id).sort()).toEqual([1, 2]))
    await Promise.all(sockets.map((socket) => socket.closed || once(socket, 'close')))
    const reason = `a 'connection' listener threw ${shown}`
    for (const end of ends) expect(end).toMatchObject({ side: 'relay', code: 'USER_CODE', reason })
    expect(relay.stats()).toMatchObject({ connections: 0, rejected: 0, memoryBytes: 0 })
    await expectServed(port)
    expect(failures).toEqual([])
  })

  it('ends that connection, too, if it is async and rejects', async () => {
    const failures = uncaught()
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port)
    const ends = endsOf(relay)
    relay.on('connection', async ({ id }) => {
      if (id === 1) throw null
    })
    raw(port)
    await eventually(() => expect(ends.length).toBe(1))
    expect(ends[0]).toMatchObject({ id: 1, code: 'USER_CODE', reason: "a 'connection' listener threw null" })
    await expectServed(port)
    expect(failures).toEqual([])
  })
})

describe('another listener', { timeout: PATIENCE_MS }, () => {
  it.each(SHOWN)("stops nothing if it listens for 'disconnect' and throws %s", async (shown, value) => {
    const failures = uncaught()
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port)
    const errors: Error[] = []
    relay.on('error', (error) => errors.push(error))
    relay.on('disconnect', throwing(value))
    await expectServed(port)
    await eventually(() => expect(relay.stats()).toMatchObject({ connections: 0, framesUpstream: 1 }))
    await expectServed(port)
    await eventually(() => expect(errors.length).toBe(2))
    expect(errors[0]!.message).toBe(`a 'disconnect' listener threw ${shown}`)
    expect(Object.is(errors[0]!.cause, value)).toBe(true)
    await relay.close()
    expect(failures).toEqual([])
  })

  it("stops neither listen() nor close() if it listens for 'listening' and throws", async () => {
    const failures = uncaught()
    const warned = warnings()
    const relay = createRelay(relayOptions(1))
    relay.on('listening', throwing(null))
    expect((await relay.listen()).port).toBeGreaterThan(0)
    await relay.close()
    await eventually(() => expect(warned.map(({ message }) => message)).toEqual(["a 'listening' listener threw null"]))
    expect(failures).toEqual([])
  })

  it("does not keep listen() from rejecting if it listens for 'error' and throws", async () => {
    const failures = uncaught()
    const warned = warnings()
    const blocker = createServer()
    const relay = createRelay(relayOptions(1, { listen: { port: await listening(blocker) } }))
    relay.on('error', throwing('anything'))
    await expect(relay.listen()).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await eventually(() =>
      expect(warned.map(({ message }) => message)).toEqual([`a 'error' listener threw "anything"`]),
    )
    await relay.close()
    expect(failures).toEqual([])
  })

  it('does no harm if emit() of its relay throws', async () => {
    const failures = uncaught()
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port)
    relay.emit = throwing(null)
    raw(port)
    await eventually(() => expect(relay.stats()).toMatchObject({ connections: 0, connectionsTotal: 1 }))
    await relay.close()
    expect(failures).toEqual([])
  })
})

describe('listen()', () => {
  it("emits 'listening' once, however often it had failed before", async () => {
    const blocker = createServer()
    const port = await listening(blocker)
    const relay = createRelay(relayOptions(1, { listen: { port } }))
    let heard = 0
    relay.on('listening', () => heard++)
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(relay.listen()).rejects.toMatchObject({ code: 'EADDRINUSE' })
    }
    await new Promise((resolve) => {
      blocker.close(resolve)
    })
    await relay.listen()
    expect(heard).toBe(1)
    await relay.close()
  })

  it("gives an address that a listener of 'listening' cannot change", async () => {
    const relay = createRelay(relayOptions(1))
    relay.on('listening', (address) => {
      address.port = 0
    })
    expect((await relay.listen()).port).toBeGreaterThan(0)
    await relay.close()
  })
})

describe('options and arguments', () => {
  it('change nothing if their getters throw', async () => {
    const options = relayOptions(1)
    for (const name of [...Object.keys(options), 'onFrame', 'maxFrameSize', 'maxMemory', 'handshakeTimeoutMs']) {
      const hostile = Object.defineProperty({ ...options }, name, { get: throwing(name) })
      expect(() => createRelay(hostile)).toThrow(name)
    }
    const relay = createRelay(options)
    const hostile = Object.defineProperty({}, 'drainMs', { get: throwing('drainMs') })
    await expect(relay.close(hostile)).rejects.toBe('drainMs')
    await relay.listen()
    await relay.close()
  })
})
