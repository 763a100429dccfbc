import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { Sv2Session } from '../../../src/sv2/index.js'
import { codeOf, codeOfRejection } from '../../support/code-of.js'
import { dial, echo, eventually, keep, listening, PATIENCE_MS, Peer, quiet, startPool } from '../../support/network.js'
import { pattern } from '../../support/pattern.js'
import { runProgram } from '../../support/program.js'
import { authority, type FrameCopy, pair } from '../../support/sessions.js'

function frames(count: number, length: number): FrameCopy[] {
  return Array.from({ length: count }, (_, index) => ({ messageType: index & 0xff, payload: pattern(length, index) }))
}

/** A listener that does nothing. */
function drop(): void {}

/** Connects a client and its server, and completes their handshake. */
async function connected(onServer = keep, onClient = keep): Promise<{ client: Peer; server: Peer }> {
  const pool = await startPool(onServer)
  const client = dial(pool.port, {}, onClient)
  await eventually(() =>
    expect([client.session.state, pool.peers[0]?.session.state]).toEqual(['transport', 'transport']),
  )
  return { client, server: pool.peers[0]! }
}

describe('attach', { timeout: PATIENCE_MS }, () => {
  it('shakes hands, and carries frames both ways in order', async () => {
    const { client, server } = await connected(echo)
    const sent = [...frames(500, 100), ...frames(3, 300_000), ...frames(500, 0)]
    await client.sendAll(sent)
    await eventually(() => expect(client.frames.length).toBe(sent.length))
    expect(client.frames).toEqual(sent)
    expect(server.session.stats()).toMatchObject({ framesIn: sent.length, framesOut: sent.length })
  })

  it('sends frames of any time, and bytes that were in the output before', async () => {
    const { initiator, responder } = pair()
    initiator.send({ messageType: 1 }, pattern(10))
    const received: number[] = []
    const server = createServer((socket) => {
      responder.attach(socket, (batch) => {
        for (const { messageType } of batch) received.push(messageType)
      })
    })
    const socket = connect(await listening(server), '127.0.0.1')
    // The socket is not connected yet, so the bytes wait in it.
    initiator.attach(socket, () => {})
    initiator.send({ messageType: 2 }, pattern(10))
    await eventually(() => expect(received).toEqual([1, 2]))
    initiator.send({ messageType: 3 }, pattern(10))
    await eventually(() => expect(received).toEqual([1, 2, 3]))
    initiator.close()
    await eventually(() => expect(responder.state).toBe('closed'))
  })

  it('gives batches that can be retained', async () => {
    const kept: Iterable<{ payload: Uint8Array }>[] = []
    const { client } = await connected((batch) => kept.push(batch.retain()))
    for (let index = 0; index < 3; index++) {
      await client.sendAll([{ messageType: 1, payload: pattern(50, index) }])
      await eventually(() => expect(kept.length).toBe(index + 1))
    }
    expect(kept.flatMap((batch) => [...batch].map(({ payload }) => Buffer.from(payload)))).toEqual(
      [0, 1, 2].map((index) => pattern(50, index)),
    )
  })

  describe.each<[string, (socket: Socket) => void]>([
    ['has', (socket) => socket.on('readable', () => {})],
    ['has just lost', (socket) => socket.on('readable', drop).off('readable', drop)],
  ])('to a socket that %s a listener of readable', (_, listen) => {
    it('reads', async () => {
      const pool = await startPool(echo)
      const socket = connect(pool.port, '127.0.0.1')
      await once(socket, 'connect')
      listen(socket)
      const client = new Peer(Sv2Session.initiator(authority), socket, keep)
      await client.session.established()
    })
  })

  it('reads on where a listener of readable has read', async () => {
    const server = createServer((socket) => {
      socket.once('readable', () => {
        expect(String(socket.read())).toBe('head')
        socket.write('go on')
        new Peer(Sv2Session.responder(authority), socket, echo)
      })
    })
    const socket = connect(await listening(server), '127.0.0.1')
    socket.write('head')
    await once(socket, 'data')
    const client = new Peer(Sv2Session.initiator(authority), socket, keep)
    await client.session.established()
    await client.sendAll(frames(2, 10))
    await eventually(() => expect(client.frames.length).toBe(2))
  })

  it('refuses bytes that a listener of readable is to read, and changes nothing', async () => {
    const pool = await startPool(echo)
    const socket = connect(pool.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.unshift(Buffer.from('head'))
    socket.on('readable', drop)
    const session = Sv2Session.initiator(authority)
    expect(codeOf(() => session.attach(socket, () => {}))).toBe('ERR_BUSY')
    expect(socket.listenerCount('data')).toBe(0)
    socket.off('readable', drop)
    expect(String(socket.read())).toBe('head')
    const client = new Peer(session, socket, keep)
    await client.session.established()
  })

  it('takes one socket', async () => {
    const { client } = await connected()
    expect(codeOf(() => client.session.attach(client.socket, () => {}))).toBe('ERR_BUSY')
    const { initiator } = pair()
    expect(codeOf(() => initiator.attach(client.socket, null as never))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => initiator.attach({} as never, () => {}))).toBe('ERR_INVALID_ARG_TYPE')
    client.socket.destroy()
    expect(codeOf(() => initiator.attach(client.socket, () => {}))).toBe('ERR_CLOSED')
    initiator.close()
    expect(codeOf(() => initiator.attach(client.socket, () => {}))).toBe('ERR_SV2_STATE')
  })
})

