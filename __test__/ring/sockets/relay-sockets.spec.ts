import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ConnectionOptions,
  connect as connectTls,
  createServer as createTlsServer,
  type TLSSocket,
} from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { relaySockets } from '../../../index.js'
import { codeOfRejection } from '../../support/code-of.js'
import { eventually, listening, quiet } from '../../support/network.js'
import { pattern } from '../../support/pattern.js'
import { Random } from '../../support/random.js'
import { accept, connected, received, sendInPieces } from '../../support/sockets.js'

/** Makes two peers and the two sockets between them: one that a server accepted, and one that was dialled. */
async function between() {
  const left = await connected()
  const right = await connected()
  return { left: left.dialled, a: left.accepted, b: right.dialled, right: right.accepted }
}

/** Has both peers send. Returns the bytes that each receives, and the result of the relay. */
async function exchange(
  { left, right }: { left: Socket; right: Socket },
  relayed: Promise<{ aToB: number; bToA: number }>,
  [fromLeft, fromRight]: [Buffer, Buffer],
) {
  left.end(fromLeft)
  right.end(fromRight)
  const [atLeft, atRight, counts] = await Promise.all([received(left), received(right), relayed])
  expect(atRight.equals(fromLeft)).toBe(true)
  expect(atLeft.equals(fromRight)).toBe(true)
  expect(counts).toEqual({ aToB: fromLeft.length, bToA: fromRight.length })
}

