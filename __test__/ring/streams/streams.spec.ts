import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable, Transform, Writable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { finished, pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createGunzip, createGzip } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ByteRing, type Consumer, type Producer } from '../../../index.js'
import { codeOf, codeOfRejection } from '../../support/code-of.js'
import { pattern } from '../../support/pattern.js'
import { Random } from '../../support/random.js'
import { pair, strangers, wireLength } from '../../support/sessions.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))

function halves(size: number): { producer: Producer; consumer: Consumer } {
  return new ByteRing(size).intoParts()
}

/** Reads all bytes that are available. */
function take(consumer: Consumer): Buffer {
  const bytes = Buffer.alloc(consumer.available)
  consumer.read(bytes)
  return bytes
}

/** Records the names of `events` in order, with the bytes of 'data'. */
function record(stream: Readable | Writable, ...events: string[]): string[] {
  const log: string[] = []
  for (const event of events) {
    stream.on(event, (value?: unknown) => log.push(value === undefined ? event : `${event} ${value}`))
  }
  return log
}

async function closed(stream: Readable | Writable): Promise<void> {
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
  // A stream is closed shortly before it emits `close`.
  await turn()
}

/** Creates a temporary directory for one test. */
function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'framepool-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  return path
}

/** Runs a program that ends by itself, and returns its output. */
function run(program: string): string {
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], { cwd: root, encoding: 'utf8' })
}