describe('backpressure', { timeout: PATIENCE_MS }, () => {
  it('reaches the sender when the other end does not read, and loses nothing', async () => {
    const { client, server } = await connected()
    client.socket.pause()
    const sent = frames(20_000, 1000)
    let done = false
    const sending = server.sendAll(sent).then(() => {
      done = true
    })
    await quiet()
    expect(done).toBe(false)
    // Only the ring, and the part of it that the socket has, hold bytes.
    expect(server.session.stats().memoryBytes).toBeLessThan(80_000)
    expect(server.socket.writableLength).toBeLessThanOrEqual(65_536)
    client.socket.resume()
    await sending
    await eventually(() => expect(client.frames.length).toBe(sent.length))
    expect(client.frames.every(({ payload }, index) => payload.equals(sent[index]!.payload))).toBe(true)
  })

  it('stops a session that answers from reading until its answers are taken', async () => {
    const { client, server } = await connected(echo)
    client.socket.pause()
    const sent = frames(20_000, 1000)
    const sending = client.sendAll(sent)
    await quiet()
    expect(server.session.stats().framesIn).toBeLessThan(sent.length)
    expect(server.session.stats().memoryBytes).toBeLessThan(300_000)
    client.socket.resume()
    await sending
    await eventually(() => expect(client.frames.length).toBe(sent.length))
    expect(client.frames.every(({ payload }, index) => payload.equals(sent[index]!.payload))).toBe(true)
  })

  it('does not stop a session that only sends from reading, or two would wait for each other', async () => {
    // Far more than sockets hold, so neither end can continue without reading.
    const sent = frames(40_000, 1000)
    const { client, server } = await connected()
    await Promise.all([client.sendAll(sent), server.sendAll(sent)])
    await eventually(() => expect([client.frames.length, server.frames.length]).toEqual([sent.length, sent.length]))
  })
})