describe('passes on', () => {
  it('both directions at once, and counts', async () => {
    const { a, b, ...peers } = await between()
    await exchange(peers, relaySockets(a, b), [pattern(3_000_001), pattern(2_000_003, 7)])
    expect([a.destroyed, b.destroyed]).toEqual([true, true])
  })

  it('nothing', async () => {
    const { a, b, ...peers } = await between()
    await exchange(peers, relaySockets(a, b), [Buffer.alloc(0), Buffer.alloc(0)])
  })

  it('each piece, without waiting for more', async () => {
    const { left, a, b, right } = await between()
    const relayed = relaySockets(a, b)
    for (const piece of ['ping', 'pong']) {
      left.write(piece)
      expect(String((await once(right, 'data'))[0])).toBe(piece)
      right.write(piece)
      expect(String((await once(left, 'data'))[0])).toBe(piece)
    }
    left.end()
    right.end()
    expect(await relayed).toEqual({ aToB: 8, bToA: 8 })
  })

  it.each([2, 4, 64, 4096])('pieces of any length through rings of %i bytes', async (size) => {
    const random = new Random()
    const { left, a, b, right } = await between()
    const relayed = relaySockets(a, b, { size })
    const length = size < 64 ? 3000 : 300_000
    const [fromLeft, fromRight] = [random.bytes(length), random.bytes(length + 1)]
    const [atLeft, atRight, counts] = await Promise.all([
      received(left),
      received(right),
      relayed,
      sendInPieces(left, fromLeft, 3 * size, random),
      sendInPieces(right, fromRight, 3 * size, random),
    ])
    expect(atRight.equals(fromLeft), random.origin).toBe(true)
    expect(atLeft.equals(fromRight), random.origin).toBe(true)
    expect(counts).toEqual({ aToB: length, bToA: length + 1 })
  })

  it.each([2, 1024, 4096, 65_536])(
    'first what an accepted socket has received already, rings of %i bytes',
    async (size) => {
      const { left, a, b, right } = await between()
      const bytes = pattern(10_000)
      left.write(bytes.subarray(0, 1024))
      // Node has read the bytes, although no code has asked for them.
      await eventually(() => expect(a.readableLength).toBe(1024))
      const relayed = relaySockets(a, b, { size })
      left.end(bytes.subarray(1024))
      right.end()
      expect((await received(right)).equals(bytes)).toBe(true)
      left.resume()
      expect(await relayed).toEqual({ aToB: 10_000, bToA: 0 })
    },
  )

  it.each([2, 65_536])('bytes that came with the end before the relay began, rings of %i bytes', async (size) => {
    const { left, a, b, right } = await between()
    left.end('all there is')
    await quiet()
    const relayed = relaySockets(a, b, { size })
    right.end()
    left.resume()
    expect(String(await received(right))).toBe('all there is')
    expect(await relayed).toEqual({ aToB: 12, bToA: 0 })
  })

  it('to and from sockets that are still connecting', async () => {
    const left = await connected()
    const server = createServer({ allowHalfOpen: true })
    const b = connect(await listening(server), 'localhost')
    const relayed = relaySockets(left.accepted, b)
    const { accepted: right } = await accept(server, b)
    await exchange({ left: left.dialled, right }, relayed, [pattern(100_000), pattern(50_000, 3)])
  })

  it.each([2, 64, 4096])('bytes read while the other socket connects, rings of %i bytes', async (size) => {
    const { dialled: left, accepted: a } = await connected()
    left.write(pattern(1000))
    await eventually(() => expect(a.readableLength).toBe(1000))
    const server = createServer({ allowHalfOpen: true })
    let resolveName!: () => void
    const lookup = (_host: string, _options: unknown, found: (...answer: unknown[]) => void): void => {
      resolveName = () => found(null, [{ address: '127.0.0.1', family: 4 }])
    }
    const b = connect({ port: await listening(server), host: 'slow', lookup: lookup as never, allowHalfOpen: true })
    const relayed = relaySockets(a, b, { size })
    left.end(pattern(20_000, 7))
    await quiet()
    resolveName()
    const { accepted: right } = await accept(server, b)
    right.end()
    left.resume()
    expect((await received(right)).equals(Buffer.concat([pattern(1000), pattern(20_000, 7)]))).toBe(true)
    expect(await relayed).toEqual({ aToB: 21_000, bToA: 0 })
  })

  it('between Unix domain sockets', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'framepool-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const pairs = await Promise.all(
      ['left', 'right'].map(async (name) => {
        const server = createServer({ allowHalfOpen: true })
        const path = join(folder, name)
        server.listen(path)
        await once(server, 'listening')
        onTestFinished(() => void server.close())
        return accept(server, connect({ path, allowHalfOpen: true }))
      }),
    )
    const [{ dialled: left, accepted: a }, { dialled: b, accepted: right }] = pairs as [
      (typeof pairs)[0],
      (typeof pairs)[0],
    ]
    await exchange({ left, right }, relaySockets(a, b), [pattern(1_000_000), pattern(700_000, 3)])
  })

  it.each([64, 262_144])('between TLS and TCP, rings of %i bytes', async (size) => {
    const pem = readFileSync(new URL('../../fixtures/localhost.pem', import.meta.url))
    const server = createTlsServer({ key: pem, cert: pem, allowHalfOpen: true })
    const left = connectTls({
      port: await listening(server),
      host: '127.0.0.1',
      ca: pem,
      servername: 'localhost',
      allowHalfOpen: true,
    } as ConnectionOptions)
    const [a] = (await once(server, 'secureConnection')) as [TLSSocket]
    const right = await connected()
    const length = size * 10
    await exchange({ left, right: right.accepted }, relaySockets(a, right.dialled, { size }), [
      pattern(length),
      pattern(length + 1, 3),
    ])
  })
})

describe('ends', () => {
  it.each(['left', 'right'] as const)('each direction separately: %s first', async (first) => {
    const { left, a, b, right } = await between()
    const [early, late] = first === 'left' ? [left, right] : [right, left]
    const relayed = relaySockets(a, b)
    early.end('question')
    expect(String(await received(late))).toBe('question')
    // The other direction is still open.
    for (let round = 0; round < 3; round++) {
      late.write('answer')
      expect(String((await once(early, 'data'))[0])).toBe('answer')
    }
    late.end()
    expect(await relayed).toEqual(first === 'left' ? { aToB: 8, bToA: 18 } : { aToB: 18, bToA: 8 })
  })

  it.each(['left', 'right'] as const)('when a slow %s has everything, after the other has closed', async (slow) => {
    const { left, a, b, right } = await between()
    const [reader, sender] = slow === 'left' ? [left, right] : [right, left]
    const bytes = pattern(20_000_000)
    const relayed = relaySockets(a, b)
    reader.end()
    sender.resume()
    sender.end(bytes)
    const [from] = slow === 'left' ? [b] : [a]
    await quiet()
    // The bytes fill the sockets and the ring, because the peer does not read.
    expect(from.bytesRead).toBeLessThan(bytes.length)
    expect((await received(reader)).equals(bytes)).toBe(true)
    expect(await relayed).toEqual(slow === 'left' ? { aToB: 0, bToA: bytes.length } : { aToB: bytes.length, bToA: 0 })
  })
})

