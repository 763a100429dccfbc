import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { inspect } from '../../../index.js'
import { type Frame, Sv2Session } from '../../../src/sv2/index.js'
import { SubmitSharesSuccess } from '../../../src/sv2/messages/index.js'
import { codeOf } from '../../support/code-of.js'
import { withoutUint8Arrays } from '../../support/hidden-bytes.js'
import { dial, eventually, listening, PATIENCE_MS, quiet } from '../../support/network.js'
import { pattern } from '../../support/pattern.js'
import { authority, drain, pair, strangers } from '../../support/sessions.js'
import { settingsOf } from '../../support/socket-kinds.js'
import { connected, raw } from '../../support/sockets.js'
import { runSurviving } from '../../support/surviving-program.js'
import { rejection, THROWN, throwing, thrownBy, throwOnce, trap } from '../../support/thrown.js'
import { uncaught } from '../../support/uncaught.js'

/** Connects two sessions, each attached to its end of a connection. `responder` calls `onBatch`. */
async function wired(
  onBatch?: (payloads: string[]) => void,
): Promise<{ initiator: Sv2Session; responder: Sv2Session }> {
  const { initiator, responder } = strangers()
  const { dialled, accepted } = await connected()
  initiator.attach(dialled)
  const texts = (batch: Iterable<Frame>): string[] => [...batch].map(({ payload }) => Buffer.from(payload).toString())
  responder.attach(accepted, onBatch && ((batch) => onBatch(texts(batch))))
  await initiator.established({ timeoutMs: PATIENCE_MS })
  return { initiator, responder }
}

/** Waits until the session ends, and rejects with its error. */
async function lasting(session: Sv2Session): Promise<void> {
  for (;;) {
    await quiet()
    await session.drained()
  }
}

