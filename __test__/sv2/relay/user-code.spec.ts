import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { thrownText } from '../../../src/support/thrown.js'
import { createRelay, type Disconnection, type Relay, type RelayOptions, Sv2Session } from '../../../src/sv2/index.js'
import { dial, echo, eventually, keep, listening, PATIENCE_MS, startPool } from '../../support/network.js'
import { pattern } from '../../support/pattern.js'
import { relayOptions, startRelay } from '../../support/relay.js'
import { authority, drain, pair } from '../../support/sessions.js'
import { raw } from '../../support/sockets.js'
import { uncaught } from '../../support/uncaught.js'

/** Values that user code may throw, and how each is shown. */
const thrown: [shown: string, value: unknown][] = [
  ['Error: of the app', new Error('of the app')],
  ['TypeError: two lines', new TypeError('two\nlines')],
  ['"a string"', 'a string'],
  ['null', null],
  ['undefined', undefined],
  ['0', 0],
  ['Symbol(s)', Symbol('s')],
  ['a function', () => {}],
  ['an object', {}],
  ['an object', Object.create(null)],
  ['AggregateError: one; two', new AggregateError([new Error('one'), new Error('two'), new Error('one')])],
  [
    'a value that cannot be shown',
    {
      get message() {
        throw null
      },
    },
  ],
  [
    'a value that cannot be shown',
    new Proxy(new Error(), {
      get() {
        throw new Error('of the trap')
      },
    }),
  ],
]

const thrower = (value: unknown) => (): never => {
  throw value
}

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

describe('a thrown value', () => {
  it.each(thrown)('is shown as %s', (shown, value) => {
    expect(thrownText(value)).toBe(shown)
  })

  it('is shown in part if it is long', () => {
    expect(thrownText(new Error('x'.repeat(5000))).length).toBeLessThan(1100)
  })
})

describe('onFrame', { timeout: PATIENCE_MS }, () => {
  it.each(thrown)('ends that connection alone if it throws %s, and says so', async (shown, value) => {
    const failures = uncaught()
    const pool = await startPool((batch, peer) => {
      keep(batch, peer)
      echo(batch, peer)
    })
    const onFrame: RelayOptions['onFrame'] = ({ messageType }) => (messageType === 66 ? thrower(value)() : 'forward')
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
    ['a Proxy', () => new Proxy(new Uint8Array(1), { get: thrower('trap') })],
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
      () => Object.defineProperty(Promise.resolve(), 'constructor', { get: thrower(null) }),
      'null',
    ],
    // biome-ignore lint/suspicious/noThenProperty: that is what a thenable is
    ['a thenable', () => ({ then: thrower(0) }), '0'],
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
  it.each(thrown)('ends that connection alone if it throws %s, and says so', async (shown, value) => {
    const failures = uncaught()
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port, { maxConnections: 2 })
    const ends = endsOf(relay)
    relay.on('connection', ({ id }) => {
      if (id <= 2) thrower(value)()
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
  it.each(thrown)("stops nothing if it listens for 'disconnect' and throws %s", async (shown, value) => {
    const failures = uncaught()
    const pool = await startPool(echo)
    const { relay, port } = await startRelay(pool.port)
    const errors: Error[] = []
    relay.on('error', (error) => errors.push(error))
    relay.on('disconnect', thrower(value))
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
    relay.on('listening', thrower(null))
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
    relay.on('error', thrower('anything'))
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
    relay.emit = thrower(null)
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
      const hostile = Object.defineProperty({ ...options }, name, { get: thrower(name) })
      expect(() => createRelay(hostile)).toThrow(name)
    }
    const relay = createRelay(options)
    const hostile = Object.defineProperty({}, 'drainMs', { get: thrower('drainMs') })
    await expect(relay.close(hostile)).rejects.toBe('drainMs')
    await relay.listen()
    await relay.close()
  })
})

describe('attach', { timeout: PATIENCE_MS }, () => {
  /** Starts a server whose sessions answer each frame and then throw. */
  async function throwingServer(value: unknown, prepare: (socket: Socket) => void = () => {}) {
    const sessions: Sv2Session[] = []
    const server = createServer((socket) => {
      socket.on('error', () => {})
      prepare(socket)
      const session = Sv2Session.responder(authority)
      sessions.push(session)
      session.attach(socket, (batch) => {
        session.forward(batch, session)
        throw value
      })
    })
    return { port: await listening(server), sessions }
  }

  const read = (socket: Socket): void => {
    // Bytes that Node has already read come as `data`, not straight into memory.
    socket.unshift(Buffer.alloc(0))
    Object.defineProperty(socket, 'readableLength', { value: 1 })
  }

  it.each([
    ['straight into memory', () => {}],
    ['by data events', read],
  ])('goes on after an onBatch that throws, on a socket that is read %s', async (_, prepare) => {
    const failures = uncaught()
    for (const value of [new Error('of the app'), null, 'a string', 0]) {
      failures.length = 0
      const { port } = await throwingServer(value, prepare)
      const client = dial(port)
      await client.session.established()
      const sent = [1, 2, 3].map((messageType) => ({ messageType, payload: pattern(100_000, messageType) }))
      await client.sendAll(sent)
      await eventually(() => expect(client.frames.length).toBe(sent.length))
      expect(client.frames.every(({ payload }, index) => payload.equals(sent[index]!.payload))).toBe(true)
      await eventually(() => expect(failures.length).toBeGreaterThan(0))
      for (const failure of failures) expect(failure).toBe(value)
    }
  })

  it('still ends the connection of a session that failed behind the batch that onBatch threw at', async () => {
    const failures = uncaught()
    const { port, sessions } = await throwingServer(null)
    const session = Sv2Session.initiator({ authorityPublicKey: authority.authorityPublicKey })
    const socket = raw(port)
    socket.on('data', (chunk) => {
      if (session.state === 'handshake') session.receive(chunk)
    })
    socket.write(drain(session))
    await eventually(() => expect(session.state).toBe('transport'))
    session.send({ messageType: 1 }, pattern(10))
    socket.write(Buffer.concat([drain(session), pattern(50)]))
    await once(socket, 'close')
    // The error that `onBatch` met when it tried to answer.
    await eventually(() => expect(failures).toMatchObject([{ code: 'ERR_SV2_AEAD' }]))
    expect(sessions[0]!.error?.code).toBe('ERR_SV2_AEAD')
    await eventually(() => expect(sessions[0]!.stats().memoryBytes).toBe(0))
    session.close()
  })

  it('goes on after an async onBatch that rejects', async () => {
    const failures = uncaught()
    const server = createServer((socket) => {
      const session = Sv2Session.responder(authority)
      session.attach(socket, async (batch) => {
        session.forward(batch, session)
        throw null
      })
    })
    const client = dial(await listening(server))
    await client.session.established()
    for (const messageType of [1, 2]) {
      client.session.send({ messageType }, pattern(10))
      await eventually(() => expect(client.frames.length).toBe(messageType))
    }
    expect(failures).toEqual([null, null])
  })

  it("goes on after a listener of the socket's data that throws", async () => {
    const failures = uncaught()
    const server = createServer((socket) => {
      socket.on('error', () => {})
      const session = Sv2Session.responder(authority)
      session.attach(socket, (batch) => session.forward(batch, session))
      socket.on('data', thrower(null))
    })
    const client = dial(await listening(server))
    await client.session.established()
    client.session.send({ messageType: 1 }, pattern(100_000))
    await eventually(() => expect(client.frames.length).toBe(1))
    expect(failures.length).toBeGreaterThan(0)
  })
})
