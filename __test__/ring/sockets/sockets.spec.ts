import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ByteRing, type Consumer } from '../../../index.js'
import { codeOf, codeOfRejection } from '../../support/code-of.js'
import { eventually, listening, quiet } from '../../support/network.js'
import { pattern } from '../../support/pattern.js'
import { Random } from '../../support/random.js'
import { drain, pair } from '../../support/sessions.js'
import { accept, connected, received, sendInPieces } from '../../support/sockets.js'

/** Makes a socket that reads into a ring, and its peer. */
async function reading(size: number, onData?: (bytes: number) => void) {
  const { producer, consumer } = new ByteRing(size).intoParts()
  const server = createServer({ allowHalfOpen: true })
  const onread = producer.onread(onData)
  const views: Uint8Array[] = []
  const { buffer } = onread
  onread.buffer = () => {
    const view = buffer()
    views.push(view)
    return view
  }
  // @types/node declares a Buffer for the callback, which receives none.
  const dialled = connect({ port: await listening(server), host: '127.0.0.1', onread } as never) as unknown as Socket
  const { accepted: peer } = await accept(server, dialled)
  dialled.on('end', () => producer.end())
  onTestFinished(() => {
    dialled.destroy()
    producer.release()
  })
  return { socket: dialled, peer, producer, consumer, views }
}

/** Reads all bytes until the producer ends. */
async function readAll(consumer: Consumer): Promise<Buffer> {
  const chunks: Buffer[] = []
  for (;;) {
    const length = await consumer.readable()
    if (length === 0) return Buffer.concat(chunks)
    const chunk = Buffer.alloc(length)
    consumer.read(chunk)
    chunks.push(chunk)
  }
}

describe('onread', () => {
  it.each([2, 4, 64, 4096, 65_536])('reads all bytes into a ring of %i bytes', async (size) => {
    const random = new Random()
    let told = 0
    const { peer, consumer, views } = await reading(size, (bytes) => {
      told += bytes
    })
    const bytes = random.bytes(size < 64 ? 3000 : 500_000)
    const [read] = await Promise.all([readAll(consumer), sendInPieces(peer, bytes, 3 * size, random)])
    expect(read.equals(bytes), random.origin).toBe(true)
    expect(told).toBe(bytes.length)
    expect(views.every(({ length }) => length > 0)).toBe(true)
  })

  it('pauses before the ring is full, and resumes when half of it is free', async () => {
    const { socket, peer, producer, consumer } = await reading(4096)
    const bytes = pattern(20_000)
    peer.end(bytes)
    await eventually(() => expect(producer.available).toBeLessThanOrEqual(1024))
    await quiet()
    // A quarter is reserved for the read after the pause.
    expect(producer.available).toBeGreaterThan(0)
    const paused = socket.bytesRead
    const read = Buffer.alloc(20_000)
    const few = consumer.read(read.subarray(0, 2047 - producer.available))
    await quiet()
    expect(socket.bytesRead).toBe(paused)
    consumer.read(read.subarray(few, few + 1))
    await eventually(() => expect(socket.bytesRead).toBeGreaterThan(paused))
    const rest = await readAll(consumer)
    expect(Buffer.concat([read.subarray(0, few + 1), rest]).equals(bytes)).toBe(true)
  })

  it('keeps the half busy', async () => {
    const { producer } = await reading(64)
    const uses = [
      () => producer.write(pattern(1)),
      () => producer.writeAll(pattern(1)),
      () => producer.ioSlices(() => 0),
      () => producer.onread(),
    ]
    expect(uses.map(codeOf)).toEqual(uses.map(() => 'ERR_BUSY'))
    expect(await codeOfRejection(producer.ioSlicesAsync(async () => 0))).toBe('ERR_BUSY')
  })

  it.each(['end', 'release'] as const)('after %s, later bytes do not count and reach no other memory', async (how) => {
    const { socket, peer, producer, consumer, views } = await reading(4096)
    peer.write(pattern(100))
    await consumer.readable(100)
    producer[how]()
    const later = Array.from({ length: 50 }, () => new ByteRing(4096).intoParts())
    peer.write(Buffer.alloc(3000, 0xee))
    await eventually(() => expect(socket.bytesRead).toBeGreaterThan(100))
    await quiet()
    expect((await readAll(consumer)).equals(pattern(100))).toBe(true)
    for (const ring of later) {
      ring.producer.ioSlices(([room]) => {
        expect(room.includes(0xee)).toBe(false)
        return 0
      })
    }
    // The socket still owns the view that it had.
    expect(views.at(-1)!.length).toBeGreaterThan(0)
    expect(socket.destroyed).toBe(false)
  })

  it('needs a ring of two bytes with free space, and a function', () => {
    const one = new ByteRing(1).intoParts()
    expect(codeOf(() => one.producer.onread())).toBe('ERR_OUT_OF_RANGE')
    const { producer, consumer } = new ByteRing(64).intoParts()
    expect(codeOf(() => producer.onread(5 as never))).toBe('ERR_INVALID_ARG_TYPE')
    producer.writeAll(pattern(64))
    expect(codeOf(() => producer.onread())).toBe('ERR_WRITE_ZERO')
    consumer.read(Buffer.alloc(1))
    expect(producer.onread().buffer().length).toBe(1)
  })
})

