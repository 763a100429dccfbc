import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ByteRing, FrameReader, relaySockets } from '../../../index.js'
import { readDirectly } from '../../../src/ring/sockets/direct-read.js'
import { Sv2Session } from '../../../src/sv2/index.js'
import { eventually, listening, PATIENCE_MS, quiet } from '../../support/network.js'
import { pattern } from '../../support/pattern.js'
import { authority, pair, strangers, wireOf } from '../../support/sessions.js'
import {
  deadPort,
  type Ends,
  endsOf,
  KINDS,
  type Kind,
  kept,
  settingsOf,
  TCP,
  TLS,
  UNIX,
} from '../../support/socket-kinds.js'
import { connected, received } from '../../support/sockets.js'
import { uncaught } from '../../support/uncaught.js'

type Use = 'attach' | 'relaySockets' | 'pipeTo'
const USES: Use[] = ['attach', 'relaySockets', 'pipeTo']

/** Tries `use` with `socket`, returns the error, and checks that the socket is unchanged. */
async function refused(use: Use, socket: Socket): Promise<{ code: string; cause?: { code?: string } }> {
  const before = settingsOf(socket)
  const destroyed = socket.destroyed
  let error: unknown
  if (use === 'attach') {
    const session = Sv2Session.initiator()
    const waiting = session.output.available
    try {
      session.attach(socket, () => {})
    } catch (thrown) {
      error = thrown
    }
    // The output is free, so a stream can take it.
    expect([session.state, session.output.available]).toEqual(['handshake', waiting])
    session.output.toReadable().destroy()
    session.close()
  } else if (use === 'relaySockets') {
    const { dialled } = await connected()
    const other = settingsOf(dialled)
    error = await Promise.race([
      relaySockets(socket, dialled).catch((thrown: unknown) => thrown),
      relaySockets(dialled, socket).catch((thrown: unknown) => thrown),
    ])
    expect([dialled.destroyed, settingsOf(dialled)]).toEqual([false, other])
  } else {
    const { producer, consumer } = new ByteRing(64).intoParts()
    producer.writeAll(pattern(3))
    error = await consumer.pipeTo(socket).catch((thrown: unknown) => thrown)
    expect([consumer.available, consumer.read(Buffer.alloc(8))]).toEqual([3, 3])
  }
  expect([socket.destroyed, settingsOf(socket)]).toEqual([destroyed, before])
  return error as { code: string; cause?: { code?: string } }
}

const FIRST = 5
const LARGE = 200_000

/** Uses `socket` with `use`, and checks that all bytes arrive in both directions. `resume` resumes the socket first. */
async function works(use: Use, { socket, peer }: Ends, resume = false): Promise<void> {
  if (use === 'attach') {
    const { initiator, responder } = strangers()
    const got = { initiator: 0, responder: 0 }
    // The peer starts first, so that its bytes wait where possible.
    initiator.attach(peer, (batch) => {
      for (const { payload } of batch) got.initiator += payload.length
    })
    responder.attach(socket, (batch) => {
      for (const { payload } of batch) got.responder += payload.length
    })
    if (resume) socket.resume()
    await Promise.all([initiator.established(), responder.established()])
    for (const session of [initiator, responder]) {
      for (const length of [FIRST, LARGE])
        if (!session.send({ messageType: 1 }, pattern(length))) await session.drained()
    }
    const all = FIRST + LARGE
    await eventually(() => expect(got).toEqual({ initiator: all, responder: all }))
    initiator.close()
    responder.close()
    await eventually(() => expect([socket.destroyed, peer.destroyed]).toEqual([true, true]))
    expect([initiator.error, responder.error]).toEqual([null, null])
    return
  }
  if (use === 'pipeTo') {
    const { producer, consumer } = new ByteRing(4096).intoParts()
    const piped = consumer.pipeTo(socket)
    const all = received(peer)
    producer.toWritable().end(pattern(LARGE))
    await piped
    expect((await all).equals(pattern(LARGE))).toBe(true)
    return
  }
  const other = await connected()
  const relayed = relaySockets(socket, other.dialled, { size: 4096 })
  const [atPeer, atOther] = [received(peer), received(other.accepted)]
  if (!peer.writableEnded) peer.end(pattern(LARGE))
  other.accepted.end(pattern(LARGE + 1, 7))
  expect((await atPeer).equals(pattern(LARGE + 1, 7))).toBe(true)
  const arrived = await atOther
  expect(arrived.subarray(arrived.length - LARGE).equals(pattern(LARGE)) || arrived.length === 0).toBe(true)
  expect(await relayed).toEqual({ aToB: arrived.length, bToA: LARGE + 1 })
}

type Outcome = 'works' | string
/** A state of a socket, how to reach it, and the outcome of each use: `works`, or the code of the error. */
interface State {
  name: string
  make(kind: Kind, side: 'dialled' | 'accepted'): Promise<Ends>
  outcomes: Record<Use, Outcome>
  /** Code of the error that broke the socket, if any. */
  cause?: string | undefined
  /** The socket must be resumed before bytes can come. */
  paused?: true
  only?: (kind: Kind, side: 'dialled' | 'accepted') => boolean
}

