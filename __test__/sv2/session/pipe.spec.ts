import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Frame, Sv2Session } from '../../../src/sv2/index.js'
import { codeOf } from '../../support/code-of.js'
import { dial, echo, eventually, keep, startPool } from '../../support/network.js'
import { authority, pair } from '../../support/sessions.js'
import { connected } from '../../support/sockets.js'

/** Returns two sessions that are connected. */
function established(): [Sv2Session, Sv2Session] {
  const { initiator, responder } = pair()
  return [initiator, responder]
}

/** A proxy that pipes each client to a session with the server at `upstream`, and back. */
async function startProxy(upstream: number, map?: Parameters<Sv2Session['pipe']>[1]): Promise<number> {
  const server = createServer((socket) => {
    const target = connect(upstream, '127.0.0.1')
    for (const end of [socket, target]) {
      end.on('error', () => {})
      onTestFinished(() => {
        end.destroy()
      })
    }
    const client = Sv2Session.responder(authority)
    const server = Sv2Session.initiator()
    client.attach(socket)
    server.attach(target)
    void Promise.all([client.established(), server.established()]).then(
      () => {
        client.pipe(server, map)
        server.pipe(client)
      },
      () => {},
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  return (server.address() as AddressInfo).port
}

describe('Sv2Session.pipe()', () => {
  it('passes on all frames in both directions, and the end', async () => {
    const pool = await startPool(echo)
    const peer = dial(await startProxy(pool.port), {}, keep)
    await peer.session.established()
    const frames = Array.from({ length: 200 }, (_, index) => ({
      messageType: index,
      payload: Buffer.alloc((index * 997) % 20_000, index),
    }))
    await peer.sendAll(frames)
    await eventually(() => expect(peer.frames.length).toBe(200))
    expect(peer.frames.every(({ payload }, index) => payload.equals(frames[index]!.payload))).toBe(true)
    peer.session.close()
    await eventually(() => expect(pool.peers[0]!.closed).toBe(true))
    expect(await peer.session.closed).toBe(null)
  })

  it('maps, replaces and drops frames', async () => {
    const pool = await startPool(keep)
    const map = (frame: Frame): ReturnType<NonNullable<Parameters<Sv2Session['pipe']>[1]>> =>
      frame.messageType === 1
        ? null
        : frame.messageType === 2
          ? { messageType: 20, payload: Buffer.from('new') }
          : frame
    const peer = dial(await startProxy(pool.port, map))
    await peer.session.established()
    for (const messageType of [1, 2, 3]) peer.session.send({ messageType }, Buffer.from('old'))
    await eventually(() => expect(pool.peers[0]?.frames.length).toBe(2))
    expect(pool.peers[0]!.frames.map(({ messageType, payload }) => [messageType, payload.toString()])).toEqual([
      [20, 'new'],
      [3, 'old'],
    ])
  })

  it.each([
    ['to', 0, 1],
    ['from', 1, 0],
  ])('tells the session that is piped %s one that broke what broke it', async (_, broken, other) => {
    const why = new Error('mine')
    const sessions = [Sv2Session.initiator(), Sv2Session.initiator()] as const
    sessions[0].pipe(sessions[1])
    const { dialled } = await connected()
    sessions[broken]!.attach(dialled)
    const rejects = { code: 'ERR_SV2_STATE', cause: { code: 'ERR_SV2_STATE', cause: why } }
    const waiting = expect(sessions[other]!.established()).rejects.toMatchObject(rejects)
    dialled.destroy(why)
    await waiting
    await expect(sessions[other]!.drained()).rejects.toMatchObject(rejects)
    await expect((async () => sessions[other]!.receive(Buffer.alloc(1)))()).rejects.toMatchObject(rejects)
    // It did not close by itself.
    expect([sessions[other]!.error, await sessions[other]!.closed]).toEqual([null, null])
  })

  it('refuses what is no session, and a closed one', () => {
    const [a, b] = established()
    expect(codeOf(() => a.pipe({} as never))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => a.pipe(b, 1 as never))).toBe('ERR_INVALID_ARG_TYPE')
    b.close()
    expect(codeOf(() => a.pipe(b))).toBe('ERR_SV2_STATE')
    a.close()
  })
})

it('a session forwards only what it has received', () => {
  const [[a, b], [c, d]] = [established(), established()]
  a.send({ messageType: 1 }, Buffer.from('x'))
  const bytes = Buffer.alloc(a.output.available)
  a.output.read(bytes)
  const batch = b.receive(bytes)
  expect(codeOf(() => c.forward(batch, d))).toBe('ERR_INVALID_ARG_VALUE')
  expect(codeOf(() => a.forward(batch.at(0)!, d))).toBe('ERR_INVALID_ARG_VALUE')
  expect(b.forward(batch, d)).toBe(true)
  for (const session of [a, b, c, d]) session.close()
})

it('an async onBatch keeps its batch, and reading waits for it', async () => {
  const seen: string[] = []
  let busy = 0
  const pool = await startPool(async (batch) => {
    busy++
    expect(busy).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 2))
    for (const { payload } of batch) seen.push(Buffer.from(payload).toString())
    busy--
  })
  const peer = dial(pool.port)
  await peer.session.established()
  for (let index = 0; index < 50; index++) {
    peer.session.send({ messageType: 1 }, Buffer.from(`${index}`))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await eventually(() => expect(seen).toEqual(Array.from({ length: 50 }, (_, index) => `${index}`)))
})

it('closed tells why a session closed', async () => {
  const session = Sv2Session.responder(authority)
  const { closed } = session
  expect(codeOf(() => session.receive(Buffer.alloc(1000, 1)))).toBe('ERR_SV2_AEAD')
  expect(await closed).toBe(session.error)
  session.close()
  expect(await session.closed).toBe(session.error)
})