describe('toReadable', () => {
  it('reads the written bytes, then ends, then closes', async () => {
    const { producer, consumer } = halves(16)
    const stream = consumer.toReadable()
    const log = record(stream, 'data', 'end', 'close')
    producer.writeAll(Buffer.from('first'))
    await turn()
    await turn()
    producer.writeAll(Buffer.from('second'))
    producer.end()
    await closed(stream)
    expect(log).toEqual(['data first', 'data second', 'end', 'close'])
  })

  it.each(['end', 'release'] as const)('ends at once after the producer: %s', async (leave) => {
    const { producer, consumer } = halves(16)
    producer[leave]()
    expect(await buffer(consumer.toReadable())).toEqual(Buffer.alloc(0))
  })

  it('keeps the half busy until it closes, and then releases it', async () => {
    const { producer, consumer } = halves(16)
    producer.writeAll(Buffer.from('x'))
    const stream = consumer.toReadable()
    expect(stream).toBeInstanceOf(Readable)
    for (const use of [
      () => consumer.read(Buffer.alloc(1)),
      () => consumer.ioSlices(() => 0),
      () => consumer.end(),
      () => consumer.release(),
      () => consumer.toReadable(),
      () => consumer.toReadableStream(),
    ]) {
      expect(codeOf(use)).toBe('ERR_BUSY')
    }
    expect([consumer.available, consumer.position, producer.ended]).toEqual([1, 0n, false])
    stream.destroy()
    await closed(stream)
    expect([producer.ended, consumer.release()]).toEqual([true, false])
    expect(codeOf(() => consumer.toReadable())).toBe('ERR_RELEASED')
  })

  it('refuses a half that has ended or is in use', () => {
    const { consumer } = halves(16)
    consumer.ioSlices(() => {
      expect(codeOf(() => consumer.toReadable())).toBe('ERR_BUSY')
      return 0
    })
    consumer.end()
    expect(codeOf(() => consumer.toReadable())).toBe('ERR_CLOSED')
  })

  it('leaves the half alone when the options are wrong', () => {
    const { consumer } = halves(16)
    expect(codeOf(() => consumer.toReadable(1 as never))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => consumer.toReadable({ signal: 1 as never }))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => consumer.toReadable({ highWaterMark: -1 }))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => consumer.toReadable({ encoding: 'bogus' as never }))).toBe('ERR_OUT_OF_RANGE')
    expect(consumer.release()).toBe(true)
  })

  it('is a stream of bytes, whatever the options ask for', async () => {
    const { producer, consumer } = halves(16)
    const stream = consumer.toReadable({
      objectMode: true,
      autoDestroy: false,
      read: () => expect.unreachable(),
      destroy: () => expect.unreachable(),
    } as never)
    expect(stream.readableObjectMode).toBe(false)
    producer.writeAll(Buffer.from('abc'))
    producer.end()
    expect(await text(stream)).toBe('abc')
    await closed(stream)
    expect(producer.ended).toBe(true)
  })

  it.each([1, 3, 5, 64])('gives chunks of at most the high-water mark: %i', async (highWaterMark) => {
    const { producer, consumer } = halves(32)
    const stream = consumer.toReadable({ highWaterMark })
    expect(stream.readableHighWaterMark).toBe(highWaterMark)
    const bytes = pattern(32)
    producer.writeAll(bytes)
    producer.end()
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk)
    expect(Buffer.concat(chunks)).toEqual(bytes)
    expect(Math.max(...chunks.map((chunk) => chunk.length))).toBe(Math.min(highWaterMark, 32))
  })

  it('reads nothing ahead with a high-water mark of 0', async () => {
    const { producer, consumer } = halves(32)
    const stream = consumer.toReadable({ highWaterMark: 0 })
    producer.writeAll(Buffer.from('abcdef'))
    stream.once('readable', () => {})
    await turn()
    expect(stream.read(0)).toBe(null)
    producer.end()
    const chunks: string[] = []
    for await (const chunk of stream) chunks.push(String(chunk))
    expect(chunks).toEqual(['abcdef'])
  })

  it('takes no more than its high-water mark out of the ring without a reader', async () => {
    const { producer, consumer } = halves(64)
    const stream = consumer.toReadable({ highWaterMark: 16 })
    producer.writeAll(pattern(64))
    await turn()
    expect([consumer.available, stream.readableLength]).toEqual([64, 0])
    stream.once('readable', () => {})
    await turn()
    expect([consumer.available, stream.readableLength]).toEqual([48, 16])
    stream.destroy()
  })

  it('reads as much at once as requested, even more than the ring holds', async () => {
    const { producer, consumer } = halves(16)
    const stream = consumer.toReadable({ highWaterMark: 4 })
    const written = pattern(100)
    const writing = pipeline(Readable.from([written]), producer.toWritable())
    const read = await new Promise((resolve) => {
      stream.on('readable', () => {
        const bytes = stream.read(100)
        if (bytes !== null) resolve(bytes)
      })
    })
    expect(read).toEqual(written)
    await writing
    stream.destroy()
  })

  it('decodes characters that are split anywhere', async () => {
    const said = 'gr€€n 🟩 ünd blau'
    for (const options of [{ encoding: 'utf8' }, {}] as const) {
      const { producer, consumer } = halves(64)
      const stream = consumer.toReadable({ ...options, highWaterMark: 1 })
      if (!('encoding' in options)) stream.setEncoding('utf8')
      producer.writeAll(Buffer.from(said))
      producer.end()
      const parts: string[] = []
      for await (const part of stream) parts.push(part)
      expect(parts.join('')).toBe(said)
      expect(parts.every((part) => typeof part === 'string' && !part.includes('\ufffd'))).toBe(true)
    }
  })

  it('returns copies that later writes do not change', async () => {
    const { producer, consumer } = halves(8)
    const stream = consumer.toReadable()
    const chunks: Buffer[] = []
    stream.on('data', (chunk) => chunks.push(chunk))
    for (const word of ['one', 'two', 'three', 'four']) {
      producer.writeAll(Buffer.from(word))
      await turn()
      await turn()
    }
    stream.destroy()
    expect(chunks.map(String)).toEqual(['one', 'two', 'three', 'four'])
  })

  it('pauses and resumes', async () => {
    const { producer, consumer } = halves(16)
    const stream = consumer.toReadable({ highWaterMark: 4 })
    let come = ''
    stream.on('data', (chunk) => {
      come += chunk
      stream.pause()
    })
    producer.writeAll(Buffer.from('0123456789abcdef'))
    await turn()
    expect(come).toBe('0123')
    await turn()
    expect(come).toBe('0123')
    while (come.length < 16) {
      stream.resume()
      await turn()
    }
    expect(come).toBe('0123456789abcdef')
    stream.destroy()
  })

  it('can be iterated, and is closed by a break', async () => {
    const { producer, consumer } = halves(16)
    producer.writeAll(Buffer.from('abcdefgh'))
    for await (const chunk of consumer.toReadable({ highWaterMark: 2 })) {
      expect(String(chunk)).toBe('ab')
      break
    }
    expect([producer.ended, consumer.release()]).toEqual([true, false])
  })

  describe('destroy(error)', () => {
    const stages: Record<string, (stream: Readable, producer: Producer) => unknown> = {
      'before anything is read': () => {},
      'while it waits for bytes': (stream) => {
        stream.resume()
        return turn()
      },
      'in the turn in which bytes come': async (stream, producer) => {
        stream.resume()
        await turn()
        producer.writeAll(Buffer.from('x'))
      },
      'when its buffer holds something': (stream, producer) => {
        producer.writeAll(Buffer.from('x'))
        stream.once('readable', () => {})
        return turn()
      },
      'when there is more than it has taken': (stream, producer) => {
        producer.writeAll(pattern(16))
        stream.read(1)
      },
      'when the producer has ended and nobody has noticed': (_stream, producer) => producer.end(),
    }

    it.each(Object.entries(stages))('%s', async (_name, reach) => {
      const { producer, consumer } = halves(16)
      const stream = consumer.toReadable({ highWaterMark: 4 })
      const log = record(stream, 'end', 'error', 'close')
      await reach(stream, producer)
      stream.destroy(new Error('enough'))
      await closed(stream)
      expect(log).toEqual(['error Error: enough', 'close'])
      expect([producer.ended, consumer.release()]).toEqual([true, false])
    })

    it('while a listener has a chunk', async () => {
      const { producer, consumer } = halves(16)
      const stream = consumer.toReadable({ highWaterMark: 4 })
      const log = record(stream, 'data', 'error', 'end', 'close')
      stream.on('data', () => stream.destroy(new Error('enough')))
      producer.writeAll(Buffer.from('0123456789'))
      await closed(stream)
      expect(log).toEqual(['data 0123', 'error Error: enough', 'close'])
      expect(producer.ended).toBe(true)
    })

    it('after the end changes nothing', async () => {
      const { producer, consumer } = halves(16)
      producer.end()
      const stream = consumer.toReadable().resume()
      const log = record(stream, 'end', 'error', 'close')
      await closed(stream)
      stream.destroy(new Error('late'))
      await turn()
      expect(log).toEqual(['end', 'close'])
    })
  })

  it('emits no close event with emitClose: false', async () => {
    const { producer, consumer } = halves(16)
    producer.end()
    const stream = consumer.toReadable({ emitClose: false })
    const log = record(stream, 'end', 'close')
    stream.resume()
    while (!stream.closed) await turn()
    expect(log).toEqual(['end'])
    expect(producer.ended).toBe(true)
  })

  it.each(['before', 'while it waits'])('is destroyed by its signal: %s', async (when) => {
    const { producer, consumer } = halves(16)
    const abort = new AbortController()
    if (when === 'before') abort.abort(new Error('why'))
    const stream = consumer.toReadable({ signal: abort.signal })
    const failure = once(stream.resume(), 'error')
    if (when !== 'before') {
      await turn()
      abort.abort(new Error('why'))
    }
    const [error] = await failure
    expect([error.code, error.cause.message]).toEqual(['ABORT_ERR', 'why'])
    await closed(stream)
    expect(producer.ended).toBe(true)
  })

  it('rejects an earlier wait when the stream closes', async () => {
    const { consumer } = halves(16)
    const waiting = consumer.readable()
    consumer.toReadable().destroy()
    expect(await codeOfRejection(waiting)).toBe('ERR_RELEASED')
  })
})