const every = (outcome: Outcome): Record<Use, Outcome> => ({ attach: outcome, relaySockets: outcome, pipeTo: outcome })
const dialled = (_: Kind, side: string): boolean => side === 'dialled'

async function listenedTo(kind: Kind, side: 'dialled' | 'accepted'): Promise<Ends> {
  const ends = await endsOf(kind, side)
  ends.socket.on('readable', () => {})
  return ends
}

const STATES: State[] = [
  { name: 'connected', make: endsOf, outcomes: every('works') },
  {
    name: 'still connecting',
    only: dialled,
    outcomes: every('works'),
    // The peer exists only once the socket has connected. Until then a socket that forwards to it stands in.
    async make(kind) {
      const standIn = await connected()
      const { socket, peer } = await kind.dial()
      void peer.then((real) => standIn.accepted.pipe(real).pipe(standIn.accepted))
      expect(socket.connecting).toBe(true)
      return { socket, peer: standIn.dialled }
    },
  },
  {
    name: 'paused',
    outcomes: every('works'),
    paused: true,
    async make(kind, side) {
      const ends = await endsOf(kind, side)
      ends.socket.pause()
      return ends
    },
  },
  {
    name: 'with bytes waiting',
    outcomes: { attach: 'ERR_SV2', relaySockets: 'works', pipeTo: 'works' },
    async make(kind, side) {
      const ends = await endsOf(kind, side)
      ends.peer.write('waiting')
      // Node reads an accepted socket from the start, and a dialled one on request.
      ends.socket.read(0)
      await eventually(() => expect(ends.socket.readableLength).toBe(7))
      return ends
    },
  },
  {
    name: 'with an encoding',
    outcomes: { attach: 'ERR_INVALID_ARG_TYPE', relaySockets: 'ERR_INVALID_ARG_TYPE', pipeTo: 'works' },
    async make(kind, side) {
      const ends = await endsOf(kind, side)
      ends.socket.setEncoding('utf8')
      return ends
    },
  },
  {
    name: 'with an onread of its own',
    only: dialled,
    outcomes: { attach: 'ERR_BUSY', relaySockets: 'ERR_BUSY', pipeTo: 'works' },
    make: (kind, side) => endsOf(kind, side, { onread: { buffer: new Uint8Array(100), callback: () => true } }),
  },
  {
    name: 'reading into a ring',
    only: dialled,
    outcomes: { attach: 'ERR_BUSY', relaySockets: 'ERR_BUSY', pipeTo: 'works' },
    make: (kind, side) => endsOf(kind, side, { onread: new ByteRing(64).intoParts().producer.onread() }),
  },
  {
    name: 'with a listener of readable that reads nothing',
    only: (kind) => kind !== TLS,
    outcomes: every('works'),
    make: listenedTo,
  },
  {
    name: 'with a listener of readable',
    only: (kind) => kind === TLS,
    outcomes: { attach: 'ERR_BUSY', relaySockets: 'ERR_BUSY', pipeTo: 'works' },
    make: listenedTo,
  },
  {
    name: 'with a session',
    outcomes: { attach: 'ERR_BUSY', relaySockets: 'ERR_BUSY', pipeTo: 'works' },
    async make(kind, side) {
      const ends = await endsOf(kind, side)
      Sv2Session.responder(authority).attach(ends.socket, () => {})
      return ends
    },
  },
  {
    name: 'ended',
    outcomes: every('ERR_CLOSED'),
    async make(kind, side) {
      const ends = await endsOf(kind, side)
      ends.socket.end()
      return ends
    },
  },
  {
    name: 'ended by its peer',
    outcomes: { attach: 'ERR_CLOSED', relaySockets: 'works', pipeTo: 'works' },
    async make(kind, side) {
      const ends = await endsOf(kind, side)
      ends.peer.end()
      ends.socket.resume()
      await once(ends.socket, 'end')
      return ends
    },
  },
  {
    name: 'destroyed',
    outcomes: every('ERR_CLOSED'),
    async make(kind, side) {
      const ends = await endsOf(kind, side)
      ends.socket.destroy()
      return ends
    },
  },
  {
    name: 'broken',
    outcomes: every('ERR_CLOSED'),
    cause: 'EMINE',
    async make(kind, side) {
      const ends = await endsOf(kind, side)
      ends.socket.destroy(Object.assign(new Error('mine'), { code: 'EMINE' }))
      await new Promise((resolve) => ends.socket.once('close', resolve))
      return ends
    },
  },
  {
    name: 'reset',
    only: (kind) => kind === TCP,
    outcomes: every('ERR_CLOSED'),
    cause: 'ECONNRESET',
    async make(kind, side) {
      const ends = await endsOf(kind, side)
      ends.peer.resetAndDestroy()
      ends.socket.resume()
      await new Promise((resolve) => ends.socket.once('close', resolve))
      return ends
    },
  },
]

