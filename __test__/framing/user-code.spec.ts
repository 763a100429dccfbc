import { Duplex, type DuplexOptions, PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { FramePoolError, FrameReader, FrameWriter, inspect, Slice, SlotPool } from '../../index.js'
import { codeOf } from '../support/code-of.js'
import { withoutUint8Arrays } from '../support/hidden-bytes.js'
import { eventually, quiet } from '../support/network.js'
import { settingsOf } from '../support/socket-kinds.js'
import { connected } from '../support/sockets.js'
import { rejection, THROWN, throwing, thrownBy, trap } from '../support/thrown.js'
import { uncaught } from '../support/uncaught.js'

const options = { maxFrameLength: 100 }

/** Counts the readers that are alive. */
const readers = (): number => inspect().filter(({ kind }) => kind === 'frame-reader').length

describe.each(THROWN)('%s, thrown', (_, thrown) => {
  it('by a getter of the options of a reader makes no reader', () => {
    const before = readers()
    const fields = ['lengthFieldOffset', 'lengthFieldLength', 'endian', 'lengthAdjustment', 'headerLength']
    for (const name of ['maxFrameLength', 'pool', 'budget', ...fields]) {
      expect(thrownBy(() => FrameReader.lengthDelimited(trap(name, thrown, options)))).toEqual({ reason: thrown })
    }
    for (const name of ['maxFrameLength', 'pool', 'budget', 'delimiter']) {
      expect(thrownBy(() => FrameReader.delimited(trap(name, thrown, options)))).toEqual({ reason: thrown })
    }
    const header = { ...options, headerLength: 1, frameLength: () => 1 }
    for (const name of ['maxFrameLength', 'pool', 'budget', 'headerLength', 'frameLength']) {
      expect(thrownBy(() => FrameReader.withHeader(trap(name, thrown, header)))).toEqual({ reason: thrown })
    }
    expect(readers()).toBe(before)
  })

  it('by a getter of the options of a writer leaves the socket as it is', async () => {
    const { dialled } = await connected()
    const before = settingsOf(dialled)
    for (const name of ['maxFrameLength', 'highWaterMark', 'lengthFieldLength', 'headerLength']) {
      const given = trap(name, thrown, options)
      expect(thrownBy(() => FrameWriter.lengthDelimited(dialled, given))).toEqual({ reason: thrown })
    }
    for (const name of ['maxFrameLength', 'highWaterMark', 'delimiter']) {
      const given = trap(name, thrown, options)
      expect(thrownBy(() => FrameWriter.delimited(dialled, given))).toEqual({ reason: thrown })
    }
    expect(settingsOf(dialled)).toEqual(before)
  })

  it('by a getter of the options of attach() or drained() rejects, and both can be called again', async () => {
    const { dialled, accepted } = await connected()
    const before = settingsOf(dialled)
    using reader = FrameReader.delimited(options)
    using writer = FrameWriter.delimited(accepted, options)
    for (const name of ['signal', 'idleTimeoutMs']) {
      expect(await rejection(reader.attach(dialled, () => {}, trap(name, thrown)))).toEqual({ reason: thrown })
    }
    for (const name of ['signal', 'timeoutMs']) {
      expect(await rejection(writer.drained(trap(name, thrown)))).toEqual({ reason: thrown })
    }
    expect(settingsOf(dialled)).toEqual(before)
    const lines: string[] = []
    const reading = reader.attach(dialled, ([line]) => lines.push(Buffer.from(line!).toString()))
    writer.write(Buffer.from('still there'))
    await writer.end()
    await reading
    expect(lines).toEqual(['still there'])
  })

  it('by frameLength takes nothing in, and ends an attached socket', async () => {
    let answer: () => number = throwing(thrown)
    using reader = FrameReader.withHeader({ ...options, headerLength: 1, frameLength: () => answer() })
    expect(thrownBy(() => reader.receive(Buffer.from('ab')))).toEqual({ reason: thrown })
    expect(reader.pending).toBe(0)
    answer = () => 2
    expect(reader.receive(Buffer.from('ab')).length).toBe(1)
    answer = throwing(thrown)
    const stream = new PassThrough()
    stream.write('ab')
    expect(await rejection(reader.attach(stream, () => {}))).toEqual({ reason: thrown })
    expect(stream.destroyed).toBe(true)
  })

  it.each([
    ['onBatch', throwing(thrown)],
    ['the promise of onBatch', () => Promise.reject(thrown)],
    // biome-ignore lint/suspicious/noThenProperty: the test needs a thenable.
    ['the then of what onBatch returns', () => ({ then: throwing(thrown) })],
    ['a getter for then', () => Object.defineProperty({}, 'then', { get: throwing(thrown) })],
  ])('by %s rejects attach(), ends the socket and gives the batch back', async (_, onBatch) => {
    const pool = new SlotPool(1000)
    const { dialled, accepted } = await connected()
    using reader = FrameReader.delimited({ ...options, pool })
    const reading = rejection(reader.attach(dialled, onBatch))
    accepted.write('a\nb\n')
    expect(await reading).toEqual({ reason: thrown })
    expect(dialled.destroyed).toBe(true)
    expect(pool.stats().liveSlices).toBe(0)
    pool.close()
  })

  it.each(['prependListener', 'resume'])('by %s of the socket rejects attach() and ends the socket', async (method) => {
    const { dialled } = await connected()
    Object.defineProperty(dialled, method, { value: throwing(thrown) })
    using reader = FrameReader.delimited(options)
    expect(await rejection(reader.attach(dialled, () => {}))).toEqual({ reason: thrown })
    expect(dialled.destroyed).toBe(true)
  })

  it('by write of the socket closes the writer, which gives its memory back', async () => {
    const pool = new SlotPool(1000)
    const { dialled } = await connected()
    Object.defineProperty(dialled, 'write', { value: throwing(thrown) })
    using writer = FrameWriter.lengthDelimited(dialled, options)
    pool.getWritable(10)
    writer.write(pool.getDataOwned())
    await eventually(() => expect(pool.stats().liveSlices).toBe(0))
    const { reason } = thrownBy(() => writer.write(Buffer.from('more')))
    expect(reason).toMatchObject({ code: 'ERR_CLOSED' })
    expect((reason as Error).cause).toBe(thrown ?? undefined)
    pool.close()
  })

  it.each([
    ['write', (thrower: () => never) => ({ write: thrower }), [500]],
    [
      'writev',
      (thrower: () => never) => ({ write: (_: unknown, __: unknown, done: () => void) => done(), writev: thrower }),
      [5000, 10],
    ],
  ] as const)(
    'by %s of a Duplex closes the writer, which gives its memory back when the stream is closed',
    async (_name, methods, lengths) => {
      const stream = new Duplex({ read() {}, ...(methods(throwing(thrown)) as DuplexOptions) })
      using writer = FrameWriter.lengthDelimited(stream, { maxFrameLength: 10_000, highWaterMark: 2 })
      const pool = new SlotPool(10_000)
      for (const length of lengths) {
        pool.getWritable(length)
        writer.write(pool.getDataOwned())
      }
      const { reason } = (await rejection(writer.drained())) as { reason: unknown }
      expect(reason).toMatchObject({ code: 'ERR_CLOSED' })
      expect((reason as Error).cause).toBe(thrown ?? undefined)
      expect(codeOf(() => writer.write(Buffer.from('more')))).toBe('ERR_CLOSED')
      stream.destroy()
      await eventually(() => expect(pool.stats().liveSlices).toBe(0))
      expect(stream.listenerCount('close')).toBe(0)
      pool.close()
    },
  )

  it('by write of the socket rejects end() of the writer', async () => {
    const { dialled } = await connected()
    Object.defineProperty(dialled, 'write', { value: throwing(thrown) })
    using writer = FrameWriter.lengthDelimited(dialled, options)
    writer.write(Buffer.from('last'))
    const { reason } = (await rejection(writer.end())) as { reason: unknown }
    expect(reason).toMatchObject({ code: 'ERR_CLOSED' })
    expect((reason as Error).cause).toBe(thrown ?? undefined)
    expect(dialled.writableEnded).toBe(false)
  })

  it('by end of the socket rejects end() of the writer', async () => {
    const { dialled } = await connected()
    using writer = FrameWriter.lengthDelimited(dialled, options)
    Object.defineProperty(dialled, 'end', { value: throwing(thrown), configurable: true })
    expect(await rejection(writer.end())).toEqual({ reason: thrown })
    expect(codeOf(() => writer.write(Slice.from(Buffer.from('late'))))).toBe('ERR_CLOSED')
  })
})

it('attach() calls no method that the promise of onBatch has of its own, and waits for that promise', async () => {
  const { dialled, accepted } = await connected()
  using reader = FrameReader.delimited(options)
  let [open, most] = [0, 0]
  const seen: string[] = []
  const reading = reader.attach(accepted, (batch) => {
    most = Math.max(most, ++open)
    const lines = [...batch].map((line) => Buffer.from(line))
    const answer = quiet()
      .then(quiet)
      .then(quiet)
      .then(() => {
        open--
        seen.push(...lines.map(String))
      })
    const twice = (done: () => void): void => {
      done()
      done()
    }
    return Object.defineProperty(answer, 'then', { value: twice })
  })
  for (let line = 0; line < 5; line++) {
    dialled.write(`${line}\n`)
    await quiet()
  }
  dialled.end()
  await reading
  expect([most, seen]).toEqual([1, ['0', '1', '2', '3', '4']])
})

it('a script that uses readers while an error is made changes nothing of a stream that breaks', () => {
  const frame = Buffer.from([0, 0, 0, 1, 7])
  const tooLong = Buffer.from([0, 0, 0, 200])
  for (const isOwn of [false, true]) {
    using pool = new SlotPool(4096)
    using others = new SlotPool(4096)
    const breaking = FrameReader.lengthDelimited({ ...options, pool })
    const other = FrameReader.lengthDelimited({ ...options, pool: others })
    const usual = Object.getPrototypeOf(FramePoolError)
    let ran = 0
    class Reentrant extends Error {
      constructor(message?: string) {
        super(message)
        if (ran++ > 0) return
        if (isOwn) expect(() => breaking.receive(frame)).toThrow()
        // Returns a batch, and breaks, too.
        else other.receive(Buffer.concat([frame, tooLong])).release()
      }
    }
    Object.setPrototypeOf(FramePoolError, Reentrant)
    try {
      expect(codeOf(() => breaking.receive(tooLong))).toBe('ERR_FRAME_TOO_LARGE')
    } finally {
      Object.setPrototypeOf(FramePoolError, usual)
    }
    expect(ran).toBeGreaterThan(0)
    expect(codeOf(() => breaking.receive(frame))).toBe('ERR_FRAME_TOO_LARGE')
    breaking[Symbol.dispose]()
    other[Symbol.dispose]()
    expect([pool.stats().liveSlices, pool.isDroppable]).toEqual([0, true])
  }
})

describe('attach() of a stream that is no socket', () => {
  const mine = new Error('mine')
  const why = new Error('why')
  const thrower = (): never => {
    throw mine
  }
  const made = (options: DuplexOptions = {}): Duplex =>
    new Duplex({ read() {}, write: (_, __, done) => done(), ...options }).on('error', () => {})
  const streams: Record<string, () => Duplex> = {
    'emits no close': () => made({ emitClose: false }),
    'has a destroy() that throws': () => Object.assign(made(), { destroy: thrower }),
    'has a _destroy() that throws': () => made({ destroy: thrower }),
    'has both, and emits no close': () =>
      Object.assign(made({ emitClose: false, destroy: thrower }), { destroy: thrower }),
  }
  /** What ends the reading, and the causes that the rejection may have. */
  const endings: Record<string, [end: (stream: Duplex, stop: AbortController) => void, causes: unknown[]]> = {
    'is destroyed with an error': [(stream) => stream.destroy(why), [why, mine]],
    'is destroyed': [(stream) => stream.destroy(), [undefined, mine]],
    'is not wanted any more': [(_, stop) => stop.abort(new Error('the reason', { cause: why })), [why]],
  }
  const cases = Object.entries(streams).flatMap(([name, make]) =>
    Object.entries(endings).map(([ending, [end, causes]]) => ({ name, make, ending, end, causes })),
  )

  it.each(cases)('rejects when a stream that $name $ending', async ({ make, end, causes }) => {
    const later = uncaught()
    const stream = make()
    const stop = new AbortController()
    using reader = FrameReader.delimited(options)
    const reading = rejection(reader.attach(stream, () => {}, { signal: stop.signal }))
    try {
      end(stream, stop)
    } catch (error) {
      expect(error).toBe(mine)
    }
    const { reason } = (await reading) as { reason: Error }
    expect(causes).toContain(reason.cause)
    expect(stream.destroyed).toBe(true)
    await new Promise((resolve) => setImmediate(resolve))
    for (const event of ['close', 'data', 'end']) expect(stream.listenerCount(event)).toBe(0)
    expect(later.every((error) => error === mine)).toBe(true)
  })
})

it('a writer sends nothing after a write() that throws, not even what was sent in that', async () => {
  const mine = new Error('mine')
  const sent: string[] = []
  const stream = new Duplex({
    read() {},
    write(chunk, _, done) {
      sent.push(String(chunk))
      done()
    },
  })
  const writer = FrameWriter.delimited(stream, options)
  const { write } = stream
  stream.write = (() => {
    stream.write = write
    writer.write(Buffer.from('inner'))
    throw mine
  }) as never
  writer.write(Buffer.from('outer'))
  await quiet()
  await expect(writer.drained()).rejects.toMatchObject({ code: 'ERR_CLOSED', cause: mine })
  expect(sent).toEqual([])
})

it.each([false, true])(
  'attach() rejects if bytes that have come cannot be shown: none is lost unnoticed (data: %s)',
  async (asData) => {
    const { dialled, accepted } = await connected()
    using reader = FrameReader.delimited(options)
    const lines: string[] = []
    // A socket that holds bytes emits `data`.
    if (asData) accepted.unshift('held\n')
    const reading = reader.attach(accepted, async ([line]) => {
      lines.push(Buffer.from(line!).toString())
      // What comes meanwhile is copied.
      if (asData) accepted.resume()
      await quiet()
      await quiet()
    })
    if (!asData) dialled.write('first\n')
    await eventually(() => expect(lines).toEqual([asData ? 'held' : 'first']))
    const failure = rejection(reading)
    if (!asData) {
      await quiet()
      await quiet()
      await quiet()
    }
    expect(
      await withoutUint8Arrays(() => {
        dialled.write('lost\n')
        return failure
      }),
    ).toMatchObject({ reason: { message: 'mine' } })
    expect([accepted.destroyed, lines.length]).toEqual([true, 1])
  },
)