describe('toWritable', () => {
  it('writes, calls back in order, finishes, then closes', async () => {
    const { producer, consumer } = halves(64)
    const stream = producer.toWritable()
    expect(stream).toBeInstanceOf(Writable)
    const log = record(stream, 'finish', 'close')
    stream.on('finish', () => log.push(`ended ${consumer.ended}`))
    for (const word of ['one ', 'two ', 'three ']) stream.write(word, () => log.push(word))
    stream.end('four', () => log.push('end'))
    await closed(stream)
    expect(log).toEqual(['one ', 'two ', 'three ', 'end', 'finish', 'ended true', 'close'])
    expect(take(consumer).toString()).toBe('one two three four')
    expect([consumer.ended, producer.release()]).toEqual([true, false])
  })

  it('keeps the half busy until it closes, and then releases it', async () => {
    const { producer, consumer } = halves(16)
    const stream = producer.toWritable()
    for (const use of [
      () => producer.write(Buffer.alloc(1)),
      () => producer.writeAll(Buffer.alloc(1)),
      () => producer.ioSlices(() => 0),
      () => producer.end(),
      () => producer.release(),
      () => producer.toWritable(),
      () => producer.toWritableStream(),
    ]) {
      expect(codeOf(use)).toBe('ERR_BUSY')
    }
    expect([producer.available, producer.position, consumer.ended]).toEqual([16, 0n, false])
    stream.destroy()
    await closed(stream)
    expect([consumer.ended, producer.release()]).toEqual([true, false])
    expect(codeOf(() => producer.toWritable())).toBe('ERR_RELEASED')
  })

  it('leaves the half alone when the options are wrong', () => {
    const { producer } = halves(16)
    expect(codeOf(() => producer.toWritable(1 as never))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => producer.toWritable({ signal: 1 as never }))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => producer.toWritable({ highWaterMark: -1 }))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => producer.toWritable({ defaultEncoding: 'bogus' as never }))).toBe('ERR_OUT_OF_RANGE')
    expect(producer.release()).toBe(true)
    expect(codeOf(() => producer.toWritable())).toBe('ERR_RELEASED')
  })

  it('is a stream of bytes, whatever the options ask for', async () => {
    const { producer, consumer } = halves(16)
    const stream = producer.toWritable({
      objectMode: true,
      autoDestroy: false,
      write: () => expect.unreachable(),
      final: () => expect.unreachable(),
    } as never)
    expect(codeOf(() => stream.write({}))).toBe('ERR_INVALID_ARG_TYPE')
    stream.end('abc')
    await closed(stream)
    expect(take(consumer).toString()).toBe('abc')
    expect(producer.release()).toBe(false)
  })

  it('waits for room, and holds no more than its high-water mark says', async () => {
    const { producer, consumer } = halves(16)
    const stream = producer.toWritable({ highWaterMark: 8 })
    const log = record(stream, 'drain')
    const bytes = pattern(40)
    expect(stream.write(bytes.subarray(0, 7))).toBe(true)
    expect(stream.write(bytes.subarray(7, 40), () => log.push('written'))).toBe(false)
    await turn()
    expect([consumer.available, stream.writableLength, stream.writableNeedDrain]).toEqual([16, 33, true])
    const come = [take(consumer)]
    await turn()
    await turn()
    expect([consumer.available, log]).toEqual([16, []])
    come.push(take(consumer))
    await once(stream, 'drain')
    expect(log).toEqual(['drain', 'written'])
    come.push(take(consumer))
    expect(Buffer.concat(come)).toEqual(bytes)
    stream.destroy()
  })

  it('keeps writing, however little the reader takes and whatever it waits for', async () => {
    const { producer, consumer } = halves(16)
    const stream = producer.toWritable()
    const bytes = pattern(200)
    stream.end(bytes)
    const come = Buffer.alloc(200)
    for (let at = 0; at < 200; ) {
      // The reader takes one byte and then waits for a full ring.
      at += consumer.read(come.subarray(at, at + 1))
      const rest = Math.min(16, 200 - at)
      expect(await consumer.readable(rest)).toBe(rest)
    }
    expect(come).toEqual(bytes)
  })

  it('takes strings, in any encoding, decoded or not', async () => {
    for (const options of [{}, { decodeStrings: false }, { defaultEncoding: 'hex' }] as const) {
      const { producer, consumer } = halves(16)
      const stream = producer.toWritable(options)
      if ('defaultEncoding' in options) stream.write('e282ac')
      else stream.write('€')
      stream.write('6869', 'hex')
      stream.write(new Uint8Array([33]))
      stream.write('')
      stream.end(Buffer.alloc(0))
      await finished(stream)
      expect(take(consumer).toString()).toBe('€hi!')
    }
  })

  it('writes corked chunks together', async () => {
    const { producer, consumer } = halves(16)
    const stream = producer.toWritable()
    const log: string[] = []
    stream.cork()
    for (const word of ['one', 'two', 'three']) stream.write(word, () => log.push(word))
    await turn()
    expect([consumer.available, stream.writableCorked]).toEqual([0, 1])
    stream.uncork()
    expect(take(consumer).toString()).toBe('onetwothree')
    await turn()
    expect(log).toEqual(['one', 'two', 'three'])
    stream.destroy()
  })

  it('writes corked chunks that exceed the ring', async () => {
    const { producer, consumer } = halves(16)
    const stream = producer.toWritable()
    const bytes = pattern(100)
    stream.cork()
    for (let at = 0; at < 100; at += 10) stream.write(bytes.subarray(at, at + 10))
    stream.end()
    expect(await buffer(consumer.toReadable())).toEqual(bytes)
  })

  it('refuses to write after its end', async () => {
    const { producer, consumer } = halves(16)
    const stream = producer.toWritable()
    const log = record(stream, 'close')
    stream.on('error', (error: NodeJS.ErrnoException) => log.push(error.code!))
    stream.end('x')
    stream.write('y')
    await closed(stream)
    expect(log).toEqual(['ERR_STREAM_WRITE_AFTER_END', 'close'])
    expect([take(consumer).toString(), consumer.ended]).toEqual(['x', true])
  })

  it.each([
    ['end', 'waits'],
    ['end', 'has room'],
    ['release', 'waits'],
    ['release', 'has room'],
  ] as const)('fails when the consumer has gone: %s while it %s', async (leave, state) => {
    const { producer, consumer } = halves(16)
    const stream = producer.toWritable()
    const log = record(stream, 'finish', 'close')
    stream.on('error', (error: NodeJS.ErrnoException) => log.push(`error ${error.code}`))
    const write = (): void => {
      stream.write(pattern(20), (error) => log.push(`written ${(error as NodeJS.ErrnoException).code}`))
    }
    if (state === 'waits') {
      write()
      await turn()
    }
    consumer[leave]()
    if (state === 'has room') write()
    await closed(stream)
    expect(log).toEqual(['written ERR_CLOSED', 'error ERR_CLOSED', 'close'])
    expect(producer.release()).toBe(false)
  })

  it('can be ended even after the consumer is gone', async () => {
    const { producer, consumer } = halves(16)
    const stream = producer.toWritable()
    consumer.release()
    stream.end()
    await finished(stream)
  })

  describe('destroy(error)', () => {
    const stages: Record<string, { written: number; reach: (stream: Writable) => unknown }> = {
      'before anything is written': { written: 0, reach: () => {} },
      'in the turn of a write': { written: 10, reach: (stream) => stream.write(pattern(10)) },
      'while a write waits': {
        written: 16,
        reach: (stream) => {
          stream.write(pattern(40))
          return turn()
        },
      },
      'while more waits behind it': {
        written: 16,
        reach: (stream) => {
          for (let at = 0; at < 50; at += 10) stream.write(pattern(10, at))
          return turn()
        },
      },
      'while it is corked': {
        written: 0,
        reach: (stream) => {
          stream.cork()
          stream.write(pattern(10))
        },
      },
      'while the end waits': {
        written: 16,
        reach: (stream) => {
          stream.end(pattern(40))
          return turn()
        },
      },
    }

    it.each(Object.entries(stages))('%s', async (_name, { written, reach }) => {
      const { producer, consumer } = halves(16)
      const stream = producer.toWritable()
      const log = record(stream, 'finish', 'error', 'close')
      await reach(stream)
      stream.destroy(new Error('enough'))
      await closed(stream)
      expect(log).toEqual(['error Error: enough', 'close'])
      expect([consumer.ended, producer.release()]).toEqual([true, false])
      expect(take(consumer)).toEqual(pattern(written))
    })

    it('calls back every unfinished write', async () => {
      const { producer, consumer } = halves(16)
      const stream = producer.toWritable()
      stream.on('error', () => {})
      const told: string[] = []
      const tell = (error?: Error | null): void => {
        told.push(String(error))
      }
      stream.write(pattern(40), tell)
      stream.write(pattern(40), tell)
      await turn()
      stream.destroy(new Error('enough'))
      await closed(stream)
      await turn()
      expect(told).toEqual(['Error: enough', 'Error: enough'])
      expect(consumer.available).toBe(16)
    })

    it('in the turn in which room appears', async () => {
      const { producer, consumer } = halves(16)
      const stream = producer.toWritable()
      stream.write(pattern(40))
      await turn()
      take(consumer)
      stream.destroy()
      await closed(stream)
      await turn()
      expect([consumer.available, consumer.ended]).toEqual([0, true])
    })
  })

  it.each(['before', 'while it waits'])('is destroyed by its signal: %s', async (when) => {
    const { producer, consumer } = halves(16)
    const abort = new AbortController()
    if (when === 'before') abort.abort(new Error('why'))
    const stream = producer.toWritable({ signal: abort.signal })
    const failure = once(stream, 'error')
    if (when !== 'before') {
      stream.write(pattern(40))
      await turn()
      abort.abort(new Error('why'))
    }
    const [error] = await failure
    expect([error.code, error.cause.message]).toEqual(['ABORT_ERR', 'why'])
    await closed(stream)
    expect(consumer.ended).toBe(true)
  })
})