describe.each(THROWN)('%s, thrown', { timeout: PATIENCE_MS }, (_, thrown) => {
  it('by map of pipe() is an uncaught exception, and drops the rest of its batch alone', async () => {
    const failures = uncaught()
    const seen: string[] = []
    const from = await wired()
    const to = await wired((texts) => seen.push(...texts))
    const map = (frame: Frame): Frame => (frame.messageType === 2 ? throwing(thrown)() : frame)
    from.responder.pipe(to.initiator, map)
    const send = (messageType: number, text: string): boolean => from.initiator.send({ messageType }, Buffer.from(text))
    send(1, 'before')
    send(2, 'thrown at')
    send(1, 'rest of the batch')
    await eventually(() => expect(failures).toHaveLength(1))
    send(1, 'next batch')
    await eventually(() => expect(seen).toHaveLength(2))
    expect([seen, failures]).toEqual([['before', 'next batch'], [thrown]])
    for (const { state } of [from.responder, to.initiator]) expect(state).toBe('transport')
    from.initiator.close()
  })

  it('by a getter of what map returns is an uncaught exception, and the sessions go on', async () => {
    const failures = uncaught()
    const seen: string[] = []
    const from = await wired()
    const to = await wired((texts) => seen.push(...texts))
    const names = ['messageType', 'extensionType', 'channelMessage', 'payload']
    from.responder.pipe(to.initiator, (frame) => {
      const name = names[frame.messageType]
      return name === undefined ? frame : trap(name, thrown, { messageType: 1, payload: Buffer.from('wrong') })
    })
    for (const messageType of names.keys()) {
      from.initiator.send({ messageType }, Buffer.from('given'))
      await eventually(() => expect(failures).toHaveLength(messageType + 1))
    }
    from.initiator.send({ messageType: 9 }, Buffer.from('right'))
    await eventually(() => expect(seen).toEqual(['right']))
    expect(failures).toEqual(names.map(() => thrown))
    from.initiator.close()
  })

  it('by a getter of the options of a session makes no session', () => {
    const sessions = (): number => inspect().filter(({ kind }) => kind === 'sv2-session').length
    const before = sessions()
    const names = ['authorityPublicKey', 'maxFrameSize', 'outputSize', 'pool']
    for (const name of names) {
      expect(thrownBy(() => Sv2Session.initiator(trap(name, thrown)))).toEqual({ reason: thrown })
    }
    for (const name of [...names, 'authoritySecretKey', 'certificateValiditySeconds']) {
      const options = trap(name, thrown, authority)
      expect(thrownBy(() => Sv2Session.responder(options))).toEqual({ reason: thrown })
    }
    expect(sessions()).toBe(before)
  })

  it('by a getter of the header or the fields of send() sends nothing', () => {
    const { initiator, responder } = pair()
    for (const name of ['messageType', 'extensionType', 'channelMessage']) {
      const header = trap(name, thrown, { messageType: 1 })
      expect(thrownBy(() => initiator.send(header, Buffer.from('x')))).toEqual({ reason: thrown })
    }
    const fields = { channelId: 1, lastSequenceNumber: 2, newSubmitsAcceptedCount: 3, newSharesSum: 4n }
    for (const name of Object.keys(fields)) {
      const given = trap(name, thrown, fields)
      expect(thrownBy(() => initiator.send(SubmitSharesSuccess, given))).toEqual({ reason: thrown })
    }
    expect(initiator.output.available).toBe(0)
    initiator.send(SubmitSharesSuccess, fields)
    expect(SubmitSharesSuccess.decode(responder.receive(drain(initiator)).at(0)!.payload)).toEqual(fields)
  })

  it.each(['prependListener', 'setNoDelay', 'resume'])('by %s of the socket: attach refuses', async (method) => {
    const { dialled } = await connected()
    const before = settingsOf(dialled)
    const { initiator } = strangers()
    throwOnce(dialled, method, thrown)
    expect(thrownBy(() => initiator.attach(dialled, () => {}))).toEqual({ reason: thrown })
    expect([dialled.destroyed, settingsOf(dialled)]).toEqual([false, before])
    // The session can still be attached to this socket or another.
    initiator.attach(dialled, () => {})
  })

  it.each(['write', '_write', 'end'])(
    'by %s of the socket ends the session, which says what was thrown',
    async (method) => {
      const { dialled } = await connected()
      const { initiator } = pair()
      initiator.attach(dialled, () => {})
      Object.defineProperty(dialled, method, { value: throwing(thrown), configurable: true })
      initiator.send({ messageType: 1 }, pattern(10))
      if (method === 'end') {
        initiator.close()
        await once(dialled, 'close').catch(() => {})
      } else {
        const { reason } = await rejection(
          initiator
            .drained()
            .then(() => initiator.drained())
            .then(() => lasting(initiator)),
        )
        const { cause } = reason as Error
        expect(thrown instanceof Error ? cause : (cause as Error).cause).toBe(thrown)
        expect(initiator.error).toBe(reason)
      }
      await eventually(() => expect([dialled.destroyed, initiator.stats().memoryBytes]).toEqual([true, 0]))
    },
  )

  it.each([false, true])(
    'by pause of the socket ends the session, which says what was thrown (data: %s)',
    async (asData) => {
      const { initiator, responder } = strangers()
      const { dialled, accepted } = await connected()
      // A socket that holds bytes emits `data`.
      if (asData) accepted.unshift(drain(initiator))
      initiator.attach(dialled)
      responder.attach(accepted, () => quiet())
      await initiator.established()
      Object.defineProperty(accepted, 'pause', { value: throwing(thrown) })
      initiator.send({ messageType: 1 }, pattern(10))
      const { cause } = (await responder.closed)!
      expect(thrown instanceof Error ? cause : (cause as Error).cause).toBe(thrown)
      await eventually(() => expect([accepted.destroyed, responder.stats().memoryBytes]).toEqual([true, 0]))
      initiator.close()
    },
  )
})