describe('holds', () => {
  it('no more than its ring while the other side does not read', async () => {
    const { left, a, b, right } = await between()
    const relayed = relaySockets(a, b, { size: 4096 })
    left.end(pattern(20_000_000))
    right.end()
    let before = -1
    await eventually(() => {
      const now = a.bytesRead
      const still = now === before
      before = now
      expect(still && now > 0).toBe(true)
    })
    expect(a.bytesRead - b.bytesWritten).toBeLessThanOrEqual(4096)
    expect(a.readableLength).toBe(0)
    left.resume()
    right.resume()
    expect(await relayed).toEqual({ aToB: 20_000_000, bToA: 0 })
  })

  it('no chunks: received bytes go straight into the ring', async () => {
    const { left, a, b, right } = await between()
    const chunks: string[] = []
    for (const [name, socket] of Object.entries({ a, b })) socket.on('data', () => chunks.push(name))
    a.pause()
    b.pause()
    await exchange({ left, right }, relaySockets(a, b), [pattern(1_000_000), pattern(1_000_000, 3)])
    expect([a.bytesRead, b.bytesRead]).toEqual([1_000_000, 1_000_000])
    expect(chunks).toEqual([])
  })

  it('no more memory of a large ring than is in transit at a time', async () => {
    const { left, a, b, right } = await between()
    const size = 128 * 1024 * 1024
    const relayed = relaySockets(a, b, { size })
    const piece = pattern(64 * 1024)
    const before = process.memoryUsage.rss()
    // A ring that never went back to its start would have touched all of its memory.
    for (let sent = 0; sent < size; sent += piece.length) {
      left.write(piece)
      for (let came = 0; came < piece.length; ) {
        const chunk = right.read() as Buffer | null
        if (chunk === null) await once(right, 'readable')
        else came += chunk.length
      }
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(size / 2)
    right.resume()
    left.end()
    left.resume()
    right.end()
    expect(await relayed).toEqual({ aToB: size, bToA: 0 })
  })

  it('no memory after its end', async () => {
    const size = 16 * 1024 * 1024
    const before = process.memoryUsage()
    for (let round = 0; round < 20; round++) {
      const { a, b, ...peers } = await between()
      await exchange(peers, relaySockets(a, b, { size }), [pattern(100), pattern(100)])
    }
    // Twenty times two rings would be 640 MiB.
    expect(process.memoryUsage().external - before.external).toBeLessThan(4 * size)
  })
})

describe('fails', () => {
  it('with ERR_TIMEOUT only when nothing moves', async () => {
    const { left, a, b, right } = await between()
    const relayed = codeOfRejection(relaySockets(a, b, { idleTimeoutMs: 800 }))
    let over = false
    void relayed.then(() => {
      over = true
    })
    right.resume()
    for (let round = 0; round < 12; round++) {
      left.write('x')
      await quiet()
    }
    expect(over).toBe(false)
    expect(await relayed).toBe('ERR_TIMEOUT')
    expect([a.destroyed, b.destroyed]).toEqual([true, true])
  })

  it('with the reason of the signal', async () => {
    const { left, a, b, right } = await between()
    const abort = new AbortController()
    const reason = new Error('enough')
    const relayed = relaySockets(a, b, { signal: abort.signal })
    left.write(pattern(20_000_000))
    await once(right, 'readable')
    abort.abort(reason)
    await expect(relayed).rejects.toBe(reason)
    expect([a.destroyed, b.destroyed]).toEqual([true, true])
  })

  it('with the reason of a signal that was aborted before, and leaves the sockets alone', async () => {
    const { left, a, b, right } = await between()
    const reason = new Error('never')
    await expect(relaySockets(a, b, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect([a.destroyed, b.destroyed]).toEqual([false, false])
    await exchange({ left, right }, relaySockets(a, b), [pattern(10), pattern(10)])
  })

  it.each(['left', 'right'] as const)('with the error of a socket: %s resets', async (who) => {
    const { left, a, b, right } = await between()
    const relayed = codeOfRejection(relaySockets(a, b))
    left.write('x')
    await once(right, 'readable')
    ;(who === 'left' ? left : right).resetAndDestroy()
    expect(await relayed).toBe('ECONNRESET')
    expect([a.destroyed, b.destroyed]).toEqual([true, true])
  })

  it('with the error of a failed connection', async () => {
    const { accepted: a } = await connected()
    const server = createServer()
    const port = await listening(server)
    await new Promise((resolve) => server.close(resolve))
    expect(await codeOfRejection(relaySockets(a, connect(port, '127.0.0.1')))).toBe('ECONNREFUSED')
    expect(a.destroyed).toBe(true)
  })

  it.each(['a', 'b'] as const)('with ERR_CLOSED when %s is destroyed before its end', async (which) => {
    const sockets = await between()
    const { left, a, b } = sockets
    const relayed = codeOfRejection(relaySockets(a, b))
    left.write(pattern(20_000_000))
    await once(sockets.right, 'readable')
    sockets[which].destroy()
    expect(await relayed).toBe('ERR_CLOSED')
    expect([a.destroyed, b.destroyed]).toEqual([true, true])
  })

  it('with ERR_CLOSED for sockets that are closed or ended, and leaves the other alone', async () => {
    const { left, a, b, right } = await between()
    const other = (await between()).a
    a.destroy()
    b.end()
    expect(await codeOfRejection(relaySockets(a, other))).toBe('ERR_CLOSED')
    expect(await codeOfRejection(relaySockets(other, a))).toBe('ERR_CLOSED')
    expect(await codeOfRejection(relaySockets(other, b))).toBe('ERR_CLOSED')
    expect(other.destroyed).toBe(false)
    left.destroy()
    right.destroy()
  })

  it('with wrong arguments, and leaves the sockets alone', async () => {
    const { left, a, b, right } = await between()
    const type = 'ERR_INVALID_ARG_TYPE'
    const range = 'ERR_OUT_OF_RANGE'
    expect(await codeOfRejection(relaySockets({} as Socket, b))).toBe(type)
    expect(await codeOfRejection(relaySockets(a, undefined as never))).toBe(type)
    expect(await codeOfRejection(relaySockets(a, a))).toBe(range)
    for (const [options, code] of [
      [5, type],
      [{ size: '64' }, type],
      [{ size: 1 }, range],
      [{ size: 3 }, range],
      [{ size: 2 ** 31 }, range],
      [{ idleTimeoutMs: 0 }, range],
      [{ idleTimeoutMs: 2 ** 31 }, range],
      [{ idleTimeoutMs: '5' }, type],
      [{ signal: {} }, type],
    ] as const) {
      expect([options, await codeOfRejection(relaySockets(a, b, options as never))]).toEqual([options, code])
    }
    await exchange({ left, right }, relaySockets(a, b), [pattern(10), pattern(10)])
  })

  it('with a socket that gives text', async () => {
    const { left, a, b, right } = await between()
    a.setEncoding('utf8')
    expect(await codeOfRejection(relaySockets(a, b))).toBe('ERR_INVALID_ARG_TYPE')
    expect(await codeOfRejection(relaySockets(b, a))).toBe('ERR_INVALID_ARG_TYPE')
    left.destroy()
    right.destroy()
  })
})