describe('from ring to ring', () => {
  const SIZE = 8

  it.each(Array.from({ length: SIZE }, (_, offset) => offset))('wraps from offset %i', async (offset) => {
    for (let length = 1; length <= 3 * SIZE; length++) {
      const { producer, consumer } = halves(SIZE)
      producer.writeAll(Buffer.alloc(offset))
      consumer.read(Buffer.alloc(offset))
      const bytes = pattern(length)
      producer.toWritable().end(bytes)
      expect(await buffer(consumer.toReadable())).toEqual(bytes)
      expect([producer.position, consumer.position]).toEqual([BigInt(offset + length), BigInt(offset + length)])
    }
  })

  it('matches a model: loses and changes nothing, however the bytes are split', async () => {
    const random = new Random()
    for (let round = 0; round < 150; round++) {
      const { producer, consumer } = halves(1 << random.below(11))
      const bytes = random.bytes(random.below(20_000))
      const stream = producer.toWritable({ highWaterMark: 1 + random.below(2_000) })
      const reading = (async () => {
        const come: Buffer[] = []
        for await (const chunk of consumer.toReadable({ highWaterMark: random.below(2_000) })) {
          come.push(chunk)
          if (random.below(8) === 0) await turn()
        }
        return Buffer.concat(come)
      })()
      for (let at = 0; at < bytes.length; ) {
        const chunk = bytes.subarray(at, at + random.below(3_000))
        at += chunk.length
        if (random.below(10) === 0) {
          stream.cork()
          queueMicrotask(() => stream.uncork())
        }
        if (!stream.write(chunk)) await once(stream, 'drain')
        else if (random.below(10) === 0) await turn()
      }
      stream.end()
      expect((await reading).equals(bytes), random.origin).toBe(true)
      expect([producer.release(), consumer.release()]).toEqual([false, false])
    }
  })

  it('holds no more than the ring and the two high-water marks while the reader is slow', async () => {
    const [size, highWaterMark, chunk, total] = [4096, 1024, 512, 1 << 18]
    const { producer, consumer } = halves(size)
    let [made, most] = [0, 0]
    let come = 0
    const source = Readable.from(
      (function* () {
        for (; made < total; made += chunk) yield pattern(chunk, made)
      })(),
      { highWaterMark: 1 },
    )
    const sink = new Writable({
      highWaterMark: 1,
      write(bytes: Buffer, _encoding, callback) {
        expect(bytes.equals(pattern(bytes.length, come))).toBe(true)
        come += bytes.length
        most = Math.max(most, made - come)
        setImmediate(callback)
      },
    })
    await Promise.all([
      pipeline(source, producer.toWritable({ highWaterMark })),
      pipeline(consumer.toReadable({ highWaterMark }), sink),
    ])
    expect(come).toBe(total)
    expect(most).toBeGreaterThan(size)
    // The bound also allows for one chunk in the source, one on its way into the stream, and one in the sink.
    expect(most).toBeLessThanOrEqual(size + 2 * highWaterMark + 3 * chunk)
  })
})

