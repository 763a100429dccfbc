import { once } from 'node:events'
import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { type FramedBatch, FrameReader, FrameWriter, MemoryBudget, SlotPool } from '../../index.js'
import { codeOfRejection } from '../support/code-of.js'
import { eventually } from '../support/network.js'
import { Random } from '../support/random.js'
import { dial, four, serve } from './connections.js'

function prefixed(payload: Uint8Array): Buffer {
  const header = Buffer.alloc(4)
  header.writeUInt32BE(payload.length)
  return Buffer.concat([header, payload])
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
        // Of the longest, the rest is read straight into its place.
        const [count, largest] = (
          [
            [60, 50],
            [60, 3000],
            [30, 100_000],
            [15, 500_000],
          ] as const
        )[index % 4]!
        const sent = someFrames(random, count, largest)
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
    expect(bytes).toBeLessThan(270_000)
    open()
    socket.end()
    await eventually(() => expect(bytes).toBe((sent / 1e6 + 1) * 999_000))
  })

  it('does not aim a socket anew after each batch that it waited for: Node keeps memory for each time', async () => {
    const port = await serve((socket) => {
      socket.pipe(socket)
    })
    const socket = dial(port)
    await once(socket, 'connect')
    type Handle = { useUserBuffer(memory: Uint8Array): void }
    const { _handle: handle } = socket as unknown as { _handle: Handle }
    const { useUserBuffer } = handle
    let aimed = 0
    handle.useUserBuffer = (memory) => {
      aimed++
      useUserBuffer.call(handle, memory)
    }
    let batches = 0
    using reader = FrameReader.delimited({ maxFrameLength: 1000 })
    const done = reader.attach(socket, async () => {
      batches++
      await new Promise(setImmediate)
      if (batches < 100) socket.write('line\n')
      else socket.end()
    })
    socket.write('line\n')
    await done
    expect([batches, aimed]).toEqual([100, 1])
  })

  it('reads no more than a small pool with a limit for the heap has room for', async () => {
    const pool = new SlotPool(1 << 18, { heapLimit: 1 })
    let length = 0
    let settle!: (outcome: unknown) => void
    const outcome = new Promise((resolve) => {
      settle = resolve
    })
    const port = await serve(async (socket) => {
      using reader = FrameReader.delimited({ maxFrameLength: 100, pool })
      const read = reader.attach(socket, async (batch) => {
        length += batch.length
        // Meanwhile more comes than one read brings.
        await new Promise((resolve) => setTimeout(resolve, 20))
      })
      await read.then(() => settle('the end'), settle)
    })
    const socket = dial(port)
    socket.end(Buffer.from(`${'x'.repeat(99)}\n`.repeat(10_000)))
    expect(await outcome).toBe('the end')
    expect(length).toBe(10_000)
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

  it('refuses bytes that a listener of readable is to read, and changes nothing', async () => {
    const port = await serve((socket) => socket.write('a\nb\n'))
    const socket = dial(port)
    const streams = [socket, new PassThrough()]
    streams[1]!.write('a\nb\n')
    for (const stream of streams) {
      const listener = (): void => {}
      stream.on('readable', listener)
      await eventually(() => expect(stream.readableLength).toBe(4))
      const names = (): unknown[] => [stream.eventNames(), stream.allowHalfOpen, stream.readableFlowing]
      const before = names()
      const budget = new MemoryBudget(1000)
      const reader = FrameReader.delimited({ maxFrameLength: 10, budget })
      const lines: string[] = []
      const attach = (): Promise<void> =>
        reader.attach(stream, (batch) => {
          lines.push(...[...batch].map((line) => Buffer.from(line).toString()))
        })
      expect(await codeOfRejection(attach())).toBe('ERR_BUSY')
      expect(names()).toEqual(before)
      expect(budget.stats().reservedBytes).toBe(0)
      stream.off('readable', listener)
      attach().catch(() => {})
      await eventually(() => expect(lines).toEqual(['a', 'b']))
      stream.destroy()
    }
  })

  it.each([[{}], ['text'], [5], [new Uint16Array(2)]])(
    'ends a stream that gives other things than bytes: %o',
    async (thing) => {
      const stream = new PassThrough({ objectMode: true })
      const reader = FrameReader.lengthDelimited(four)
      const over = reader.attach(stream, () => {})
      stream.write(thing)
      await expect(over).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
      expect(stream.destroyed).toBe(true)
    },
  )

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
