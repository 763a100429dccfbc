import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { Duplex, PassThrough } from 'node:stream'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type FramedBatch, FrameReader, FrameWriter, MemoryBudget, Slice, SliceChannel, SlotPool } from '../../index.js'
import { codeOfRejection } from '../support/code-of.js'
import { eventually } from '../support/network.js'
import { runProgram, WORKERS } from '../support/program.js'
import { Random } from '../support/random.js'

const four = { maxFrameLength: 1 << 20 } as const

function prefixed(payload: Uint8Array): Buffer {
  const header = Buffer.alloc(4)
  header.writeUInt32BE(payload.length)
  return Buffer.concat([header, payload])
}

/** A server that calls `onSocket` for each connection. */
async function serve(onSocket: (socket: Socket) => unknown, allowHalfOpen = false): Promise<number> {
  const sockets = new Set<Socket>()
  let over = false
  const server: Server = createServer({ allowHalfOpen }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    Promise.resolve(onSocket(socket)).catch((error) => {
      // The end of the test cuts the connections that are left.
      if (!over) throw error
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    over = true
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

function dial(port: number): Socket {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  onTestFinished(() => {
    socket.destroy()
  })
  return socket
}

/** Sends `frames` cut at random, and returns what comes back, as payloads. */
async function roundTrip(port: number, frames: Buffer[], random: Random): Promise<Buffer[]> {
  const socket = dial(port)
  await once(socket, 'connect')
  const back: Buffer[] = []
  using reader = FrameReader.lengthDelimited(four)
  const done = reader.attach(socket, (batch) => {
    back.push(...[...batch].map((bytes) => Buffer.from(bytes)))
  })
  const stream = Buffer.concat(frames.map(prefixed))
  for (let at = 0; at < stream.length; ) {
    const count = 1 + random.below([10, 2000, 200_000][random.below(3)]!)
    if (!socket.write(stream.subarray(at, at + count))) await once(socket, 'drain')
    at += count
    if (random.below(3) === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  socket.end()
  await done
  return back
}

function someFrames(random: Random, count: number, largest: number): Buffer[] {
  return Array.from({ length: count }, () => random.bytes(random.below(largest)))
}

function same(a: Buffer[], b: Buffer[]): boolean {
  return a.length === b.length && a.every((bytes, index) => bytes.equals(b[index]!))
}

describe('FrameReader.attach()', () => {
  it.each([
    ['in one pool for all', {}],
    ['in a pool that is far too small', { pool: new SlotPool(2000, { slots: 3 }) }],
    ['with a small budget', { budget: new MemoryBudget(1 << 20) }],
  ])('echoes all frames of many connections, %s', async (_, options) => {
    const random = new Random()
    const port = await serve(async (socket) => {
      using reader = FrameReader.lengthDelimited({ ...four, ...options })
      using writer = FrameWriter.lengthDelimited(socket, four)
      let turn = 0
      await reader.attach(socket, (batch) => {
        if (turn++ % 3 === 0) for (const payload of batch) writer.write(payload)
        else if (turn % 3 === 1) writer.forward(batch)
        else {
          const half = batch.length >> 1
          writer.forward(batch, 0, half)
          writer.forward(batch, half)
        }
        return turn % 5 === 0 ? writer.drained() : undefined
      })
      await writer.end()
    }, random.below(2) === 0)
    const results = await Promise.all(
      Array.from({ length: 12 }, async (_, index) => {
        const sent = someFrames(random, 60, [50, 3000, 100_000][index % 3]!)
        return same(await roundTrip(port, sent, random), sent)
      }),
    )
    expect(results.every(Boolean), random.origin).toBe(true)
    const { budget } = options as { budget?: MemoryBudget }
    if (budget !== undefined) {
      await eventually(() => expect(budget.stats()).toMatchObject({ reservedBytes: 0, waiting: 0 }))
      expect(budget.stats().peakBytes).toBeLessThanOrEqual(1 << 20)
    }
  })

  it('waits for onBatch, and so for the peer', async () => {
    let open = (): void => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    let bytes = 0
    const port = await serve(async (socket) => {
      const reader = FrameReader.delimited({ maxFrameLength: 1000 })
      await reader.attach(socket, async (batch) => {
        bytes += [...batch].reduce((sum, { length }) => sum + length, 0)
        const kept = Buffer.from(batch.frame(0))
        await gate
        expect(Buffer.from(batch.frame(0)).equals(kept)).toBe(true)
      })
    })
    const socket = dial(port)
    const line = Buffer.concat([Buffer.alloc(999, 97), Buffer.of(10)])
    let sent = 0
    while (socket.write(Buffer.concat(Array.from({ length: 1000 }, () => line))) || sent < 20e6) sent += 1e6
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(bytes).toBeLessThan(70_000)
    open()
    socket.end()
    await eventually(() => expect(bytes).toBe((sent / 1e6 + 1) * 999_000))
  })

  it('stays within a budget, while one client stalls within a frame', async () => {
    const budget = new MemoryBudget(1 << 20)
    let frames = 0
    const port = await serve(async (socket) => {
      using reader = FrameReader.lengthDelimited({ maxFrameLength: 1 << 16, budget })
      const retained: FramedBatch[] = []
      await reader
        .attach(socket, (batch) => {
          frames += batch.length
          retained.push(batch.retain())
          setTimeout(() => retained.shift()?.release(), 2)
          expect(budget.stats().reservedBytes).toBeLessThanOrEqual(1 << 20)
        })
        .catch(() => {})
    })
    const stalled = dial(port)
    stalled.write(prefixed(Buffer.alloc(60_000)).subarray(0, 30_000))
    const frame = prefixed(Buffer.alloc(65_000))
    await Promise.all(
      Array.from({ length: 30 }, async () => {
        const socket = dial(port)
        for (let index = 0; index < 20; index++) if (!socket.write(frame)) await once(socket, 'drain')
        socket.end()
        await once(socket.resume(), 'close')
      }),
    )
    await eventually(() => expect(frames).toBe(600))
    expect(budget.stats().peakBytes).toBeLessThanOrEqual(1 << 20)
    stalled.destroy()
    await eventually(() => expect(budget.stats().reservedBytes).toBe(0))
  })

  it('needs no budget for idle connections, and serves all of them in turn', async () => {
    const budget = new MemoryBudget(16_384)
    const maxFrameLength = 1024
    const port = await serve((socket) => {
      const reader = FrameReader.lengthDelimited({ maxFrameLength, budget })
      const writer = FrameWriter.lengthDelimited(socket, { maxFrameLength })
      reader.attach(socket, (batch) => writer.forward(batch)).catch(() => {})
    })
    const sockets = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const socket = dial(port)
        await once(socket, 'connect')
        return socket
      }),
    )
    // One reserve serves all of them: a quarter of the budget.
    await eventually(() => expect(budget.stats()).toMatchObject({ reservedBytes: 4096, waiting: 0 }))
    const frame = prefixed(Buffer.alloc(1000, 7))
    const replies = sockets.map(async (socket) => {
      let bytes = 0
      for await (const chunk of socket) {
        bytes += (chunk as Buffer).length
        if (bytes === 10 * frame.length) return
      }
    })
    for (let index = 0; index < 10; index++) for (const socket of sockets) socket.write(frame)
    await Promise.all(replies)
    expect(budget.stats().peakBytes).toBeLessThanOrEqual(16_384)
    for (const socket of sockets) socket.destroy()
    await eventually(() => expect(budget.stats()).toMatchObject({ reservedBytes: 0, waiting: 0 }))
  })

  it('finishes frames as long as the whole budget, one after another', async () => {
    const budget = new MemoryBudget(20_000)
    const lengths: number[] = []
    const port = await serve((socket) => {
      const reader = FrameReader.lengthDelimited({ maxFrameLength: 20_000, budget })
      reader.attach(socket, (batch) => void lengths.push(batch.frame(0).length)).catch(() => {})
    })
    const frame = prefixed(Buffer.alloc(19_900))
    const sockets = Array.from({ length: 10 }, () => dial(port))
    for (const socket of sockets) socket.write(frame.subarray(0, 10))
    for (const socket of sockets) socket.end(frame.subarray(10))
    await eventually(() => expect(lengths).toEqual(Array.from({ length: 10 }, () => frame.length)))
    await eventually(() => expect(budget.stats()).toMatchObject({ reservedBytes: 0, waiting: 0 }))
    expect(budget.stats().peakBytes).toBeLessThanOrEqual(20_000)
  })

  it('rejects with what broke it', async () => {
    const outcomes: Promise<void>[] = []
    const sockets: Socket[] = []
    const next = async (
      act: (socket: Socket) => void,
      options?: Parameters<FrameReader['attach']>[2],
      onBatch: (batch: FramedBatch) => unknown = () => {},
    ): Promise<unknown> => {
      const port = await serve((socket) => {
        const reader = FrameReader.delimited({ maxFrameLength: 10 })
        sockets.push(socket)
        const outcome = reader.attach(socket, onBatch, options)
        outcome.catch(() => {})
        outcomes.push(outcome)
      })
      const socket = dial(port)
      act(socket)
      await eventually(() => expect(outcomes.length).toBe(1))
      const [error] = await Promise.allSettled([outcomes.pop()])
      return error.status === 'rejected' ? error.reason : 'resolved'
    }
    expect(await next((socket) => socket.end('a\nb'))).toBe('resolved')
    expect(await next((socket) => socket.write('01234567890'))).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE' })
    expect(await next((socket) => socket.write('good\n01234567890'))).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE' })
    expect(
      await next((socket) => {
        socket.write('a\n', () => setTimeout(() => socket.resetAndDestroy(), 50))
      }),
    ).toMatchObject({ code: 'ERR_CLOSED', cause: { code: 'ECONNRESET' } })
    expect(await next(() => {}, { idleTimeoutMs: 20 })).toMatchObject({ code: 'ERR_TIMEOUT' })
    const mine = new Error('mine')
    expect(await next(() => {}, { signal: AbortSignal.abort(mine) })).toBe(mine)
    // That changes nothing. All else has destroyed its socket.
    sockets.pop()!.destroy()
    const stop = new AbortController()
    setTimeout(() => stop.abort(mine), 20)
    expect(await next(() => {}, { signal: stop.signal })).toBe(mine)
    const thrower = (): never => {
      throw mine
    }
    expect(await next((socket) => socket.write('a\n'), {}, thrower)).toBe(mine)
    expect(
      await next(
        (socket) => socket.write('a\n'),
        {},
        async () => thrower(),
      ),
    ).toBe(mine)
  })

  it('does not count the time in which reading waits as idle', async () => {
    let result = 'pending'
    const port = await serve(async (socket) => {
      const reader = FrameReader.delimited({ maxFrameLength: 10 })
      await reader
        .attach(socket, () => new Promise((resolve) => setTimeout(resolve, 120)), { idleTimeoutMs: 50 })
        .catch((error) => {
          result = error.code
        })
    })
    dial(port).write('a\n')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(result).toBe('pending')
    await eventually(() => expect(result).toBe('ERR_TIMEOUT'))
  })

  it('refuses what it cannot read, and changes nothing', async () => {
    const port = await serve(() => {})
    const socket = dial(port)
    await once(socket, 'connect')
    const reader = FrameReader.delimited({ maxFrameLength: 10 })
    const attach = (...args: unknown[]): Promise<string> =>
      codeOfRejection((reader.attach as (...args: unknown[]) => Promise<void>)(...args))
    for (const bad of [null, {}, Object.create(socket), new Proxy(socket, {})]) {
      expect(await attach(bad, () => {})).toBe('ERR_INVALID_ARG_TYPE')
    }
    expect(await attach(socket)).toBe('ERR_INVALID_ARG_TYPE')
    expect(await attach(socket, () => {}, { idleTimeoutMs: 0 })).toBe('ERR_OUT_OF_RANGE')
    expect(await attach(socket, () => {}, { signal: {} })).toBe('ERR_INVALID_ARG_TYPE')
    const own = reader.attach(socket, () => {})
    own.catch(() => {})
    expect(await attach(dial(port), () => {})).toBe('ERR_BUSY')
    expect(() => reader.receive(Buffer.from('a'))).toThrow(expect.objectContaining({ code: 'ERR_BUSY' }))
    const other = FrameReader.delimited({ maxFrameLength: 10 })
    expect(await codeOfRejection(other.attach(socket, () => {}))).toBe('ERR_BUSY')
    reader[Symbol.dispose]()
    expect(await codeOfRejection(own)).toBe('ERR_CLOSED')
    expect(socket.destroyed).toBe(true)
    expect(await attach(dial(port), () => {})).toBe('ERR_CLOSED')
  })

  it('reads any duplex stream', async () => {
    const stream = new PassThrough()
    const reader = FrameReader.delimited({ maxFrameLength: 100, budget: new MemoryBudget(200) })
    const lines: string[] = []
    const done = reader.attach(stream, async (batch) => {
      lines.push(...[...batch].map((bytes) => Buffer.from(bytes).toString()))
      await null
    })
    for (let index = 0; index < 100; index++) stream.write(`line ${index}\n`)
    stream.write(`${'x'.repeat(90)}\n`.repeat(10))
    stream.end()
    await done
    expect(lines.length).toBe(110)
    expect(lines[99]).toBe('line 99')
    expect(lines.slice(100)).toEqual(Array(10).fill('x'.repeat(90)))
  })

  it('goes on after a listener of the user has thrown', async () => {
    const lines: string[] = []
    const port = await serve((socket) => {
      socket.on('end', () => {})
      const reader = FrameReader.delimited({ maxFrameLength: 1000 })
      reader
        .attach(socket, (batch) => {
          lines.push(...[...batch].map((bytes) => Buffer.from(bytes).toString()))
        })
        .catch(() => {})
    })
    const socket = dial(port)
    for (let index = 0; index < 50; index++) {
      socket.write(`${index}\n`)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await eventually(() => expect(lines.length).toBe(50))
  })
})

describe('FrameWriter', () => {
  it('sends what lies in slices without a copy, and gives it back when it is sent', async () => {
    const pool = new SlotPool(10_000)
    const received: Buffer[] = []
    const writes: number[] = []
    const sink = new Duplex({
      read() {},
      writev(chunks, done) {
        writes.push(chunks.length)
        received.push(Buffer.concat(chunks.map(({ chunk }) => chunk)))
        setTimeout(done, 5)
      },
      write(chunk, _, done) {
        writes.push(1)
        received.push(Buffer.from(chunk))
        setTimeout(done, 5)
      },
    })
    const writer = FrameWriter.lengthDelimited(sink, {
      maxFrameLength: 5000,
      lengthFieldLength: 2,
      highWaterMark: 3000,
    })
    pool.getWritable(2000).fill(7)
    const slice = pool.getDataOwned()
    expect(writer.write(Buffer.from('one'))).toBe(true)
    expect(writer.write(slice)).toBe(true)
    expect(() => slice.bytes).toThrow(expect.objectContaining({ code: 'ERR_RELEASED' }))
    expect(pool.stats().liveSlices).toBe(1)
    expect(writer.write(Buffer.alloc(2000, 8))).toBe(false)
    await writer.drained()
    expect(pool.stats().liveSlices).toBe(0)
    expect(Buffer.concat(received)).toEqual(
      Buffer.concat([
        Buffer.of(0, 3),
        Buffer.from('one'),
        Buffer.of(2000 >> 8, 2000 & 255),
        Buffer.alloc(2000, 7),
        Buffer.of(2000 >> 8, 2000 & 255),
        Buffer.alloc(2000, 8),
      ]),
    )
    expect(writes.length).toBe(1)
    await writer.end()
    expect(() => writer.write(Buffer.from('late'))).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }))
    pool.close()
  })

  it.each([1, 2, 2 ** 31, 2 ** 32 - 1])(
    'has drained when at most half of a high-water mark of %d waits',
    async (highWaterMark) => {
      const sink = new PassThrough().resume()
      const writer = FrameWriter.delimited(sink, { maxFrameLength: 100, highWaterMark })
      writer.write(Buffer.from('line'))
      await writer.drained()
      await writer.end()
    },
  )

  it.each([
    { lengthFieldLength: 1 },
    { lengthFieldLength: 3, endian: 'little', lengthFieldOffset: 2 },
    { lengthFieldLength: 8, lengthAdjustment: -8 },
    { lengthFieldLength: 2, headerLength: 6, lengthAdjustment: 3 },
  ] as const)('makes the headers that its reader reads, with %o', async (layout) => {
    const options = { ...layout, maxFrameLength: 1000 }
    const stream = new PassThrough()
    const writer = FrameWriter.lengthDelimited(stream, options)
    const texts = ['hello', 'no', 'x'.repeat(200)]
    for (const text of texts) writer.write(Buffer.from(text))
    const got: string[] = []
    const done = FrameReader.lengthDelimited(options).attach(stream, (batch) => {
      got.push(...[...batch].map((bytes) => Buffer.from(bytes).toString()))
    })
    await writer.end()
    await done
    expect(got).toEqual(texts)
  })

  it('finds a delimiter wherever it begins in a payload, and nowhere else', () => {
    const random = new Random()
    for (let round = 0; round < 2_000; round++) {
      // Few values, so that beginnings of the delimiter are frequent.
      const some = (most: number): Buffer => Buffer.from(random.bytes(random.below(most)).map((byte) => byte & 1))
      const delimiter = Buffer.concat([some(5), Buffer.of(1)])
      const payload = some(12)
      const whole = Buffer.concat([payload, delimiter])
      const stream = new PassThrough()
      using writer = FrameWriter.delimited(stream, { maxFrameLength: 100, delimiter })
      let sent = true
      try {
        writer.write(payload)
      } catch {
        sent = false
      }
      if (sent !== (whole.indexOf(delimiter) === payload.length)) {
        throw new Error(`${random.origin}: ${payload.toString('hex')} before ${delimiter.toString('hex')}`)
      }
    }
  })

  it.each(['length', 'byteLength', 'byteOffset', 'buffer', 'indexOf', 'subarray'])(
    'goes by the intrinsic bytes of a payload whose %s lies',
    async (property) => {
      for (const lie of [-1, 1.5, 2 ** 40, Number.NaN, 'text', null, undefined, {}, Symbol('lie')]) {
        const stream = new PassThrough()
        const payload = Object.defineProperty(Buffer.from('ab'), property, { value: lie })
        for (const delimiter of [10, Buffer.from('\r\n')]) {
          FrameWriter.delimited(stream, { maxFrameLength: 100, delimiter }).write(payload)
        }
        FrameWriter.lengthDelimited(stream, { maxFrameLength: 100, lengthFieldLength: 1 }).write(payload)
        await new Promise(setImmediate)
        stream.end()
        expect(String(Buffer.concat(await stream.toArray())), String(lie)).toBe('ab\nab\r\n\u0002ab')
      }
    },
  )

  it('sends a frame whole or not at all when memory runs out', async () => {
    const written: Uint8Array[] = []
    let go = (): void => {}
    const going = new Promise<void>((resolve) => {
      go = resolve
    })
    // Takes nothing at first, so that memory does not come back.
    const sink = new Duplex({
      write: (chunk, _, done) => {
        written.push(new Uint8Array(chunk))
        going.then(() => done())
      },
    })
    using writer = FrameWriter.delimited(sink, { maxFrameLength: 10_000, delimiter: Buffer.from('\r\n') })
    // More than the memory that other writers have left.
    for (let index = 0; index < 2_000; index++) writer.write(Buffer.alloc(1_000, 120))
    const { Uint8Array: original } = globalThis
    const refusing = new Proxy(original, {
      construct: (target, given, made) => {
        if (typeof given[0] === 'number' && given[0] > 1_000) throw new RangeError('Array buffer allocation failed')
        return Reflect.construct(target, given, made)
      },
    })
    let sent = 0
    let slice: Slice
    try {
      globalThis.Uint8Array = refusing
      for (;;) {
        slice = Slice.from(original.of(120))
        writer.write(slice)
        sent++
      }
    } catch (error) {
      expect(String(error)).toContain('allocation failed')
    } finally {
      globalThis.Uint8Array = original
    }
    // It is still the caller's.
    expect(slice!.release()).toBe(true)
    go()
    await writer.end()
    const frames = Buffer.concat(written).toString().split('\r\n')
    expect(frames.map(({ length }) => length)).toEqual([...Array(2_000).fill(1_000), ...Array(sent).fill(1), 0])
  })

  it('refuses what cannot be sent, and leaves it to the caller', () => {
    const stream = new PassThrough()
    const writer = FrameWriter.delimited(stream, { maxFrameLength: 10, delimiter: Buffer.from('\r\n') })
    const code = (call: () => unknown): unknown => {
      try {
        return call()
      } catch (error) {
        return (error as { code: string }).code
      }
    }
    expect(code(() => writer.write(Buffer.from('a\r\nb')))).toBe('ERR_INVALID_ARG_VALUE')
    expect(code(() => writer.write(Buffer.from('123456789')))).toBe('ERR_FRAME_TOO_LARGE')
    expect(code(() => writer.write('a' as never))).toBe('ERR_INVALID_ARG_TYPE')
    expect(code(() => writer.forward({} as never))).toBe('ERR_INVALID_ARG_TYPE')
    expect(code(() => writer.write(Buffer.from('a\r')))).toBe(true)
    for (const detached of [new Uint8Array(2), runInNewContext('new Uint8Array(2)') as Uint8Array<ArrayBuffer>]) {
      structuredClone(detached, { transfer: [detached.buffer] })
      expect(code(() => writer.write(detached))).toBe(true)
    }
    const ends = FrameWriter.delimited(stream, { maxFrameLength: 10, delimiter: Buffer.from('aa') })
    expect(code(() => ends.write(Buffer.from('xa')))).toBe('ERR_INVALID_ARG_VALUE')
    const small = FrameWriter.lengthDelimited(stream, { maxFrameLength: 1000, lengthFieldLength: 1 })
    expect(code(() => small.write(Buffer.alloc(256)))).toBe('ERR_OUT_OF_RANGE')
    using reader = FrameReader.delimited({ maxFrameLength: 10 })
    const batch = reader.receive(Buffer.from('a\nb\n')).retain()
    expect(code(() => writer.forward(batch, 2, 1))).toBe('ERR_OUT_OF_RANGE')
    expect(code(() => writer.forward(batch, 0, 3))).toBe('ERR_OUT_OF_RANGE')
    batch.release()
    expect(code(() => writer.forward(batch))).toBe('ERR_RELEASED')
    stream.destroy()
    expect(code(() => writer.write(Buffer.from('a')))).toBe('ERR_CLOSED')
    for (const bad of [null, {}, Object.create(stream)]) {
      expect(code(() => FrameWriter.delimited(bad as never, { maxFrameLength: 1 }))).toBe('ERR_INVALID_ARG_TYPE')
    }
  })

  it('gives everything back when its socket breaks', async () => {
    const pool = new SlotPool(1 << 20, { slots: 32 })
    const port = await serve((socket) => socket.pause())
    const socket = dial(port)
    await once(socket, 'connect')
    const writer = FrameWriter.lengthDelimited(socket, four)
    let full = false
    while (!full) {
      pool.getWritable(30_000)
      full = !writer.write(pool.getDataOwned()) && socket.writableLength > 100_000
      await null
    }
    expect(pool.stats().liveSlices).toBeGreaterThan(0)
    const drained = writer.drained()
    socket.destroy()
    expect(await codeOfRejection(drained)).toBe('ERR_CLOSED')
    await eventually(() => expect(pool.stats().liveSlices).toBe(0))
    pool.close()
  })

  it('sends in one write all that a loop over a channel brings', async () => {
    const writes: string[] = []
    const sink = new Duplex({
      read() {},
      writev(chunks, done) {
        writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk)).toString())
        done()
      },
    })
    const writer = FrameWriter.delimited(sink, { maxFrameLength: 100_000 })
    using reader = FrameReader.delimited({ maxFrameLength: 100_000 })
    const { sender, receiver } = SliceChannel.create<FramedBatch>(16)
    for (let index = 0; index < 10; index++) sender.send(reader.receive(Buffer.from(`${index}\n`)))
    sender.end()
    for await (const batch of receiver) writer.forward(batch)
    await eventually(() => expect(writes.length).toBeGreaterThan(0))
    expect(writes).toEqual([Array.from({ length: 10 }, (_, index) => `${index}\n`).join('')])
    // A loop that gives the event loop no turn gets its bytes out all the same.
    for (let round = 0; writes.length === 1 && round < 1000; round++) {
      writer.write(Buffer.alloc(10_000))
      await null
    }
    expect(writes.length).toBeGreaterThan(1)
    await writer.end()
  })

  it('sends a batch to several sockets', async () => {
    const outputs: Buffer[] = []
    const streams = [0, 1].map((index) => {
      const stream = new PassThrough()
      outputs[index] = Buffer.alloc(0)
      stream.on('data', (chunk) => {
        outputs[index] = Buffer.concat([outputs[index]!, chunk])
      })
      return stream
    })
    const writers = streams.map((stream) => FrameWriter.delimited(stream, { maxFrameLength: 10 }))
    using reader = FrameReader.delimited({ maxFrameLength: 10 })
    const batch = reader.receive(Buffer.from('a\nb\nc\n'))
    writers[0]!.forward(batch)
    writers[1]!.forward(batch, 1, 3)
    reader.receive(Buffer.from('later\n'))
    await eventually(() => expect(outputs.map(String)).toEqual(['a\nb\nc\n', 'b\nc\n']))
    expect(batch.release()).toBe(false)
  })
})

