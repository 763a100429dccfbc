import { describe, expect, it } from 'vitest'
import { type FramedBatch, FrameReader, inspect, MemoryBudget, SlotPool } from '../../index.js'
import { codeOf } from '../support/code-of.js'
import { Random } from '../support/random.js'

/** Returns copies of the payloads of a batch. */
function payloads(batch: FramedBatch): Buffer[] {
  return [...batch].map((bytes) => Buffer.from(bytes))
}

function prefixed(payload: Uint8Array, length = 2): Buffer {
  const header = Buffer.alloc(length)
  header.writeUIntBE(payload.length, 0, length)
  return Buffer.concat([header, payload])
}

const two = { lengthFieldLength: 2, maxFrameLength: 1 << 16 } as const

describe('frameLength', () => {
  it('may neither detach the bytes that are received nor call the reader', () => {
    let chunk = new Uint8Array(0)
    let act: () => unknown = () => undefined
    using reader = FrameReader.withHeader({
      headerLength: 1,
      maxFrameLength: 10,
      frameLength: () => {
        act()
        return 2
      },
    })
    const receive = (action: () => unknown): string | undefined => {
      chunk = Uint8Array.of(1, 2, 3, 4)
      act = action
      return codeOf(() => reader.receive(chunk))
    }
    expect(receive(() => structuredClone(chunk, { transfer: [chunk.buffer] }))).toBe('ERR_INVALID_ARG_VALUE')
    expect(receive(() => reader.receive(Uint8Array.of(1, 2)))).toBe('ERR_BUSY')
    expect(reader.pending).toBe(0)
    act = () => undefined
    expect(reader.receive(chunk).length).toBe(2)
    structuredClone(chunk, { transfer: [chunk.buffer] })
    expect(reader.receive(chunk).length).toBe(0)
  })
})

