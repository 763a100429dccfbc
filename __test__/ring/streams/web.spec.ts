import { buffer } from 'node:stream/consumers'
import { CompressionStream, DecompressionStream, ReadableStream, WritableStream } from 'node:stream/web'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ByteRing, type Consumer, type Producer } from '../../../index.js'
import { codeOf, codeOfRejection } from '../../support/code-of.js'
import { pattern } from '../../support/pattern.js'
import { Random } from '../../support/random.js'
import { pair } from '../../support/sessions.js'

function halves(size: number): { producer: Producer; consumer: Consumer } {
  return new ByteRing(size).intoParts()
}

/** Reads all bytes that are available. */
function take(consumer: Consumer): Buffer {
  const bytes = Buffer.alloc(consumer.available)
  consumer.read(bytes)
  return bytes
}

describe('toReadableStream', () => {
  it('returns copies of the written bytes, then ends and releases the half', async () => {
    const { producer, consumer } = halves(16)
    const stream = consumer.toReadableStream()
    expect(stream).toBeInstanceOf(ReadableStream)
    const reader = stream.getReader()
    const chunks: Uint8Array[] = []
    for (const word of ['first', 'second', 'third']) {
      const reading = reader.read()
      await turn()
      producer.writeAll(Buffer.from(word))
      chunks.push((await reading).value!)
    }
    expect(chunks.map((chunk) => Buffer.from(chunk).toString())).toEqual(['first', 'second', 'third'])
    // Each chunk has its own memory.
    expect(chunks.map((chunk) => chunk.buffer.byteLength)).toEqual([5, 6, 5])
    producer.end()
    expect(await reader.read()).toEqual({ done: true, value: undefined })
    await reader.closed
    expect([producer.ended, consumer.release()]).toEqual([true, false])
  })

  it('keeps the half busy until it closes', () => {
    const { consumer } = halves(16)
    consumer.toReadableStream()
    for (const use of [
      () => consumer.read(Buffer.alloc(1)),
      () => consumer.release(),
      () => consumer.toReadable(),
      () => consumer.toReadableStream(),
    ]) {
      expect(codeOf(use)).toBe('ERR_BUSY')
    }
    const other = halves(16)
    other.consumer.end()
    expect(codeOf(() => other.consumer.toReadableStream())).toBe('ERR_CLOSED')
  })

  it('takes nothing out of the ring before a read', async () => {
    const { producer, consumer } = halves(16)
    producer.writeAll(pattern(10))
    const reader = consumer.toReadableStream().getReader()
    await turn()
    expect(consumer.available).toBe(10)
    expect((await reader.read()).value).toEqual(new Uint8Array(pattern(10)))
    await turn()
    producer.writeAll(pattern(5))
    await turn()
    expect(consumer.available).toBe(5)
  })

  it('returns at most 64 KiB at once', async () => {
    const { producer, consumer } = halves(1 << 18)
    const bytes = pattern(200_000)
    producer.writeAll(bytes)
    producer.end()
    const chunks: Uint8Array[] = []
    for await (const chunk of consumer.toReadableStream()) chunks.push(chunk)
    expect(chunks.map((chunk) => chunk.length)).toEqual([65_536, 65_536, 65_536, 3_392])
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
  })

  it('reads into the buffer of a BYOB reader', async () => {
    const { producer, consumer } = halves(8)
    const reader = consumer.toReadableStream().getReader({ mode: 'byob' })
    producer.writeAll(Buffer.from('abcdef'))
    const memory = new ArrayBuffer(16)
    const { value } = await reader.read(new Uint8Array(memory, 4, 4))
    // The stream detaches the buffer and returns its memory as another.
    expect([memory.byteLength, value!.buffer.byteLength, value!.byteOffset]).toEqual([0, 16, 4])
    expect(Buffer.from(value!).toString()).toBe('abcd')
    const rest = await reader.read(new Uint8Array(value!.buffer))
    expect(Buffer.from(rest.value!).toString()).toBe('ef')
    const reading = reader.read(new Uint8Array(4))
    await turn()
    // The bytes wrap at the end of the ring.
    producer.writeAll(Buffer.from('ghi'))
    expect(Buffer.from((await reading).value!).toString()).toBe('ghi')
  })

  it('returns the buffer of a BYOB reader at the end', async () => {
    for (const early of [true, false]) {
      const { producer, consumer } = halves(8)
      const reader = consumer.toReadableStream().getReader({ mode: 'byob' })
      if (early) producer.end()
      const reading = reader.read(new Uint8Array(4))
      await turn()
      producer.end()
      const { done, value } = await reading
      expect([done, value!.length, value!.buffer.byteLength]).toEqual([true, 0, 4])
      expect(consumer.release()).toBe(false)
    }
  })

  it('continues with the next reader after one has left', async () => {
    for (const [first, next] of [
      ['byob', 'default'],
      ['default', 'byob'],
    ]) {
      const { producer, consumer } = halves(8)
      const stream = consumer.toReadableStream()
      let failure: Promise<unknown>
      if (first === 'byob') {
        const reader = stream.getReader({ mode: 'byob' })
        failure = reader.read(new Uint8Array(4))
        reader.releaseLock()
      } else {
        const reader = stream.getReader()
        failure = reader.read()
        reader.releaseLock()
      }
      await expect(failure).rejects.toThrow()
      producer.writeAll(Buffer.from('abcdef'))
      producer.end()
      let come = ''
      if (next === 'byob') {
        const reader = stream.getReader({ mode: 'byob' })
        for (;;) {
          const { done, value } = await reader.read(new Uint8Array(5))
          if (done) break
          come += Buffer.from(value)
        }
      } else {
        for await (const chunk of stream) come += Buffer.from(chunk)
      }
      expect(come).toBe('abcdef')
    }
  })

  it('tees', async () => {
    const { producer, consumer } = halves(64)
    const bytes = pattern(10_000)
    const [one, two] = consumer.toReadableStream().tee()
    const reading = Promise.all([buffer(one), buffer(two)])
    producer.toWritable().end(bytes)
    expect((await reading).map((read) => read.equals(bytes))).toEqual([true, true])
    expect(consumer.release()).toBe(false)
  })

  it('is cancelled before a read, during one, and by a break', async () => {
    const cancels: ((stream: ReadableStream<Uint8Array>) => Promise<unknown>)[] = [
      (stream) => stream.cancel(),
      async (stream) => {
        const reader = stream.getReader()
        const reading = reader.read()
        await turn()
        await reader.cancel(new Error('enough'))
        expect(await reading).toEqual({ done: true, value: undefined })
      },
      async (stream) => {
        const reader = stream.getReader({ mode: 'byob' })
        const reading = reader.read(new Uint8Array(4))
        await turn()
        await reader.cancel()
        expect((await reading).done).toBe(true)
      },
      async (stream) => {
        const reader = stream.getReader()
        const reading = reader.read()
        await reader.cancel()
        expect((await reading).done).toBe(true)
      },
    ]
    for (const cancel of cancels) {
      const { producer, consumer } = halves(16)
      await cancel(consumer.toReadableStream())
      expect([producer.ended, consumer.release()]).toEqual([true, false])
    }
    const { producer, consumer } = halves(16)
    producer.writeAll(Buffer.from('x'))
    for await (const chunk of consumer.toReadableStream()) {
      expect(Buffer.from(chunk).toString()).toBe('x')
      break
    }
    expect([producer.ended, consumer.release()]).toEqual([true, false])
  })

  it("takes nothing from a session's output without a reader", async () => {
    const { initiator } = pair()
    initiator.send({ messageType: 1 }, pattern(10))
    const { available } = initiator.output
    const reader = initiator.output.toReadableStream().getReader()
    await turn()
    const reading = reader.read()
    await reader.cancel()
    expect((await reading).done).toBe(true)
    await turn()
    expect(initiator.output.available).toBe(available)
  })

  it("reads a session's output until the session closes, and returns it when cancelled", async () => {
    const { initiator, responder } = pair()
    const stream = initiator.output.toReadableStream()
    initiator.send({ messageType: 1 }, pattern(10))
    expect(codeOf(() => initiator.output.toReadableStream())).toBe('ERR_BUSY')
    await stream.cancel()
    const reading = buffer(initiator.output.toReadableStream())
    initiator.send({ messageType: 2 }, pattern(20))
    initiator.close()
    expect([...responder.receive(await reading)].map(({ messageType }) => messageType)).toEqual([1, 2])
    expect(initiator.stats().memoryBytes).toBe(0)
  })
})