describe.each(KINDS)('$name', { timeout: PATIENCE_MS }, (kind) => {
  describe.each(['dialled', 'accepted'] as const)('%s', (side) => {
    const states = STATES.filter(({ only }) => only?.(kind, side) ?? true)
    const cases = states.flatMap((state) => USES.map((use) => ({ state, name: state.name, use })))
    it.each(cases)('$name: $use', async ({ state, use }) => {
      const outcome = state.outcomes[use]
      const ends = await state.make(kind, side)
      if (outcome === 'works') {
        await works(use, ends, state.paused)
      } else if (outcome === 'ERR_SV2') {
        await takesWaitingBytes(ends)
      } else {
        const error = await refused(use, ends.socket)
        expect([error.code, error.cause?.code]).toEqual([outcome, state.cause])
      }
    })
  })
})

/** Attaches a session to a socket with waiting bytes. They do not begin a handshake, so the session fails. */
async function takesWaitingBytes({ socket, peer }: Ends): Promise<void> {
  const responder = Sv2Session.responder(authority)
  responder.attach(socket, () => {})
  peer.write(pattern(2000))
  await eventually(() => expect(responder.error?.code).toBe('ERR_SV2_AEAD'))
  expect(responder.stats().bytesIn).toBeGreaterThanOrEqual(0)
}

describe('no connection', () => {
  it.each(USES)('%s refuses a socket that was never connected', async (use) => {
    expect((await refused(use, kept(new Socket()))).code).toBe('ERR_CLOSED')
  })

  it.each(USES)('%s refuses a socket that could not connect, and says why', async (use) => {
    const socket = kept(connect(await deadPort(), '127.0.0.1'))
    await new Promise((resolve) => socket.once('close', resolve))
    const error = await refused(use, socket)
    expect([error.code, error.cause?.code]).toEqual(['ERR_CLOSED', 'ECONNREFUSED'])
  })

  it('values that are not sockets are refused', async () => {
    const { socket } = await endsOf(TCP, 'dialled')
    const none = new Duplex({ read() {}, write: (_chunk, _encoding, callback) => callback() })
    for (const value of [none, new Proxy(socket, {}), Object.create(socket), {}, null] as Socket[]) {
      const session = Sv2Session.initiator()
      expect(() => session.attach(value, () => {})).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }))
      const { consumer } = new ByteRing(64).intoParts()
      await expect(consumer.pipeTo(value)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
      await expect(relaySockets(socket, value)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
      expect(consumer.release()).toBe(true)
    }
  })
})

describe('pipes of a child process', { timeout: PATIENCE_MS }, () => {
  /** Program that echoes its standard input and descriptor 3. */
  function child() {
    const program = `
      process.stdin.pipe(process.stdout)
      const socket = new (require('node:net').Socket)({ fd: 3, allowHalfOpen: true })
      socket.pipe(socket)`
    const made = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'inherit', 'pipe'] })
    onTestFinished(() => void made.kill())
    const [stdin, stdout, , both] = made.stdio as unknown as [Socket, Socket, null, Socket]
    for (const socket of [stdin, stdout, both]) kept(socket)
    return { stdin, stdout, both }
  }

  it('work with pipeTo and are refused by attach if they are write-only', async () => {
    const { stdin, stdout } = child()
    expect((await refused('attach', stdin)).code).toBe('ERR_CLOSED')
    const { producer, consumer } = new ByteRing(4096).intoParts()
    const piped = consumer.pipeTo(stdin)
    producer.toWritable().end(pattern(100_000))
    let bytes = 0
    stdout.on('data', ({ length }) => {
      bytes += length
    })
    await piped
    await eventually(() => expect(bytes).toBe(100_000))
  })

  it('work with relaySockets and attach if they go both ways', async () => {
    const { dialled, accepted } = await connected()
    const relayed = relaySockets(child().both, dialled, { size: 4096 })
    accepted.end(pattern(100_000))
    expect((await received(accepted)).equals(pattern(100_000))).toBe(true)
    expect(await relayed).toEqual({ aToB: 100_000, bToA: 100_000 })
    const session = Sv2Session.initiator()
    session.attach(child().both, () => {})
    // The echo is the session's own first message and not an answer to it.
    await eventually(() => expect(session.stats().bytesIn).toBe(64))
    session.close()
  })
})