describe('a batch', () => {
  it('goes to a worker and back with its table and its tag, and its budget comes back', () => {
    const printed = runProgram(`${WORKERS}
      import { connect, createServer } from 'node:net'
      import { adopt, FrameReader, FrameWriter, MemoryBudget, SliceChannel, SlotPool } from 'framepool'
      const [there, back] = [SliceChannel.create(64), SliceChannel.create(64)]
      const worker = start(\`
        import { workerData } from 'node:worker_threads'
        import { adopt } from 'framepool'
        const [receiver, sender] = workerData.map(adopt)
        for await (const batch of receiver) {
          for (const payload of batch) for (let i = 0; i < payload.length; i++) payload[i] ^= 255
          await sender.sendAsync(batch)
        }
        sender.end()\`, { workerData: [there.receiver.move(), back.sender.move()] })
      const budget = new MemoryBudget(4 << 20)
      const options = { maxFrameLength: 1 << 17 }
      const writers = new Map()
      const server = createServer(async (socket) => {
        const writer = FrameWriter.lengthDelimited(socket, options)
        const id = writers.size + 0.5
        writers.set(id, writer)
        let open = 0
        const reader = FrameReader.lengthDelimited({ ...options, budget })
        writer.done = (count) => { open -= count }
        await reader.attach(socket, (batch) => {
          open += batch.length
          batch.tag = id
          return there.sender.sendAsync(batch)
        })
        while (open > 0) await new Promise((resolve) => setTimeout(resolve, 1))
        await writer.end()
      }).listen(0)
      void (async () => {
        for await (const batch of back.receiver) {
          const writer = writers.get(batch.tag)
          const count = batch.length
          writer.forward(batch)
          writer.done(count)
        }
      })()
      await once(server, 'listening')
      const results = await Promise.all(Array.from({ length: 10 }, async (_, client) => {
        const socket = connect(server.address().port)
        const sent = Array.from({ length: 50 }, (_, i) => Buffer.alloc([10, 5000, 100_000][i % 3] + client, i))
        const reader = FrameReader.lengthDelimited(options)
        const writer = FrameWriter.lengthDelimited(socket, options)
        let ok = 0
        const done = reader.attach(socket, (batch) => {
          for (const payload of batch) {
            const frame = sent[ok++]
            if (payload.length !== frame.length || payload[0] !== (frame[0] ^ 255)) throw new Error('wrong')
          }
        })
        for (const frame of sent) if (!writer.write(frame)) await writer.drained()
        await writer.end()
        await done
        return ok
      }))
      console.log(results.join(' '))
      server.close()
      there.sender.end()
      await ended(worker)
      await new Promise((resolve) => setTimeout(resolve, 50))
      console.log(budget.stats().reservedBytes, budget.stats().waiting, budget.stats().peakBytes <= 4 << 20)
      const other = SliceChannel.create(2)
      const pool = new SlotPool(100)
      pool.writeAll(Buffer.from('hi'))
      other.sender.send(pool.getDataOwned(), 42)
      pool.writeAll(Buffer.from('hi'))
      other.sender.send(pool.getDataOwned())
      console.log(other.receiver.tryReceive().tag, other.receiver.tryReceive().tag)
      const reader = FrameReader.delimited({ maxFrameLength: 10 })
      const batch = reader.receive(Buffer.from('a\\nbc\\n'))
      batch.tag = -1
      const home = adopt(batch.move())
      console.log(home.length, home.tag, Buffer.from(home.frame(1)).toString(), home.release(), batch.release())
      process.exit()`)
    expect(printed.split('\n')).toEqual([
      Array(10).fill(50).join(' '),
      '0 0 true',
      '42 undefined',
      '2 -1 bc',
      ' true false',
      '',
    ])
  })
})