describe('FrameReader.receive()', () => {
  it('gives the whole frames of a chunk side by side, with their parts by index', () => {
    using reader = FrameReader.lengthDelimited(two)
    const batch = reader.receive(Buffer.concat([prefixed(Buffer.from('one')), prefixed(Buffer.from('')), Buffer.of(0)]))
    expect(batch.length).toBe(2)
    expect(payloads(batch).map(String)).toEqual(['one', ''])
    expect([batch.payload(0), batch.header(0), batch.frame(0)].map((bytes) => Buffer.from(bytes).toString())).toEqual([
      'one',
      '\0\x03',
      '\0\x03one',
    ])
    expect(batch.frame(1)).toEqual(new Uint8Array(2))
    expect(reader.pending).toBe(1)
    expect(batch.payload(1).byteOffset).toBe(batch.payload(0).byteOffset + 5)
    for (const index of [-1, 2, 0.5]) expect(codeOf(() => batch.payload(index))).toBe('ERR_OUT_OF_RANGE')
  })

  it('keeps a batch until the next one, unless it is retained', () => {
    using reader = FrameReader.delimited({ maxFrameLength: 100 })
    const first = reader.receive(Buffer.from('a\nb'))
    const kept = reader.receive(Buffer.from('\n')).retain()
    expect(codeOf(() => first.payload(0))).toBe('ERR_RELEASED')
    expect(first.release()).toBe(false)
    reader.receive(Buffer.from('c\n'))
    expect(payloads(kept).map(String)).toEqual(['b'])
    expect(Buffer.from(kept.frame(0)).toString()).toBe('b\n')
    expect(kept.header(0).length).toBe(0)
    expect(kept.release()).toBe(true)
    expect(kept.release()).toBe(false)
    expect(codeOf(() => [...kept])).toBe('ERR_RELEASED')
  })

  it('gives the same frames wherever the stream is cut, in all three ways', () => {
    const random = new Random()
    for (let round = 0; round < 60; round++) {
      const kind = random.below(3)
      const largest = [10, 400, 40_000][random.below(3)]!
      const sent = Array.from({ length: random.below(30) }, () => {
        const payload = random.bytes(random.below(largest))
        return kind === 1 ? payload.map((byte) => (byte === 10 ? 11 : byte)) : payload
      }).map((payload) => Buffer.from(payload))
      const stream = Buffer.concat(
        sent.map((payload) => (kind === 1 ? Buffer.concat([payload, Buffer.of(10)]) : prefixed(payload))),
      )
      const pool = new SlotPool(random.below(100_000), { slots: 1 + random.below(32) })
      const options = { ...two, pool }
      const reader =
        kind === 0
          ? FrameReader.lengthDelimited(options)
          : kind === 1
            ? FrameReader.delimited(options)
            : FrameReader.withHeader({
                ...options,
                headerLength: 2,
                frameLength: (header) => 2 + Buffer.from(header).readUInt16BE(),
              })
      const got: Buffer[] = []
      const retained: [FramedBatch, Buffer[]][] = []
      for (let at = 0; at < stream.length; ) {
        const count = 1 + random.below([1, 7, 3000, 100_000][random.below(4)]!)
        const batch = reader.receive(stream.subarray(at, at + count))
        at += count
        got.push(...payloads(batch))
        if (random.below(4) === 0) retained.push([batch.retain(), payloads(batch)])
        if (random.below(5) === 0) retained.shift()?.[0].release()
      }
      expect(Buffer.concat(got).equals(Buffer.concat(sent)), random.origin).toBe(true)
      expect(got.map(({ length }) => length)).toEqual(sent.map(({ length }) => length))
      expect(reader.pending).toBe(0)
      for (const [batch, copies] of retained) {
        expect(Buffer.concat(payloads(batch)).equals(Buffer.concat(copies)), random.origin).toBe(true)
        batch.release()
      }
      reader[Symbol.dispose]()
      pool.close()
    }
  })

  it('has room for the batches of many connections', () => {
    const readers = Array.from({ length: 200 }, () => FrameReader.delimited({ maxFrameLength: 100 }))
    const poolsNow = (): number => inspect().filter(({ kind }) => kind === 'slot-pool').length
    let pools = 0
    for (let round = 0; round < 10; round++) {
      const batches = readers.map((reader, index) => reader.receive(Buffer.from(`${index}\n`.repeat(100))).retain())
      // A slice on the heap has memory of its own.
      expect(new Set(batches.map((batch) => batch.frame(0).buffer)).size).toBeLessThanOrEqual(8)
      for (const [index, batch] of batches.entries()) {
        expect(payloads(batch).map(String)).toEqual(Array(100).fill(String(index)))
      }
      for (const batch of batches) batch.release()
      if (round === 0) pools = poolsNow()
    }
    expect(poolsNow()).toBe(pools)
    for (const reader of readers) reader[Symbol.dispose]()
  })

  it('refuses a frame that is too long or too short, after the frames before it', () => {
    using reader = FrameReader.lengthDelimited({ lengthFieldLength: 1, maxFrameLength: 5, lengthAdjustment: -1 })
    const batch = reader.receive(Buffer.of(2, 7, 200))
    expect(payloads(batch)).toEqual([Buffer.of(7)])
    for (let again = 0; again < 2; again++) {
      expect(codeOf(() => reader.receive(Buffer.of(1)))).toBe('ERR_FRAME_TOO_LARGE')
    }
    using short = FrameReader.lengthDelimited({ lengthFieldLength: 1, maxFrameLength: 5, lengthAdjustment: -1 })
    expect(codeOf(() => short.receive(Buffer.of(0)))).toBe('ERR_FRAME_LENGTH')
    using large = FrameReader.lengthDelimited({ lengthFieldLength: 8, maxFrameLength: 2 ** 30 })
    expect(() => large.receive(Buffer.from([0, 32, 0, 0, 0, 0, 0, 0]))).toThrow(`${2 ** 53 + 8} bytes`)
  })

  it('takes nothing in when frameLength throws or returns nonsense', () => {
    let answer = (): unknown => {
      throw new Error('mine')
    }
    using reader = FrameReader.withHeader({
      headerLength: 1,
      maxFrameLength: 10,
      frameLength: () => answer() as number,
    })
    expect(() => reader.receive(Buffer.from('ab'))).toThrow('mine')
    answer = () => '2'
    expect(codeOf(() => reader.receive(Buffer.from('ab')))).toBe('ERR_INVALID_ARG_TYPE')
    expect(reader.pending).toBe(0)
    answer = () => 2
    expect(payloads(reader.receive(Buffer.from('abcdef'))).map(String)).toEqual(['b', 'd', 'f'])
    answer = () => {
      reader.receive(Buffer.from('xy'))
      return 2
    }
    expect(() => reader.receive(Buffer.from('gh'))).toThrow()
    answer = () => Number.MAX_SAFE_INTEGER
    expect(codeOf(() => reader.receive(Buffer.from('ij')))).toBe('ERR_FRAME_TOO_LARGE')
    using zero = FrameReader.withHeader({ headerLength: 1, maxFrameLength: 10, frameLength: () => 0 })
    expect(codeOf(() => zero.receive(Buffer.from('ij')))).toBe('ERR_FRAME_LENGTH')
  })

  it('calls nothing that a script may have replaced, which could throw when native code has taken the bytes in', () => {
    const pool = new SlotPool(1000)
    using reader = FrameReader.withHeader({ headerLength: 2, maxFrameLength: 10, frameLength: () => 4, pool })
    const replaced = Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array
    const own = Object.getOwnPropertyDescriptors(replaced)
    const names = ['length', 'byteLength', 'byteOffset', 'buffer', 'set', 'subarray', 'slice', 'fill'] as const
    for (const cut of [1, 2, 3, 4, 5, 7]) {
      const bytes = [Buffer.from('12ab34cd'), Buffer.from('12ab34cd')]
      const chunks = [bytes[0]!.subarray(0, cut), bytes[0]!.subarray(cut), bytes[1]!]
      const counts: number[] = []
      const refuse = (): never => {
        throw new Error('mine')
      }
      try {
        for (const name of names) {
          const { configurable = true, enumerable = false, get } = own[name] as PropertyDescriptor
          const field = get === undefined ? { value: refuse } : { get: refuse }
          Object.defineProperty(replaced, name, { configurable, enumerable, ...field })
        }
        for (const chunk of chunks) counts.push(reader.receive(chunk).length)
      } finally {
        Object.defineProperties(replaced, own)
      }
      expect(counts.reduce((sum, count) => sum + count)).toBe(4)
    }
    expect(payloads(reader.receive(Buffer.from('12ab'))).map(String)).toEqual(['ab'])
    expect(pool.stats().liveSlices).toBe(1)
    pool.close()
  })

  it('takes the memory of its own last batch as a chunk', () => {
    using reader = FrameReader.lengthDelimited(two)
    const inner = prefixed(prefixed(Buffer.alloc(30_000, 7)))
    for (const cut of [inner.length, 20_000]) {
      reader.receive(inner.subarray(0, cut))
      const batch = cut === inner.length ? reader.receive(inner) : reader.receive(inner.subarray(cut))
      const again = reader.receive(batch.payload(0))
      expect(payloads(again).map((bytes) => bytes.equals(Buffer.alloc(30_000, 7)))).toEqual([true])
    }
  })

  it('goes by the intrinsic length and memory of a chunk', () => {
    using reader = FrameReader.delimited({ maxFrameLength: 100 })
    const chunk = Object.defineProperties(Buffer.from('a\nb\n'), {
      length: { value: 1000 },
      byteLength: { value: 1000 },
      buffer: { value: new ArrayBuffer(8) },
    })
    expect(payloads(reader.receive(chunk)).map(String)).toEqual(['a', 'b'])
    expect(codeOf(() => reader.receive('a\n' as never))).toBe('ERR_INVALID_ARG_TYPE')
    const shared = new Uint8Array(new SharedArrayBuffer(2))
    shared.set([99, 10])
    expect(payloads(reader.receive(shared)).map(String)).toEqual(['c'])
  })

  it('refuses options that cannot be', () => {
    const bad = [
      {},
      { maxFrameLength: 0 },
      { maxFrameLength: 3 },
      { maxFrameLength: 2 ** 30 + 1 },
      { ...two, lengthFieldLength: 5 },
      { ...two, lengthFieldOffset: -1 },
      { ...two, headerLength: 1 },
      { ...two, lengthAdjustment: 2 ** 31 },
    ]
    for (const options of bad)
      expect(codeOf(() => FrameReader.lengthDelimited(options as never))).toMatch(/ERR_(OUT|INV)/)
    expect(codeOf(() => FrameReader.lengthDelimited({ ...two, endian: 'middle' as never }))).toBe(
      'ERR_INVALID_ARG_VALUE',
    )
    for (const delimiter of [256, -1, '\n', new Uint8Array(0), new Uint8Array(17)]) {
      expect(codeOf(() => FrameReader.delimited({ ...two, delimiter: delimiter as never }))).toMatch(/ERR_(OUT|INV)/)
    }
    expect(codeOf(() => FrameReader.withHeader({ ...two, headerLength: 0, frameLength: () => 1 }))).toBe(
      'ERR_OUT_OF_RANGE',
    )
    expect(codeOf(() => FrameReader.withHeader({ ...two, headerLength: 1, frameLength: 1 as never }))).toBe(
      'ERR_INVALID_ARG_TYPE',
    )
    expect(codeOf(() => FrameReader.delimited({ ...two, pool: {} as never }))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => FrameReader.delimited({ ...two, budget: {} as never }))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => FrameReader.delimited({ ...two, budget: new MemoryBudget(100) }))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => new (FrameReader as never as new () => FrameReader)())).toBe('ERR_INVALID_ARG_TYPE')
  })

  it('is closed after its end, and refuses a pool that is in use or closed', () => {
    const pool = new SlotPool(1000)
    const reader = FrameReader.delimited({ ...two, pool })
    pool.getWritable(1)
    expect(codeOf(() => reader.receive(Buffer.from('a\n')))).toBe('ERR_BUSY')
    pool.getDataOwned().release()
    const kept = reader.receive(Buffer.from('a\nbc')).retain()
    reader[Symbol.dispose]()
    reader[Symbol.dispose]()
    expect(reader.pending).toBe(0)
    expect(codeOf(() => reader.receive(Buffer.from('a\n')))).toBe('ERR_CLOSED')
    expect(payloads(kept).map(String)).toEqual(['a'])
    pool.close()
    expect(payloads(kept).map(String)).toEqual(['a'])
    kept.release()
    using other = FrameReader.delimited({ ...two, pool })
    expect(codeOf(() => other.receive(Buffer.from('a\n')))).toBe('ERR_CLOSED')
  })

  it('can take an empty batch', () => {
    using reader = FrameReader.delimited(two)
    const batch = reader.receive(Buffer.from('half'))
    expect([batch.length, [...batch].length, batch.retain().release(), batch.release()]).toEqual([0, 0, true, false])
    expect(codeOf(() => reader.receive(Buffer.from('x')).move())).toBe('ERR_INVALID_STATE')
  })
})

