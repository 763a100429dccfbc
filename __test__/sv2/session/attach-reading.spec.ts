import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { Sv2Session } from '../../../src/sv2/index.js'
import { echo, eventually, keep, listening, PATIENCE_MS, Peer, quiet } from '../../support/network.js'
import { pattern } from '../../support/pattern.js'
import { authority, type FrameCopy } from '../../support/sessions.js'
import { connected } from '../../support/sockets.js'

const { authorityPublicKey } = authority

const sent: FrameCopy[] = [0, 1, 100, 70_000, 300_000, 5].map((length, index) => ({
  messageType: index,
  payload: pattern(length, index),
}))

/** Attaches a server's session that sends every frame back to `socket`. */
function serve(socket: Socket): Peer {
  return new Peer(Sv2Session.responder(authority), socket, echo)
}

function client(socket: Socket): Peer {
  return new Peer(Sv2Session.initiator({ authorityPublicKey }), socket, keep)
}

async function exchange(peer: Peer): Promise<void> {
  await peer.session.established()
  await peer.sendAll(sent)
  await eventually(() => expect(peer.frames.length).toBe(sent.length))
  expectSent(peer.frames)
}

function expectSent(frames: FrameCopy[]): void {
  expect(frames.map(({ messageType }) => messageType)).toEqual(sent.map(({ messageType }) => messageType))
  expect(frames.every(({ payload }, index) => payload.equals(sent[index]!.payload as Buffer))).toBe(true)
}

/** True if Node allocates no memory for reads. It then emits no `data` events. */
function readsDirectly(socket: Socket): boolean {
  return socket.listenerCount('data') === 0
}

describe('an attached socket', { timeout: PATIENCE_MS }, () => {
  it('reads without an allocation for each read, whether accepted or dialled, connected or not yet', async () => {
    const servers: Peer[] = []
    const server = createServer((socket) => servers.push(serve(socket)))
    const early = client(connect(await listening(server), '127.0.0.1'))
    const late = connect(await listening(createServer((socket) => servers.push(serve(socket)))), '127.0.0.1')
    await once(late, 'connect')
    await Promise.all([exchange(early), exchange(client(late))])
    expect([...servers, early].map(({ socket }) => readsDirectly(socket))).toEqual([true, true, true])
    expect(readsDirectly(late)).toBe(true)
  })

  it('reads one connection while the frames of another are in use', async () => {
    const pairs = await Promise.all(Array.from({ length: 20 }, connected))
    for (const { accepted } of pairs) serve(accepted)
    await Promise.all(pairs.map(({ dialled }) => exchange(client(dialled))))
  })

  it('takes bytes that came before it was attached', async () => {
    const { accepted, dialled } = await connected()
    const peer = client(dialled)
    await quiet()
    expect(accepted.readableLength).toBeGreaterThan(0)
    serve(accepted)
    await exchange(peer)
  })

  it('calls other listeners, added before or after, once it has taken the bytes itself', async () => {
    const { accepted, dialled } = await connected()
    const chunks: Buffer[] = []
    const copies: Buffer[] = []
    dialled.on('data', (chunk) => chunks.push(chunk))
    const peer = client(dialled)
    let bytes = 0
    dialled.on('data', (chunk) => {
      copies.push(Buffer.from(chunk))
      bytes += chunk.length
      expect(peer.session.stats().bytesIn).toBe(bytes)
    })
    serve(accepted)
    await exchange(peer)
    expect(bytes).toBeGreaterThan(300_000)
    // The listeners may keep the chunks.
    expect(Buffer.concat(chunks).equals(Buffer.concat(copies))).toBe(true)
  })

  it('reads nothing while user code has paused it', async () => {
    const { accepted, dialled } = await connected()
    accepted.pause()
    const server = serve(accepted)
    const peer = client(dialled)
    await quiet()
    expect(server.session.state).toBe('handshake')
    accepted.resume()
    await exchange(peer)
  })

  it('may be a TLS socket', async () => {
    const pem = readFileSync(new URL('../../fixtures/localhost.pem', import.meta.url))
    const server = createTlsServer({ key: pem, cert: pem })
    const dialled = connectTls({ port: await listening(server), ca: pem, servername: 'localhost' })
    const [accepted] = (await once(server, 'secureConnection')) as [TLSSocket]
    serve(accepted)
    await exchange(client(dialled))
    expect(readsDirectly(accepted)).toBe(false)
  })

  it('learns of the end, and of the bytes before it', async () => {
    const { accepted, dialled } = await connected()
    const server = new Peer(Sv2Session.responder(authority), accepted, keep)
    const peer = client(dialled)
    await peer.session.established()
    for (const { messageType, payload } of sent) peer.session.send({ messageType }, payload)
    peer.session.close()
    await eventually(() => expect(server.ended).toBe(true))
    expectSent(server.frames)
  })
})