describe('pipeTo', () => {
  it.each([1, 2, 64, 4096])('writes all bytes from a ring of %i bytes', async (size) => {
    const random = new Random()
    const { producer, consumer } = new ByteRing(size).intoParts()
    const { dialled, accepted } = await connected()
    const bytes = random.bytes(size < 64 ? 2000 : 100_000)
    const piped = consumer.pipeTo(dialled)
    const all = received(accepted)
    for (let at = 0; at < bytes.length; ) {
      await producer.writable()
      at += producer.write(bytes.subarray(at, at + 1 + random.below(size)))
    }
    producer.end()
    await piped
    expect((await all).equals(bytes), random.origin).toBe(true)
    expect([consumer.position, dialled.writableFinished]).toEqual([BigInt(bytes.length), true])
  })

  it('with end: false leaves the socket open and the half usable', async () => {
    const { producer, consumer } = new ByteRing(64).intoParts()
    const { dialled, accepted } = await connected()
    producer.writeAll(pattern(50))
    producer.end()
    const piped = consumer.pipeTo(dialled, { end: false })
    expect(codeOf(() => consumer.read(Buffer.alloc(1)))).toBe('ERR_BUSY')
    expect(codeOf(() => consumer.release())).toBe('ERR_BUSY')
    await piped
    dialled.end('!')
    expect(await received(accepted)).toEqual(Buffer.concat([pattern(50), Buffer.from('!')]))
    expect(consumer.release()).toBe(true)
  })

  it("writes a session's output", async () => {
    const { initiator, responder } = pair()
    const { dialled, accepted } = await connected()
    const abort = new AbortController()
    const piped = initiator.output.pipeTo(dialled, { signal: abort.signal })
    initiator.send({ messageType: 7 }, pattern(500))
    const [wire] = (await once(accepted, 'data')) as [Buffer]
    expect(Buffer.from(responder.receive(wire).at(0)!.payload)).toEqual(pattern(500))
    abort.abort(new Error('enough'))
    await expect(piped).rejects.toThrow('enough')
    initiator.send({ messageType: 8 }, pattern(5))
    expect(responder.receive(drain(initiator)).at(0)!.messageType).toBe(8)
  })

  it('frees the half on an abort while it waits', async () => {
    const { producer, consumer } = new ByteRing(64).intoParts()
    const { dialled } = await connected()
    const before = new Error('before')
    await expect(consumer.pipeTo(dialled, { signal: AbortSignal.abort(before) })).rejects.toBe(before)
    const abort = new AbortController()
    const piped = consumer.pipeTo(dialled, { signal: abort.signal })
    await quiet()
    abort.abort(before)
    await expect(piped).rejects.toBe(before)
    producer.writeAll(pattern(10))
    await eventually(() => expect(consumer.read(Buffer.alloc(10))).toBe(10))
    expect(dialled.destroyed).toBe(false)
  })

  it('keeps the half busy until the write is over, on an abort while the peer does not read', async () => {
    const { producer, consumer } = new ByteRing(2 ** 24).intoParts()
    const { dialled, accepted } = await connected()
    producer.writeAll(pattern(2 ** 24))
    const abort = new AbortController()
    const piped = consumer.pipeTo(dialled, { signal: abort.signal })
    await quiet()
    // The memory stays until the socket has taken all of it.
    expect(producer.available).toBe(0)
    abort.abort(new Error('enough'))
    await expect(piped).rejects.toThrow('enough')
    expect(codeOf(() => consumer.release())).toBe('ERR_BUSY')
    const all = received(accepted)
    await eventually(() => expect(consumer.release()).toBe(true))
    dialled.end()
    expect((await all).equals(pattern(2 ** 24))).toBe(true)
  })

  it.each(['idle', 'stuck'] as const)('rejects when the socket fails or is closed: %s', async (state) => {
    for (const error of [undefined, new Error('mine')]) {
      const { producer, consumer } = new ByteRing(2 ** 24).intoParts()
      const { dialled } = await connected()
      if (state === 'stuck') producer.writeAll(pattern(2 ** 24))
      const piped = consumer.pipeTo(dialled)
      await quiet()
      dialled.destroy(error)
      if (error) await expect(piped).rejects.toBe(error)
      else expect(await codeOfRejection(piped)).toBe('ERR_CLOSED')
      await eventually(() => expect(consumer.release()).toBe(true))
    }
  })

  it('rejects when the socket closes before its end has gone out', async () => {
    const { producer, consumer } = new ByteRing(64).intoParts()
    producer.end()
    const server = createServer()
    const socket = connect(await listening(server), '127.0.0.1')
    const piped = codeOfRejection(consumer.pipeTo(socket))
    await new Promise(process.nextTick)
    socket.destroy()
    expect(await piped).toBe('ERR_CLOSED')
  })

  it('rejects wrong arguments and closed sockets, and changes nothing', async () => {
    const { consumer } = new ByteRing(64).intoParts()
    const { dialled } = await connected()
    for (const options of [5, { end: 1 }, { signal: {} }]) {
      expect(await codeOfRejection(consumer.pipeTo(dialled, options as never))).toBe('ERR_INVALID_ARG_TYPE')
    }
    expect(await codeOfRejection(consumer.pipeTo({} as Socket))).toBe('ERR_INVALID_ARG_TYPE')
    dialled.destroy()
    expect(await codeOfRejection(consumer.pipeTo(dialled))).toBe('ERR_CLOSED')
    expect(consumer.read(Buffer.alloc(1))).toBe(0)
  })
})