describe('the end', { timeout: PATIENCE_MS }, () => {
  it('comes in one direction and leaves the other: every answer comes, then the end', async () => {
    const { client, server } = await connected(echo)
    const sent = frames(5000, 1000)
    const sending = client.sendAll(sent)
    client.socket.pause()
    await quiet()
    client.socket.resume()
    await sending
    await client.end()
    await eventually(() => expect(client.ended).toBe(true))
    expect(client.frames.length).toBe(sent.length)
    await eventually(() => expect([client.closed, server.closed]).toEqual([true, true]))
    expect([client.error, server.error, client.session.error, server.session.error]).toEqual([null, null, null, null])
    expect([client.session.state, server.session.state]).toEqual(['closed', 'closed'])
    expect([client.session.stats().memoryBytes, server.session.stats().memoryBytes]).toEqual([0, 0])
  })

  it('waits for the answers that the other end is slow to read', async () => {
    const { client, server } = await connected((batch, { session }) => {
      for (const { payload } of batch)
        for (let copy = 0; copy < 200; copy++) session.send({ messageType: copy }, payload)
    })
    client.socket.pause()
    await client.sendAll(frames(1, 100_000))
    await client.end()
    await quiet()
    expect(server.closed).toBe(false)
    client.socket.resume()
    await eventually(() => expect(client.ended).toBe(true))
    expect(client.frames.length).toBe(200)
    expect(server.error).toBeNull()
  })

  it('comes when a session is closed, after the frames that it had sent', async () => {
    const { client, server } = await connected()
    const sent = frames(2000, 10_000)
    for (const { messageType, payload } of sent) client.session.send({ messageType }, payload)
    client.session.close()
    expect(client.session.state).toBe('closed')
    expect(codeOf(() => client.session.send({ messageType: 1 }, pattern(1)))).toBe('ERR_SV2_STATE')
    await eventually(() => expect([client.closed, server.closed]).toEqual([true, true]))
    expect(server.frames.length).toBe(sent.length)
    expect([client.error, server.error]).toEqual([null, null])
    expect(client.session.stats()).toMatchObject({ framesOut: sent.length, memoryBytes: 0 })
  })

  it('waits for a slow reader of a closed session until the socket is destroyed', async () => {
    const { client, server } = await connected()
    client.socket.pause()
    const sending = codeOfRejection(server.sendAll(frames(100_000, 1000)))
    await quiet()
    server.session.close()
    expect(await sending).toBe('ERR_SV2_STATE')
    expect(server.session.stats().memoryBytes).toBeGreaterThan(0)
    server.socket.destroy()
    await eventually(() => expect(server.session.stats().memoryBytes).toBe(0))
  })

  it('does not come to a session that still sends when its peer ends', async () => {
    const { client, server } = await connected()
    const sending = server.sendAll(frames(20_000, 1000))
    await client.end()
    await sending
    await eventually(() => expect(client.ended).toBe(true))
    expect(client.frames.length).toBe(20_000)
  })

  it('comes with close(), and not with the end of the peer, on a socket that allows half-open', async () => {
    const { initiator, responder } = pair()
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      responder.attach(socket, () => {})
      socket.on('end', async () => {
        await quiet()
        for (const { messageType, payload } of frames(1000, 1000)) responder.send({ messageType }, payload)
        responder.close()
      })
    })
    const client = new Peer(initiator, connect(await listening(server), '127.0.0.1'), keep)
    await client.end()
    await eventually(() => expect(client.ended).toBe(true))
    expect(client.frames.length).toBe(1000)
    await eventually(() => expect(responder.stats().memoryBytes).toBe(0))
  })

  it.each(['initiator', 'responder'] as const)(
    'comes to an %s whose peer ends within the handshake, on a socket that allows half-open',
    async (role) => {
      const session = role === 'initiator' ? Sv2Session.initiator() : Sv2Session.responder(authority)
      const server = createServer({ allowHalfOpen: true }, (socket) => session.attach(socket, () => {}))
      const socket = connect(await listening(server), '127.0.0.1')
      socket.end(pattern(30))
      await ended(socket)
      await expect(session.established()).rejects.toMatchObject({ code: 'ERR_SV2_STATE' })
      await eventually(() => expect(session.stats().memoryBytes).toBe(0))
    },
  )

  it('comes to the session when its socket is destroyed: waits reject, memory goes back', async () => {
    const { client, server } = await connected()
    client.socket.pause()
    const sending = codeOfRejection(server.sendAll(frames(100_000, 1000)))
    await quiet()
    client.socket.resetAndDestroy()
    expect(await sending).toBe('ERR_SV2_STATE')
    await eventually(() => expect(server.closed).toBe(true))
    expect(server.session.state).toBe('closed')
    expect(server.session.error?.cause).toMatchObject({ code: 'ECONNRESET' })
    await eventually(() => expect(server.session.stats().memoryBytes).toBe(0))
  })

  it('comes when a session fails, and the socket is destroyed with its error', async () => {
    const pool = await startPool()
    const socket = connect(pool.port, '127.0.0.1')
    // Any 64 bytes are a key. The bytes after them are no frame.
    socket.write(pattern(64 + 1000))
    await ended(socket)
    const [server] = pool.peers
    await eventually(() => expect(server!.closed).toBe(true))
    expect(server!.session.error?.code).toBe('ERR_SV2_AEAD')
    expect(server!.error).toBe(server!.session.error)
    expect(server!.session.stats().memoryBytes).toBe(0)
  })

  it('comes after the good frames before a bad one', async () => {
    const received: number[] = []
    const { initiator, responder } = pair()
    const server = createServer((socket) => {
      responder.attach(socket, (batch) => {
        for (const { messageType } of batch) received.push(messageType)
      })
    })
    const socket = connect(await listening(server), '127.0.0.1')
    for (const messageType of [1, 2, 3]) initiator.send({ messageType }, pattern(10))
    const wire = Buffer.alloc(initiator.output.available)
    initiator.output.read(wire)
    wire[wire.length - 1]! ^= 1
    socket.write(wire)
    await ended(socket)
    expect(received).toEqual([1, 2])
    expect(responder.error?.code).toBe('ERR_SV2_AEAD')
  })

  it('comes when the server has another key', async () => {
    const pool = await startPool()
    const client = dial(pool.port, { authorityPublicKey: '9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72' })
    await eventually(() => expect(client.closed).toBe(true))
    expect(client.session.error?.code).toBe('ERR_SV2_CERTIFICATE')
    expect(client.error).toBe(client.session.error)
  })

  it('comes when there is no server', async () => {
    const free = createServer()
    const port = await listening(free)
    await new Promise((resolve) => {
      free.close(resolve)
    })
    const client = dial(port)
    await eventually(() => expect(client.closed).toBe(true))
    expect(client.error).toMatchObject({ code: 'ECONNREFUSED' })
    expect([client.session.state, client.session.stats().memoryBytes]).toEqual(['closed', 0])
    expect(client.session.error?.cause).toBe(client.error)
  })

  it('comes in the middle of a handshake or of a frame without harm', async () => {
    const pool = await startPool()
    for (const bytes of [10, 64, 64 + 10]) {
      const session = Sv2Session.initiator({ authorityPublicKey: authority.authorityPublicKey })
      const socket = connect(pool.port, '127.0.0.1')
      const wire = Buffer.alloc(bytes)
      session.output.read(wire)
      socket.end(wire)
      await ended(socket)
      session.close()
    }
    await eventually(() => expect(pool.peers.map(({ closed }) => closed)).toEqual([true, true, true]))
    expect(pool.peers.map(({ session }) => session.stats().memoryBytes)).toEqual([0, 0, 0])
  })
})