describe('everything fails with the error that broke the socket', { timeout: PATIENCE_MS }, () => {
  it('a session: as its error, and as the cause of rejections', async () => {
    const socket = kept(connect(await deadPort(), '127.0.0.1'))
    const session = Sv2Session.initiator()
    session.attach(socket, () => {})
    const error = (await session.established().catch((thrown: unknown) => thrown)) as Error & { code: string }
    expect([error.code, error.cause]).toEqual(['ERR_SV2_STATE', expect.objectContaining({ code: 'ECONNREFUSED' })])
    expect(error.message).toContain('ECONNREFUSED')
    expect(session.error).toBe(error)
    for (const promise of [session.established(), session.drained()]) await expect(promise).rejects.toBe(error)
    for (const call of [() => session.send({ messageType: 1 }, pattern(1)), () => session.receive(pattern(1))]) {
      expect(call).toThrow(error)
    }
    expect(() => session.forward({ [Symbol.iterator]: () => [].values() } as never, session)).toThrow()
  })

  it.each<[string, unknown, string]>([
    ['an Error', new Error('mine'), 'mine'],
    ['a string', 'mine', 'mine'],
    ['an Error without a message', Object.assign(new Error(), { code: 'ECODE' }), 'ECODE'],
    ['several', new AggregateError([new Error('one'), new Error('two')]), 'one; two'],
    ['an Error whose message is none', Object.assign(new Error('x'), { message: 5 }), 'broke: Error'],
  ])('a session whose socket is destroyed with %s', async (_, thrown, text) => {
    const { socket } = await endsOf(TCP, 'dialled')
    const session = Sv2Session.initiator()
    session.attach(socket, () => {})
    socket.destroy(thrown as Error)
    const error = (await session.established().catch((error: unknown) => error)) as Error
    expect(error.message).toContain(text)
    const { cause } = error
    expect(thrown instanceof Error ? cause : (cause as Error).cause).toBe(thrown)
    expect(session.error).toBe(error)
  })

  it('a session whose socket is closed has no error', async () => {
    const { socket } = await endsOf(TCP, 'dialled')
    const session = Sv2Session.initiator()
    session.attach(socket, () => {})
    socket.destroy()
    await expect(session.established()).rejects.toMatchObject({ code: 'ERR_SV2_STATE' })
    expect(session.error).toBeNull()
  })

  it.each(KINDS)('pipeTo and relaySockets: $name', async (kind) => {
    const why = new Error('mine')
    const first = await endsOf(kind, 'dialled')
    const { consumer } = new ByteRing(64).intoParts()
    const piped = consumer.pipeTo(first.socket)
    first.socket.destroy(why)
    await expect(piped).rejects.toBe(why)
    expect(consumer.release()).toBe(true)
    const second = await endsOf(kind, 'dialled')
    const { dialled } = await connected()
    const relayed = relaySockets(dialled, second.socket)
    second.socket.destroy(why)
    await expect(relayed).rejects.toBe(why)
    expect(dialled.destroyed).toBe(true)
  })
})

describe.each([TCP, UNIX])('a socket that is reused: $name', { timeout: PATIENCE_MS }, (kind) => {
  it('is unchanged after every use', async () => {
    const server = createServer({ allowHalfOpen: true })
    const port = await listening(server)
    const socket = kept(new Socket())
    const before = settingsOf(socket)
    for (let round = 0; round < 12; round++) {
      // The other end of every connection has the kind under test.
      const { socket: other, peer: otherPeer } = await endsOf(kind, 'dialled')
      const accepting = once(server, 'connection')
      socket.connect(port, '127.0.0.1')
      await once(socket, 'connect')
      const [peer] = (await accepting) as [Socket]
      kept(peer)
      const closed = new Promise((resolve) => socket.once('close', resolve))
      if (round % 3 === 0) {
        await works('attach', { socket, peer })
      } else if (round % 3 === 1) {
        const relayed = relaySockets(socket, other)
        const [atPeer, atOther] = [received(peer), received(otherPeer)]
        peer.end(pattern(1000, round))
        otherPeer.end(pattern(1001, round))
        expect([await atPeer, await atOther]).toEqual([pattern(1001, round), pattern(1000, round)])
        await relayed
      } else {
        await works('pipeTo', { socket, peer })
        peer.end()
        socket.resume()
      }
      await closed
      await quiet()
      expect(socket.listenerCount('end') - 1).toBeLessThanOrEqual(1)
      const after = settingsOf(socket) as { internals: unknown; allowHalfOpen: unknown }
      expect(after).toMatchObject({
        internals: (before as typeof after).internals,
        allowHalfOpen: (before as typeof after).allowHalfOpen,
      })
      for (const event of ['data', 'close', 'finish']) expect(socket.listenerCount(event)).toBe(0)
    }
  })

  it('neither loses nor delays bytes that its next connection brings before a listener', async () => {
    const server = createServer((peer) => {
      kept(peer)
      Sv2Session.initiator().attach(peer, () => {})
    })
    const port = await listening(server)
    const socket = kept(new Socket())
    for (const hold of [false, true, false]) {
      const { responder } = strangers()
      socket.connect(port, '127.0.0.1')
      await once(socket, 'connect')
      // The first bytes of the other end have come, and no code has asked for them.
      await quiet()
      responder.attach(socket, () => {})
      await responder.established({ timeoutMs: 5000 })
      // A session whose answers pile up pauses the socket, too.
      if (hold) socket.pause()
      const closed = once(socket, 'close')
      socket.destroy()
      await closed
    }
  })
})

