import { once } from 'node:events'
import { Duplex, PassThrough } from 'node:stream'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { type FramedBatch, FrameReader, FrameWriter, Slice, SliceChannel, SlotPool } from '../../index.js'
import { codeOfRejection } from '../support/code-of.js'
import { eventually } from '../support/network.js'
import { Random } from '../support/random.js'
import { connected, received } from '../support/sockets.js'
import { dial, four, serve } from './connections.js'

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

  describe('whose stream breaks while bytes wait', () => {
    const why = Object.assign(new Error('mine'), { code: 'EMINE' })
    const streams: Record<string, () => Promise<Duplex>> = {
      'a socket': async () => {
        const { dialled, accepted } = await connected()
        accepted.pause()
        return dialled
      },
      // It never calls back, as Node's own `duplexPair()` does not.
      'a stream that is not a socket': async () => new Duplex({ read() {}, write() {} }).on('error', () => {}),
    }
    const waits: Record<string, (writer: FrameWriter) => Promise<void>[]> = {
      'drained()': (writer) => [writer.drained()],
      'end()': (writer) => [writer.end()],
      'drained() and end()': (writer) => [writer.drained(), writer.end()],
    }
    const cases = Object.entries(streams).flatMap(([name, open]) =>
      Object.entries(waits).flatMap(([wait, begin]) =>
        [why, undefined].map((error) => ({ name, open, wait, begin, error })),
      ),
    )

    it.each(cases)('rejects $wait with what broke it: $name, $error', async ({ open, begin, error }) => {
      const stream = await open()
      const before = stream.listenerCount('close')
      const writer = FrameWriter.lengthDelimited(stream, { maxFrameLength: 2 ** 20 })
      // More than the system holds for a peer that does not read.
      for (let index = 0; index < 64; index++) writer.write(Buffer.alloc(2 ** 20 - 4))
      await new Promise(setImmediate)
      const waiting = begin(writer)
      stream.destroy(error)
      for (const settled of await Promise.allSettled([...waiting, writer.drained()])) {
        const { reason } = settled as PromiseRejectedResult
        expect([reason?.code, reason?.cause]).toEqual(['ERR_CLOSED', error ?? reason?.cause])
      }
      expect(stream.listenerCount('close')).toBeLessThanOrEqual(before)
    })
  })

  it('listens once to its socket, however many calls of drained() wait', async () => {
    const { dialled, accepted } = await connected()
    accepted.pause()
    const before = dialled.listenerCount('close')
    const writer = FrameWriter.lengthDelimited(dialled, { maxFrameLength: 2 ** 20 })
    for (let index = 0; index < 64; index++) writer.write(Buffer.alloc(2 ** 20 - 4))
    const early = writer.drained({ timeoutMs: 10 })
    const waiting = Array.from({ length: 20 }, () => writer.drained())
    expect(dialled.listenerCount('close')).toBe(before + 1)
    expect(await codeOfRejection(early)).toBe('ERR_TIMEOUT')
    expect(dialled.listenerCount('close')).toBe(before + 1)
    accepted.resume()
    await Promise.all(waiting)
    expect(dialled.listenerCount('close')).toBe(before)
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

  it('leaves the bytes to a stream that keeps them after it has called back', async () => {
    const stream = new PassThrough()
    const writer = FrameWriter.lengthDelimited(stream, { maxFrameLength: 20_000 })
    using reader = FrameReader.lengthDelimited({ maxFrameLength: 20_000 })
    const pool = new SlotPool(65_536)
    for (let index = 0; index < 20; index++) {
      pool.getWritable(10_000).fill(index)
      writer.write(pool.getDataOwned())
      writer.write(Buffer.alloc(20, index))
      writer.forward(reader.receive(Buffer.concat([Buffer.of(0, 0, 0, 30), Buffer.alloc(30, index)])))
      await new Promise(setImmediate)
    }
    const expected = Array.from({ length: 20 }, (_, index) =>
      [10_000, 20, 30].map((length) => Buffer.alloc(length, index)),
    )
    const got: Buffer[] = []
    for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) {
      got.push(...[...reader.receive(chunk)].map((payload) => Buffer.from(payload)))
    }
    expect(got.length).toBe(60)
    expect(Buffer.concat(got).equals(Buffer.concat(expected.flat()))).toBe(true)
    await eventually(() => expect(pool.stats().liveSlices).toBe(0))
    pool.close()
  })

  it.each(['slice', 'batch'])(
    'sends nothing more rather than leave out the bytes of a %s that were detached',
    async (kind) => {
      const { dialled, accepted } = await connected()
      const writer = FrameWriter.lengthDelimited(dialled, { maxFrameLength: 20_000 })
      using reader = FrameReader.lengthDelimited({ maxFrameLength: 20_000 })
      const frame = Buffer.concat([Buffer.of(0, 0, 0, 8), Buffer.from('detached')])
      const slice = Slice.from(frame)
      const batch = reader.receive(frame)
      const view = kind === 'slice' ? slice.bytes : batch.payload(0)
      if (kind === 'slice') writer.write(slice)
      else writer.forward(batch)
      new ReadableStream({ type: 'bytes', start: (controller) => controller.enqueue(view) })
      expect(view.length).toBe(0)
      writer.write(Buffer.from('behind'))
      await new Promise(setImmediate)
      const reason = await writer.drained().catch((error) => error)
      expect([reason.code, reason.cause?.code]).toEqual(['ERR_CLOSED', 'ERR_INVALID_STATE'])
      expect(() => writer.write(Buffer.from('more'))).toThrow(reason.message)
      dialled.end()
      expect(await received(accepted)).toEqual(Buffer.alloc(0))
    },
  )

  it('rejects end() if bytes were detached before they were given to the socket', async () => {
    const { dialled } = await connected()
    const writer = FrameWriter.lengthDelimited(dialled, { maxFrameLength: 100 })
    const slice = Slice.from(Buffer.from('detached'))
    const view = slice.bytes
    writer.write(slice)
    new ReadableStream({ type: 'bytes', start: (controller) => controller.enqueue(view) })
    const reason = await writer.end().catch((error) => error)
    expect([reason?.code, reason?.cause?.code]).toEqual(['ERR_CLOSED', 'ERR_INVALID_STATE'])
    expect(dialled.writableEnded).toBe(false)
  })

  it('goes on when a method of its socket takes the memory that it is given', async () => {
    const { dialled, accepted } = await connected()
    const write = dialled.write.bind(dialled) as (chunk: Uint8Array, done?: () => void) => boolean
    const kept: ArrayBuffer[] = []
    dialled.write = ((chunk: Uint8Array, done?: () => void) => {
      kept.push(chunk.buffer as ArrayBuffer)
      return write(Buffer.from(chunk), done)
    }) as typeof dialled.write
    const writers = [1, 2].map(() => FrameWriter.delimited(dialled, { maxFrameLength: 100 }))
    for (let index = 0; index < 20; index++) {
      for (const writer of writers) writer.write(Buffer.from(`${index}`))
      await new Promise(setImmediate)
      for (const buffer of kept.splice(0)) if (buffer.byteLength > 0) structuredClone(buffer, { transfer: [buffer] })
    }
    dialled.end()
    const lines = Array.from({ length: 20 }, (_, index) => `${index}\n${index}\n`)
    expect(String(await received(accepted))).toBe(lines.join(''))
  })
})