/** Resolves when `socket` has closed, with or without an error. */
function ended(socket: Socket): Promise<void> {
  socket.on('error', () => {})
  socket.resume()
  return new Promise((resolve) => {
    socket.once('close', () => resolve())
  })
}

it('ends when a write fails that it could not have known of', { timeout: PATIENCE_MS }, () => {
  // Runs in a separate process, because a failed write was once retried forever.
  const program = `
    import { createServer, connect } from 'node:net'
    import { setTimeout } from 'node:timers/promises'
    import { Sv2Session, generateAuthorityKeypair } from './dist/src/sv2/index.js'
    const { publicKey: authorityPublicKey, secretKey: authoritySecretKey } = generateAuthorityKeypair()
    const server = createServer(async (socket) => {
      const session = Sv2Session.responder({ authorityPublicKey, authoritySecretKey })
      session.attach(socket, () => {})
      socket.on('error', ({ syscall }) => console.log(syscall))
      socket.on('close', () => console.log('closed'))
      await session.established()
      // From here on the session does not learn of the other end's death.
      socket.pause()
      await setTimeout(300)
      session.send({ messageType: 1 }, Buffer.alloc(10))
      session.send({ messageType: 1 }, Buffer.alloc(100_000))
    })
    server.listen(0, '127.0.0.1', async () => {
      const socket = connect(server.address().port, '127.0.0.1')
      const session = Sv2Session.initiator({ authorityPublicKey })
      session.attach(socket, () => {})
      await session.established()
      await setTimeout(100)
      socket.resetAndDestroy()
      server.close()
    })`
  expect(runProgram(program, 20_000)).toBe('write\nclosed\n')
})