/** Begins to use `socket`, with `other` where two are needed. Each promise settles when the connection is over. */
const begin: Record<'attach' | 'relaySockets' | 'FrameReader', (socket: Socket, other: Socket) => Promise<unknown>> = {
  attach: (socket) => {
    const session = Sv2Session.initiator()
    session.attach(socket, () => {})
    return session.established()
  },
  relaySockets: (socket, other) => relaySockets(socket, other),
  FrameReader: (socket) => FrameReader.delimited({ maxFrameLength: 100 }).attach(socket, () => {}),
}

describe('a socket whose own method throws when it is to be destroyed', { timeout: PATIENCE_MS }, () => {
  const mine = new Error('mine')
  const thrower = (): never => {
    throw mine
  }
  /** Node's own methods are called, too: before the throw, or by a method that a script sets while the socket is in use. */
  const methods: Record<string, (socket: Socket, name: 'destroy' | '_destroy') => void> = {
    'from the beginning': (socket, name) => {
      socket[name] = thrower
    },
    'set later': (socket, name) => {
      setTimeout(() => {
        socket[name] = thrower
      })
    },
    'set later, and calls the one before it': (socket, name) => {
      setTimeout(() => {
        const before = socket[name] as (...args: unknown[]) => unknown
        socket[name] = (...args: unknown[]) => {
          before.apply(socket, args)
          return thrower()
        }
      })
    },
    'that calls the one before it': (socket, name) => {
      const before = socket[name] as (...args: unknown[]) => unknown
      socket[name] = (...args: unknown[]) => {
        before.apply(socket, args)
        return thrower()
      }
    },
  }
  const endings: Record<string, (socket: Socket, peer: Socket) => void> = {
    'a reset': (_, peer) => peer.resetAndDestroy(),
    'an end': (_, peer) => peer.end(),
    'destroy()': (socket) => {
      expect(() => socket.destroy(new Error('why'))).not.toThrow()
    },
  }
  const cases = (['destroy', '_destroy'] as const).flatMap((name) =>
    Object.entries(methods).flatMap(([when, replace]) =>
      Object.entries(endings)
        // The caller gets what its own method throws.
        .filter(([how]) => how !== 'destroy()' || name === '_destroy')
        .flatMap(([how, end]) =>
          Object.entries(begin).map(([use, start]) => ({ name, when, how, use, replace, end, start })),
        ),
    ),
  )

  it.each(cases)('$name() $when: $use is over after $how', async ({ name, replace, start, end }) => {
    const later = uncaught()
    const { socket, peer } = await endsOf(TCP, 'accepted')
    const { dialled, accepted } = await connected()
    socket.on('error', () => {})
    const closed = new Promise((resolve) => socket.once('close', resolve))
    replace(socket, name)
    const used = start(socket, dialled).catch((thrown: unknown) => thrown)
    onTestFinished(() => void Reflect.deleteProperty(socket, name))
    await quiet()
    end(socket, peer)
    // These sockets may be open on one side alone.
    if (!peer.destroyed) peer.resume()
    for (const each of [accepted, socket]) if (!each.destroyed) each.end()
    await Promise.all([used, closed])
    expect(socket.destroyed).toBe(true)
    expect(later.every((error) => error === mine)).toBe(true)
    for (const event of ['data', 'finish']) expect(socket.listenerCount(event)).toBe(0)
  })

  it.each(
    (['readableEnded', 'writableFinished'] as const).flatMap((name) =>
      Object.entries(begin).map(([use, start]) => ({ name, use, start })),
    ),
  )('$use is over when the getter $name throws', async ({ name, start }) => {
    const { socket, peer } = await endsOf(TCP, 'accepted')
    const { dialled, accepted } = await connected()
    const closed = new Promise((resolve) => socket.on('error', () => {}).once('close', resolve))
    const used = start(socket, dialled).catch((thrown: unknown) => thrown)
    await quiet()
    Object.defineProperty(socket, name, { get: thrower, configurable: true })
    onTestFinished(() => void Reflect.deleteProperty(socket, name))
    for (const each of [peer, accepted]) each.end()
    if (!socket.destroyed) socket.end()
    await Promise.all([used, closed])
    expect(socket.destroyed).toBe(true)
  })

  it.each(['destroy', '_destroy'] as const)('keeps the %s() that a script has set meanwhile', async (name) => {
    const { socket } = await endsOf(TCP, 'dialled')
    const used = begin.FrameReader(socket, socket).catch((thrown: unknown) => thrown)
    const own = socket[name]
    const calls: unknown[] = []
    const set = (...args: unknown[]): unknown => {
      calls.push(args[0])
      return (own as (...args: unknown[]) => unknown).apply(socket, args)
    }
    socket[name] = set as never
    const why = new Error('why')
    socket.destroy(why)
    expect(((await used) as Error).cause).toBe(why)
    expect([socket[name], calls]).toEqual([set, [why]])
  })

  it('keeps no watching of its methods when a getter for one throws', async () => {
    const { socket } = await endsOf(TCP, 'dialled')
    const own = Object.getOwnPropertySymbols(socket)
    Object.defineProperty(socket, 'destroy', { get: thrower, configurable: true })
    const used = begin.FrameReader(socket, socket)
    await expect(used).rejects.toBe(mine)
    Reflect.deleteProperty(socket, 'destroy')
    expect(socket.destroyed).toBe(true)
    expect(Object.hasOwn(socket, '_destroy')).toBe(false)
    expect(Object.getOwnPropertySymbols(socket)).toEqual(own)
  })

  it.each(['destroy', '_destroy'] as const)('calls a %s() of its class that is set meanwhile', async (name) => {
    class Own extends Socket {}
    const server = createServer(kept)
    const socket = kept(new Own())
    socket.connect(await listening(server), '127.0.0.1')
    await new Promise((resolve) => socket.once('connect', resolve))
    const used = begin.FrameReader(socket, socket)
    let calls = 0
    Object.defineProperty(Own.prototype, name, {
      value(this: Socket, ...args: []) {
        calls++
        return Reflect.apply(Socket.prototype[name], this, args)
      },
    })
    socket.destroy()
    await expect(used).rejects.toThrow('the socket was closed before its end')
    expect(calls).toBe(1)
  })

  it('keeps the connection that its destroy() makes before it throws', async () => {
    const peers: Socket[] = []
    const server = createServer((socket) => void peers.push(kept(socket)))
    const port = await listening(server)
    const socket = kept(new Socket())
    socket.connect(port, '127.0.0.1')
    await new Promise((resolve) => socket.once('connect', resolve))
    const stop = new AbortController()
    const used = FrameReader.delimited({ maxFrameLength: 100 }).attach(socket, () => {}, { signal: stop.signal })
    socket.destroy = (error) => {
      Reflect.deleteProperty(socket, 'destroy')
      socket.destroy(error)
      socket.connect(port, '127.0.0.1')
      return thrower()
    }
    stop.abort(mine)
    await expect(used).rejects.toBe(mine)
    await eventually(() => expect(peers.length).toBe(2))
    await quiet()
    expect([socket.destroyed, socket.readyState]).toEqual([false, 'open'])
  })
})