describe('toWritableStream', () => {
  it('writes, then closes and releases the half', async () => {
    const { producer, consumer } = halves(16)
    const stream = producer.toWritableStream()
    expect(stream).toBeInstanceOf(WritableStream)
    const writer = stream.getWriter()
    await writer.write(Buffer.from('abc'))
    await writer.write(new Uint8Array(0))
    expect(take(consumer).toString()).toBe('abc')
    await writer.close()
    await writer.closed
    expect([consumer.ended, producer.release()]).toEqual([true, false])
  })

  it('keeps the half busy until it closes', () => {
    const { producer } = halves(16)
    producer.toWritableStream()
    for (const use of [
      () => producer.write(Buffer.alloc(1)),
      () => producer.release(),
      () => producer.toWritable(),
      () => producer.toWritableStream(),
    ]) {
      expect(codeOf(use)).toBe('ERR_BUSY')
    }
    const other = halves(16)
    other.producer.end()
    expect(codeOf(() => other.producer.toWritableStream())).toBe('ERR_CLOSED')
  })

  it('counts bytes, and is ready only below its high-water mark', async () => {
    const { producer, consumer } = halves(16)
    const writer = producer.toWritableStream().getWriter()
    const room = writer.desiredSize!
    expect(room).toBeGreaterThanOrEqual(16 * 1024)
    await writer.ready
    const writing = writer.write(pattern(room - 1))
    expect(writer.desiredSize).toBe(1)
    const more = writer.write(pattern(100))
    expect(writer.desiredSize).toBe(-99)
    let ready = false
    writer.ready.then(() => {
      ready = true
    })
    await turn()
    expect([ready, consumer.available]).toEqual([false, 16])
    let come = 0
    while (come < room + 99) {
      come += take(consumer).length
      await turn()
    }
    await Promise.all([writing, more])
    expect([ready, writer.desiredSize, come]).toEqual([true, room, room + 99])
  })

  it.each(['end', 'release'] as const)('fails when the consumer is gone: %s', async (leave) => {
    for (const waits of [true, false]) {
      const { producer, consumer } = halves(16)
      const writer = producer.toWritableStream().getWriter()
      const closing = codeOfRejection(writer.closed)
      if (!waits) consumer[leave]()
      const writing = codeOfRejection(writer.write(pattern(20)))
      await turn()
      if (waits) consumer[leave]()
      expect(await writing).toBe('ERR_CLOSED')
      expect(await closing).toBe('ERR_CLOSED')
      expect(producer.release()).toBe(false)
    }
  })

  it.each([['text'], [null], [undefined], [new Uint16Array(2)], [{ byteLength: Number.NaN }]])(
    'fails on what are no bytes, and releases the half: %j',
    async (chunk) => {
      const { producer, consumer } = halves(16)
      const writer = producer.toWritableStream().getWriter()
      const closing = codeOfRejection(writer.closed)
      expect(await codeOfRejection(writer.write(chunk as never))).toBe('ERR_INVALID_ARG_TYPE')
      expect(await closing).toBe('ERR_INVALID_ARG_TYPE')
      expect([consumer.ended, producer.release()]).toEqual([true, false])
    },
  )

  it('is aborted before a write, during one, and with more writes queued', async () => {
    for (const writes of [0, 1, 3]) {
      const { producer, consumer } = halves(16)
      const writer = producer.toWritableStream().getWriter()
      const closing = expect(writer.closed).rejects.toThrow('enough')
      const writing = Array.from({ length: writes }, () => expect(writer.write(pattern(20))).rejects.toThrow('enough'))
      await turn()
      await writer.abort(new Error('enough'))
      await Promise.all([closing, ...writing])
      expect([consumer.ended, producer.release()]).toEqual([true, false])
      expect(consumer.available).toBe(writes === 0 ? 0 : 16)
    }
  })
})