it.each(['input', 'output'])('a session whose %s cannot be shown ends with its connection', async (what) => {
  const { initiator, responder } = strangers()
  const { dialled, accepted } = await connected()
  initiator.attach(dialled)
  responder.attach(accepted)
  await initiator.established()
  const [session, socket] = what === 'input' ? [responder, accepted] : [initiator, dialled]
  await withoutUint8Arrays(async () => {
    if (what === 'input') dialled.write('something')
    else initiator.send({ messageType: 1 }, pattern(10))
    expect((await session.closed)?.cause).toMatchObject({ message: 'mine' })
  })
  await eventually(() => expect([socket.destroyed, session.stats().memoryBytes]).toEqual([true, 0]))
  initiator.close()
  responder.close()
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

  it.each(['then', 'catch', 'finally'])('calls no %s that the promise of onBatch has of its own', async (method) => {
    const { initiator, responder } = strangers()
    const { dialled, accepted } = await connected()
    let batches = 0
    initiator.attach(dialled)
    responder.attach(accepted, () => {
      batches++
      return Object.defineProperty(Promise.resolve(), method, { value: throwing(new Error('mine')) })
    })
    await initiator.established()
    for (let sent = 1; sent <= 3; sent++) {
      initiator.send({ messageType: 1 }, Buffer.of(sent))
      await eventually(() => expect(batches).toBe(sent))
    }
    expect(accepted.isPaused()).toBe(false)
    initiator.close()
    responder.close()
  })

  it("goes on after a listener of the socket's data that throws", async () => {
    const failures = uncaught()
    const server = createServer((socket) => {
      socket.on('error', () => {})
      const session = Sv2Session.responder(authority)
      session.attach(socket, (batch) => session.forward(batch, session))
      socket.on('data', throwing(null))
    })
    const client = dial(await listening(server))
    await client.session.established()
    client.session.send({ messageType: 1 }, pattern(100_000))
    await eventually(() => expect(client.frames.length).toBe(1))
    expect(failures.length).toBeGreaterThan(0)
  })
})

it('a session whose output is lent is not attached', async () => {
  const { initiator } = strangers()
  const { dialled, accepted } = await connected()
  initiator.output.ioSlices(() => {
    expect(codeOf(() => initiator.attach(dialled, () => {}))).toBe('ERR_BUSY')
    return 0
  })
  const abort = new AbortController()
  const piped = rejection(initiator.output.pipeTo(dialled, { signal: abort.signal }))
  expect(codeOf(() => initiator.attach(accepted, () => {}))).toBe('ERR_BUSY')
  abort.abort('enough')
  expect(await piped).toEqual({ reason: 'enough' })
})

describe('an error that nobody can catch', { timeout: PATIENCE_MS }, () => {
  it('hides no event from a session when listeners of a socket throw it', () => {
    const told = runSurviving(`
      const { Sv2Session, generateAuthorityKeypair } = await import('./dist/src/sv2/index.js')
      const { publicKey, secretKey } = generateAuthorityKeypair()
      const results = []
      for (const thrown of THROWN) {
        const { dialled, accepted } = await connected()
        for (const event of ['data', 'end', 'error', 'close']) accepted.on(event, () => { throw thrown })
        const session = Sv2Session.responder({ authorityPublicKey: publicKey, authoritySecretKey: secretKey })
        let frames = 0
        session.attach(accepted, (batch) => { frames += batch.length })
        const client = Sv2Session.initiator()
        client.attach(dialled, () => {})
        await client.established({ timeoutMs: 5000 })
        for (let index = 0; index < 10; index++) client.send({ messageType: 1 }, Buffer.alloc(100_000)) || await client.drained({ timeoutMs: 5000 })
        while (frames < 10) await sleep(5)
        dialled.resetAndDestroy()
        const error = await session.drained().then(() => sleep(300)).then(() => session.drained()).catch((error) => error)
        results.push([session.state, error.cause?.code, session.stats().memoryBytes, accepted.listenerCount('data')])
      }
      console.log(JSON.stringify([results, uncaught.length >= 25]))`)
    expect(told).toEqual([THROWN.map(() => ['closed', 'ECONNRESET', 0, 1]), true])
  })
})