it.each(['first', 'second'])('a socket keeps nothing of a reader whose %s place cannot be shown', async (which) => {
  const mine = new Error('mine')
  const { socket, peer } = await endsOf(TCP, 'dialled')
  socket.on('error', () => {})
  const { internals } = settingsOf(socket) as { internals: unknown }
  let places = which === 'first' ? 0 : 1
  const read = (): void => {
    const direct = readDirectly(socket, {
      next: () => {
        if (places-- === 0) throw mine
        return new Uint8Array(8)
      },
      filled: () => true,
      failed: (error) => {
        direct!.restore()
        socket.destroy(error as Error)
      },
    })
  }
  if (which === 'first') {
    expect(read).toThrow(mine)
  } else {
    read()
    peer.write('a')
    socket.resume()
    await new Promise((resolve) => socket.once('close', resolve))
    expect(socket.errored).toBe(mine)
  }
  expect(settingsOf(socket)).toMatchObject({ internals })
})

it('a socket that is in use has properties that V8 finds fast', async () => {
  setFlagsFromString('--allow-natives-syntax')
  const isFast = new Function('object', 'return %HasFastProperties(object)') as (object: object) => boolean
  setFlagsFromString('--no-allow-natives-syntax')
  for (let round = 0; round < 3; round++) {
    const { socket, peer } = await endsOf(TCP, 'accepted')
    expect(isFast(socket)).toBe(true)
    const used = begin.FrameReader(socket, socket)
    expect(isFast(socket)).toBe(true)
    peer.end()
    await used
  }
})

describe('a socket with a _destroy() of its own', { timeout: PATIENCE_MS }, () => {
  it.each(['attach', 'relaySockets'] as const)('that cannot be replaced: %s works', async (use) => {
    const { socket, peer } = await endsOf(TCP, 'dialled')
    Object.defineProperty(socket, '_destroy', { value: socket._destroy, writable: false, configurable: false })
    await works(use, { socket, peer })
  })

  it('that leaves the handle open reads no more', async () => {
    const { socket, peer } = await endsOf(TCP, 'dialled')
    const { _handle: handle } = socket as unknown as { _handle: { bytesRead: number; close(): void } }
    onTestFinished(() => handle.close())
    socket._destroy = (error, callback) => {
      callback(error)
      process.nextTick(() => socket.emit('close'))
    }
    let batches = 0
    const reading = FrameReader.delimited({ maxFrameLength: 100 }).attach(socket, () => {
      batches++
    })
    peer.write('early\n')
    await eventually(() => expect(batches).toBe(1))
    socket.destroy()
    peer.write('late\n')
    await expect(reading).rejects.toThrow()
    await quiet()
    expect(handle.bytesRead).toBe(6)
  })
})