describe('from ring to ring', () => {
  it('matches a model: loses and changes nothing, however the bytes are split', async () => {
    const random = new Random()
    for (let round = 0; round < 100; round++) {
      const { producer, consumer } = halves(1 << random.below(11))
      const bytes = random.bytes(random.below(10_000))
      const reading = (async () => {
        const come: Uint8Array[] = []
        if (random.below(2) === 0) {
          for await (const chunk of consumer.toReadableStream()) come.push(chunk)
          return Buffer.concat(come)
        }
        const reader = consumer.toReadableStream().getReader({ mode: 'byob' })
        for (;;) {
          const { done, value } = await reader.read(new Uint8Array(1 + random.below(2_000)))
          if (done) return Buffer.concat(come)
          come.push(value)
        }
      })()
      const writer = producer.toWritableStream().getWriter()
      for (let at = 0; at < bytes.length; ) {
        const chunk = bytes.subarray(at, at + random.below(3_000))
        at += chunk.length
        const written = writer.write(chunk)
        if (random.below(2) === 0) await written
        await writer.ready
      }
      await writer.close()
      expect((await reading).equals(bytes), random.origin).toBe(true)
      expect([producer.release(), consumer.release()]).toEqual([false, false])
    }
  })

  it('pipes, directly and through a compression', async () => {
    const [from, between, to] = [halves(512), halves(64), halves(1024)]
    const bytes = pattern(200_000)
    from.producer.toWritable().end(bytes)
    const [come] = await Promise.all([
      buffer(to.consumer.toReadableStream()),
      from.consumer
        .toReadableStream()
        .pipeThrough(new CompressionStream('gzip'))
        .pipeTo(between.producer.toWritableStream()),
      between.consumer
        .toReadableStream()
        .pipeThrough(new DecompressionStream('gzip'))
        .pipeTo(to.producer.toWritableStream()),
    ])
    expect(come.equals(bytes)).toBe(true)
    for (const { producer, consumer } of [from, between, to]) {
      expect([producer.release(), consumer.release()]).toEqual([false, false])
    }
  })

  it('a pipe that breaks frees both sides', async () => {
    const [from, to] = [halves(64), halves(64)]
    from.producer.writeAll(pattern(64))
    to.consumer.end()
    expect(await codeOfRejection(from.consumer.toReadableStream().pipeTo(to.producer.toWritableStream()))).toBe(
      'ERR_CLOSED',
    )
    expect([from.producer.ended, to.producer.release()]).toEqual([true, false])

    const abort = new AbortController()
    const [source, sink] = [halves(64), halves(64)]
    const piping = source.consumer.toReadableStream().pipeTo(sink.producer.toWritableStream(), abort)
    await turn()
    abort.abort(new Error('enough'))
    await expect(piping).rejects.toThrow('enough')
    expect([source.producer.ended, sink.consumer.ended]).toEqual([true, true])
  })
})

it("a stream that is cancelled during a wait leaves a session's output to its new holder", async () => {
  const { initiator } = pair()
  const reader = initiator.output.toReadableStream().getReader()
  const reading = reader.read()
  await turn()
  void reader.cancel()
  const next = initiator.output.toReadable()
  expect(await reading).toMatchObject({ done: true })
  await turn()
  expect(codeOf(() => initiator.output.read(Buffer.alloc(1)))).toBe('ERR_BUSY')
  next.destroy()
})