describe('a budget', () => {
  it('counts batches that are not released, and unfinished frames', () => {
    const budget = new MemoryBudget(1000)
    using reader = FrameReader.delimited({ maxFrameLength: 500, budget })
    const first = reader.receive(Buffer.concat([Buffer.alloc(399, 97), Buffer.from('\nbb')])).retain()
    expect(budget.stats().reservedBytes).toBeGreaterThanOrEqual(402)
    expect(budget.stats().reservedBytes).toBeLessThan(410)
    expect(codeOf(() => reader.receive(Buffer.alloc(900, 10)))).toBe('ERR_MEMORY_LIMIT')
    expect(reader.pending).toBe(2)
    first.release()
    expect(budget.stats().reservedBytes).toBe(2)
    expect(reader.receive(Buffer.alloc(900, 10)).length).toBe(900)
    reader[Symbol.dispose]()
    expect(budget.stats()).toMatchObject({ reservedBytes: 0, waiting: 0 })
  })

  it('comes back with the memory of a long frame', () => {
    const budget = new MemoryBudget(100_000)
    const pool = new SlotPool(1000)
    using reader = FrameReader.lengthDelimited({ ...two, budget, pool })
    const frame = prefixed(Buffer.alloc(50_000, 5))
    reader.receive(frame.subarray(0, 30_000))
    expect(budget.stats().reservedBytes).toBe(30_000)
    const batch = reader.receive(frame.subarray(30_000)).retain()
    expect(payloads(batch).map((bytes) => bytes.equals(Buffer.alloc(50_000, 5)))).toEqual([true])
    expect(budget.stats().reservedBytes).toBeLessThan(50_010)
    batch.release()
    expect(budget.stats().reservedBytes).toBe(0)
    pool.close()
  })
})