describe('in a pipeline', () => {
  it('carries files', async () => {
    const path = directory()
    const bytes = pattern(1_000_000)
    writeFileSync(join(path, 'from'), bytes)
    const { producer, consumer } = halves(4096)
    await Promise.all([
      pipeline(createReadStream(join(path, 'from')), producer.toWritable()),
      pipeline(consumer.toReadable(), createWriteStream(join(path, 'to'))),
    ])
    expect(readFileSync(join(path, 'to')).equals(bytes)).toBe(true)
    expect([producer.release(), consumer.release()]).toEqual([false, false])
  })

  it('carries sockets', async () => {
    const bytes = pattern(1_000_000)
    const { producer, consumer } = halves(4096)
    const server = createServer((socket) => pipeline(socket, producer.toWritable()))
    onTestFinished(() => {
      server.close()
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const there = halves(1024)
    const [come] = await Promise.all([
      buffer(consumer.toReadable()),
      pipeline(there.consumer.toReadable(), socket),
      pipeline(Readable.from([bytes]), there.producer.toWritable()),
    ])
    expect(come.equals(bytes)).toBe(true)
  })

  it('carries zlib streams', async () => {
    const bytes = pattern(1_000_000)
    const { producer, consumer } = halves(512)
    const [come] = await Promise.all([
      buffer(consumer.toReadable().pipe(createGunzip())),
      pipeline(Readable.from([bytes]), createGzip(), producer.toWritable()),
    ])
    expect(come.equals(bytes)).toBe(true)
  })

  it('a source that fails ends the ring', async () => {
    const { producer, consumer } = halves(64)
    const source = Readable.from(
      (async function* () {
        yield Buffer.from('good')
        await turn()
        throw new Error('broken source')
      })(),
    )
    await expect(pipeline(source, producer.toWritable())).rejects.toThrow('broken source')
    expect(consumer.ended).toBe(true)
    expect(await text(consumer.toReadable())).toBe('good')
  })

  it('a sink that fails frees the consumer, and with it the producer', async () => {
    const { producer, consumer } = halves(64)
    const sink = new Writable({ write: (_chunk, _encoding, callback) => callback(new Error('broken sink')) })
    const writing = pipeline(Readable.from([pattern(1000)]), producer.toWritable())
    await expect(pipeline(consumer.toReadable(), sink)).rejects.toThrow('broken sink')
    expect(await codeOfRejection(writing)).toBe('ERR_CLOSED')
    expect([producer.release(), consumer.release()]).toEqual([false, false])
  })

  it('a step in the middle that fails frees both', async () => {
    const [from, to] = [halves(64), halves(64)]
    const step = new Transform({ transform: (_chunk, _encoding, callback) => callback(new Error('broken step')) })
    const passing = pipeline(from.consumer.toReadable(), step, to.producer.toWritable())
    from.producer.writeAll(Buffer.from('x'))
    await expect(passing).rejects.toThrow('broken step')
    expect([from.producer.ended, to.consumer.ended]).toEqual([true, true])
  })

  it('is aborted by its signal', async () => {
    const [from, to] = [halves(64), halves(64)]
    const abort = new AbortController()
    const passing = pipeline(from.consumer.toReadable(), new PassThrough(), to.producer.toWritable(), {
      signal: abort.signal,
    })
    await turn()
    abort.abort()
    expect(await codeOfRejection(passing)).toBe('ABORT_ERR')
    expect([from.producer.ended, to.consumer.ended]).toEqual([true, true])
  })

  it('takes a generator in the middle', async () => {
    const [from, to] = [halves(64), halves(64)]
    const passing = pipeline(
      from.consumer.toReadable({ encoding: 'utf8' }),
      async function* (said: AsyncIterable<string>) {
        for await (const part of said) yield part.toUpperCase()
      },
      to.producer.toWritable(),
    )
    from.producer.writeAll(Buffer.from('quiet'))
    from.producer.end()
    await passing
    expect(take(to.consumer).toString()).toBe('QUIET')
  })

  it('reports its result to finished()', async () => {
    const { producer, consumer } = halves(64)
    const [writable, readable] = [producer.toWritable(), consumer.toReadable()]
    const done = Promise.all([finished(writable), finished(readable)])
    writable.end('x')
    readable.resume()
    await done
    const other = halves(64)
    const stream = other.consumer.toReadable()
    const closing = finished(stream)
    stream.destroy()
    expect(await codeOfRejection(closing)).toBe('ERR_STREAM_PREMATURE_CLOSE')
  })
})

describe("a session's output", () => {
  it('is read as a stream, including later bytes, until the session closes', async () => {
    const { initiator, responder } = pair({ outputSize: 256 })
    const stream = initiator.output.toReadable({ highWaterMark: 100 })
    const frames: Buffer[] = []
    stream.on('data', (chunk) => {
      for (const { payload } of responder.receive(chunk)) frames.push(Buffer.from(payload))
    })
    const log = record(stream, 'end', 'close')
    const sent = [10, 200, 1000, 0, 5].map((length) => pattern(length))
    for (const payload of sent.slice(0, 3)) initiator.send({ messageType: 1 }, payload)
    await turn()
    await turn()
    for (const payload of sent.slice(3)) initiator.send({ messageType: 1 }, payload)
    // The remaining bytes of the output go out first.
    initiator.close()
    await closed(stream)
    expect(frames).toEqual(sent)
    expect(log).toEqual(['end', 'close'])
    expect(initiator.stats().memoryBytes).toBe(0)
  })

  it('returns to the session when the stream is destroyed first', async () => {
    const { initiator, responder } = pair()
    const { output } = initiator
    const stream = output.toReadable()
    const uses = [
      () => output.read(Buffer.alloc(1)),
      () => output.release(),
      () => output.end(),
      () => output.toReadable(),
      () => output.toReadableStream(),
    ]
    initiator.send({ messageType: 1 }, pattern(10))
    stream.destroy()
    await closed(stream)
    expect(initiator.state).toBe('transport')
    expect(responder.receive(take(output)).at(0)!.payload).toEqual(new Uint8Array(pattern(10)))
    const again = output.toReadable()
    for (const use of uses) expect(codeOf(use)).toBe('ERR_BUSY')
    initiator.send({ messageType: 1 }, pattern(20))
    initiator.close()
    // Nothing takes the output any more.
    again.destroy()
    expect([initiator.stats().memoryBytes, output.available]).toEqual([0, 0])
    expect(codeOf(() => output.toReadable())).toBe('ERR_SV2_STATE')
  })

  it('ends when the session fails', async () => {
    const { initiator, responder } = pair()
    const reading = buffer(responder.output.toReadable())
    responder.send({ messageType: 1 }, pattern(10))
    expect(codeOf(() => responder.receive(pattern(100)))).toBe('ERR_SV2_AEAD')
    expect((await reading).length).toBe(wireLength(10))
    initiator.close()
  })

  it('goes either to a stream or to a socket', async () => {
    const server = createServer((socket) => socket.resume())
    onTestFinished(() => {
      server.close()
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const { initiator } = strangers()
    const stream = initiator.output.toReadable()
    expect(codeOf(() => initiator.attach(socket, () => {}))).toBe('ERR_BUSY')
    stream.destroy()
    initiator.attach(socket, () => {})
    expect(codeOf(() => initiator.output.toReadable())).toBe('ERR_BUSY')
    socket.destroy()
    await once(socket, 'close')
  })
})

describe('the process', () => {
  it('is not kept alive by a stream without a reader', () => {
    const printed = run(`
      import { ByteRing } from 'framepool'
      const { producer, consumer } = new ByteRing(16).intoParts()
      consumer.toReadable()
      producer.toWritable().write('x', () => console.log('written'))
      new ByteRing(16).intoParts().consumer.toReadableStream()
      process.on('exit', () => console.log('exit'))`)
    expect(printed).toBe('written\nexit\n')
  })

  it('is kept alive by a stream that waits, until it is destroyed', () => {
    const printed = run(`
      import { ByteRing } from 'framepool'
      const { producer, consumer } = new ByteRing(16).intoParts()
      const stream = consumer.toReadable().on('data', (chunk) => console.log(String(chunk)))
      stream.on('close', () => console.log('closed'))
      setTimeout(() => {
        producer.writeAll(Buffer.from('late'))
        setTimeout(() => stream.destroy(), 50).unref()
      }, 50).unref()`)
    expect(printed).toBe('late\nclosed\n')
  })

  it.each([
    ['data', `consumer.toReadable().on('data', () => { throw new Error('mine') })`],
    ['a write callback', `producer.toWritable().write('x', () => { throw new Error('mine') })`],
  ])('hears of what a listener throws as of any other: %s', (_name, code) => {
    const printed = run(`
      import { ByteRing } from 'framepool'
      process.on('unhandledRejection', () => console.log('unhandled rejection'))
      process.on('uncaughtException', ({ message }) => { console.log(message); process.exit() })
      const { producer, consumer } = new ByteRing(16).intoParts()
      ${code}
      setImmediate(() => setImmediate(() => producer.writeAll(Buffer.from('x'))))`)
    expect(printed).toBe('mine\n')
  })
})