describe('a socket that connects again before its close', { timeout: PATIENCE_MS }, () => {
  const why = Object.assign(new Error('mine'), { code: 'EMINE' })
  const ways: [string, (socket: Socket, again: () => void) => void][] = [
    [
      'at once',
      (socket, again) => {
        socket.destroy(why)
        again()
      },
    ],
    ['in a listener of error', (socket, again) => socket.once('error', again).destroy(why)],
    [
      'in a listener of close that comes first',
      (socket, again) => socket.prependOnceListener('close', again).destroy(why),
    ],
  ]
  const cases = ways.flatMap(([name, way]) => Object.entries(begin).map(([use, start]) => ({ name, way, use, start })))

  it.each(cases)('$name: $use leaves the new connection alone', async ({ way, start }) => {
    const peers: { socket: Socket; bytes: string }[] = []
    const server = createServer((socket) => {
      const peer = { socket: kept(socket), bytes: '' }
      peers.push(peer)
      socket.on('data', (chunk) => {
        peer.bytes += chunk
      })
      socket.write('welcome')
    })
    const port = await listening(server)
    const socket = kept(new Socket())
    const before = settingsOf(socket)
    socket.connect(port, '127.0.0.1')
    await new Promise((resolve) => socket.once('connect', resolve))
    const { dialled, accepted } = await connected()
    const used = start(socket, dialled).catch((thrown: unknown) => thrown)
    await quiet()
    way(socket, () => socket.connect(port, '127.0.0.1'))
    const error = (await used) as Error
    expect([error, error.cause]).toContain(why)
    if (dialled.destroyed) accepted.destroy()
    await eventually(() => expect(peers.length).toBe(2))
    let got = ''
    socket.on('data', (chunk) => {
      got += chunk
    })
    socket.write('new')
    await eventually(() => expect([got, peers[1]!.bytes]).toEqual(['welcome', 'new']))
    expect([socket.destroyed, Object.hasOwn(socket, '_destroy')]).toEqual([false, false])
    expect(settingsOf(socket)).toMatchObject({
      internals: (before as { internals: unknown }).internals,
      allowHalfOpen: (before as { allowHalfOpen: unknown }).allowHalfOpen,
    })
    for (const event of ['close', 'finish']) expect(socket.listenerCount(event)).toBe(0)
    expect(socket.listenerCount('data')).toBe(1)
  })

  it.each(['at once', 'in onBatch', 'after the end'])(
    'is neither paused nor ended by its last reader: %s',
    async (when) => {
      const peers: Socket[] = []
      const server = createServer({ allowHalfOpen: true }, (peer) => {
        peers.push(kept(peer))
        peer.pipe(peer)
        if (peers.length === 1) peer.write('one\n')
      })
      const port = await listening(server)
      const socket = kept(new Socket())
      socket.connect(port, '127.0.0.1')
      const again = (): void => {
        socket.destroy()
        socket.connect(port, '127.0.0.1')
      }
      let open = (): void => {}
      const gate = new Promise<void>((resolve) => {
        open = resolve
      })
      let batches = 0
      const used = FrameReader.delimited({ maxFrameLength: 100 }).attach(socket, () => {
        batches++
        if (when === 'in onBatch') again()
        return gate
      })
      const settled = used.catch(() => {})
      await eventually(() => expect(batches).toBe(1))
      if (when === 'after the end') {
        peers[0]!.end()
        // The end comes while the batch is dealt with.
        socket.resume()
        await eventually(() => expect(socket.readableEnded).toBe(true))
      }
      if (when !== 'in onBatch') again()
      let got = ''
      socket.on('data', (chunk) => {
        got += chunk
      })
      await eventually(() => expect(peers.length).toBe(2))
      open()
      await settled
      await quiet()
      socket.write('new')
      await eventually(() => expect(got).toBe('new'))
      expect([socket.destroyed, socket.writableEnded]).toEqual([false, false])
    },
  )

  it('gets no bytes of its last session back', async () => {
    const { initiator, responder } = pair()
    const frames = Array.from({ length: 100 }, () => wireOf(initiator, { messageType: 1 }, Buffer.alloc(2000)))
    const peers: Socket[] = []
    const server = createServer((peer) => peers.push(kept(peer)))
    const port = await listening(server)
    const socket = kept(new Socket())
    socket.connect(port, '127.0.0.1')
    await eventually(() => expect(peers.length).toBe(1))
    // More than the session takes at a time.
    socket.unshift(Buffer.concat(frames))
    let batches = 0
    responder.attach(socket, async () => {
      batches++
      socket.destroy()
      socket.connect(port, '127.0.0.1')
    })
    await eventually(() => expect(peers.length).toBe(2))
    await responder.closed
    let got = ''
    socket.on('data', (chunk: Buffer) => {
      got += chunk.toString('latin1')
    })
    peers[1]!.write('new')
    await eventually(() => expect(got).not.toBe(''))
    expect([batches, got]).toEqual([1, 'new'])
  })

  it('takes a session for the new connection', async () => {
    const server = createServer((peer) => Sv2Session.responder(authority).attach(kept(peer), () => {}))
    const port = await listening(server)
    const socket = kept(new Socket())
    socket.connect(port, '127.0.0.1')
    const first = Sv2Session.initiator()
    first.attach(socket, () => {})
    await first.established()
    const second = Sv2Session.initiator()
    // Node itself fails what is written to a socket that connects before the last close.
    socket.once('error', () => socket.connect(port, '127.0.0.1', () => second.attach(socket, () => {})))
    socket.destroy(why)
    await second.established()
    expect([first.error?.cause, second.state, socket.destroyed]).toEqual([why, 'transport', false])
    second.close()
  })
})

describe('a full ring', { timeout: PATIENCE_MS }, () => {
  it.each(KINDS)('neither spins nor stalls nor loses bytes: onread over $name', async (kind) => {
    for (const size of [2, 4096, 65_536]) {
      const { producer, consumer } = new ByteRing(size).intoParts()
      const { socket, peer } = await endsOf(kind, 'dialled', { onread: producer.onread() })
      const length = size === 2 ? 3000 : 1_000_000
      socket.on('end', () => producer.end())
      // Releasing the producer must not lose bytes that have come and are not in the ring.
      socket.on('close', () => producer.release())
      socket.end()
      peer.end(pattern(length))
      await quiet()
      // The reader is slower than the network at first, and then faster.
      const chunks: Buffer[] = []
      for (let turn = 0; (await consumer.readable()) > 0; turn++) {
        const chunk = Buffer.alloc(turn < 20 ? Math.ceil(size / 3) : size)
        chunks.push(chunk.subarray(0, consumer.read(chunk)))
        if (turn < 20) await new Promise(setImmediate)
      }
      expect(Buffer.concat(chunks).equals(pattern(length))).toBe(true)
      await eventually(() => expect(producer.release()).toBe(false))
      expect(consumer.release()).toBe(true)
    }
  })

  it.each(KINDS)('stops the reading of $name with onread once its consumer has ended', async (kind) => {
    const { producer, consumer } = new ByteRing(4096).intoParts()
    const { socket, peer } = await endsOf(kind, 'dialled', { onread: producer.onread() })
    consumer.release()
    expect(producer.ended).toBe(true)
    peer.write(pattern(100_000))
    await eventually(() => expect(socket.bytesRead).toBeGreaterThan(0))
    await quiet()
    const read = socket.bytesRead
    peer.end(pattern(1_000_000))
    await quiet()
    expect([socket.bytesRead, socket.readableEnded]).toEqual([read, false])
    const closed = once(socket, 'close')
    socket.destroy()
    await closed
    expect(producer.release()).toBe(true)
  })

  it.each(KINDS)('takes all bytes when other code resumes the socket: $name', async (kind) => {
    const { socket, peer } = await endsOf(kind, 'accepted')
    const other = await connected()
    const relayed = relaySockets(socket, other.dialled, { size: 4096 })
    peer.write(pattern(3_000_000))
    const resuming = setInterval(() => socket.resume(), 1)
    await quiet()
    await quiet()
    clearInterval(resuming)
    peer.end()
    other.accepted.end()
    expect((await received(other.accepted)).equals(pattern(3_000_000))).toBe(true)
    peer.resume()
    expect(await relayed).toEqual({ aToB: 3_000_000, bToA: 0 })
  })

  it('does not spin when other code resumes the socket of a session that is on hold', async () => {
    const { socket, peer } = await endsOf(TLS, 'accepted')
    const { initiator, responder } = strangers()
    initiator.attach(peer, () => {})
    responder.attach(socket, (batch) => {
      // The peer does not read, so answers pile up.
      for (const { payload } of batch)
        for (let copy = 0; copy < 100; copy++) responder.send({ messageType: 1 }, payload)
    })
    await Promise.all([initiator.established(), responder.established()])
    peer.pause()
    const resuming = setInterval(() => socket.resume(), 1)
    for (let index = 0; index < 40; index++) initiator.send({ messageType: 1 }, pattern(50_000))
    let turns = 0
    const turning = setInterval(() => turns++, 5)
    await eventually(() => expect(turns).toBeGreaterThan(20))
    clearInterval(resuming)
    clearInterval(turning)
    peer.resume()
    await eventually(() => expect(initiator.stats().framesIn).toBe(4000))
    for (const session of [initiator, responder]) session.close()
  })
})
