import { describe, expect, it } from 'vitest'
import { adopt, ByteRing, Consumer, Producer } from '../../index.js'
import { codeOf, codeOfRejection } from '../support/code-of.js'
import { detachByStream } from '../support/detach.js'
import { pattern } from '../support/pattern.js'

const halves = (size: number, align?: number) => new ByteRing(size, align).intoParts()
const text = (bufs: Uint8Array[]): string => Buffer.concat(bufs).toString()
const take = (consumer: Consumer, length: number): string => {
  const bytes = Buffer.alloc(length)
  return bytes.subarray(0, consumer.read(bytes)).toString()
}

describe('ByteRing', () => {
  it.each([0, 3, 12, 4095, -4, 1.5, 2 ** 31, 2 ** 40, Number.NaN])('refuses a size of %d', (size) => {
    expect(codeOf(() => new ByteRing(size))).toBe('ERR_OUT_OF_RANGE')
  })

  it.each([0, 3, -1, 2 ** 31])('refuses an alignment of %d', (align) => {
    expect(codeOf(() => new ByteRing(64, align))).toBe('ERR_OUT_OF_RANGE')
  })

  it('refuses values that are not numbers', () => {
    expect(codeOf(() => new ByteRing('64' as unknown as number))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => new ByteRing(64, null as unknown as number))).toBe('ERR_INVALID_ARG_TYPE')
  })

  it('is split once', () => {
    const ring = new ByteRing(4096, 4096)
    expect(ring.size).toBe(4096)
    const { producer, consumer } = ring.intoParts()
    expect(producer).toBeInstanceOf(Producer)
    expect(consumer).toBeInstanceOf(Consumer)
    expect(codeOf(() => ring.intoParts())).toBe('ERR_RELEASED')
  })

  it('has up to 1 GiB, and touches only the memory in use', () => {
    const before = process.memoryUsage().rss
    const { producer, consumer } = halves(2 ** 30)
    expect(producer.available).toBe(2 ** 30)
    producer.write(Buffer.from('far'))
    expect(take(consumer, 9)).toBe('far')
    expect(process.memoryUsage().rss - before).toBeLessThan(64 << 20)
    producer.release()
    consumer.release()
  })

  it('has halves that cannot be constructed', () => {
    expect(codeOf(() => Reflect.construct(Producer, []))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => Reflect.construct(Consumer, []))).toBe('ERR_INVALID_ARG_TYPE')
  })
})

describe('ioSlices', () => {
  it('offers free space and bytes as two views, at every offset', () => {
    const size = 16
    for (let offset = 0; offset < size; offset++) {
      const { producer, consumer } = halves(size)
      producer.write(Buffer.alloc(offset))
      consumer.read(Buffer.alloc(offset))
      producer.ioSlices((bufs, length) => {
        expect([length, bufs.length]).toEqual([size, 2])
        expect(bufs.map((buf) => buf.length)).toEqual([size - offset, offset])
        const source = pattern(size, offset)
        bufs[0].set(source.subarray(0, size - offset))
        bufs[1].set(source.subarray(size - offset))
        return length
      })
      expect([producer.available, consumer.available]).toEqual([0, size])
      consumer.ioSlices((bufs, length) => {
        expect(length).toBe(size)
        expect(Buffer.concat(bufs)).toEqual(pattern(size, offset))
        return 5
      })
      expect([producer.available, consumer.available]).toEqual([5, size - 5])
      expect([producer.position, consumer.position]).toEqual([BigInt(offset + size), BigInt(offset + 5)])
    }
  })

  it('offers two empty views when there is nothing', () => {
    const { producer, consumer } = halves(4)
    expect(consumer.ioSlices(([first, second], length) => first.length + second.length + length)).toBe(0)
    producer.writeAll(Buffer.from('full'))
    expect(producer.ioSlices(([first, second], length) => first.length + second.length + length)).toBe(0)
  })

  it.each([17, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '1', null, undefined, 1n, {}])(
    'refuses a count of %s, and changes nothing',
    async (count) => {
      const { producer, consumer } = halves(16)
      producer.write(Buffer.from('abc'))
      for (const half of [producer, consumer]) {
        const { available, position } = half
        expect(codeOf(() => half.ioSlices(() => count as number))).toBe('ERR_INVALID_COUNT')
        expect(await codeOfRejection(half.ioSlicesAsync(async () => count as number))).toBe('ERR_INVALID_COUNT')
        expect([half.available, half.position]).toEqual([available, position])
      }
      expect(take(consumer, 9)).toBe('abc')
    },
  )

  it('passes on an error of the callback, and changes nothing', async () => {
    const { producer, consumer } = halves(16)
    producer.write(Buffer.from('abc'))
    const error = new Error('mine')
    const fail = (): never => {
      throw error
    }
    for (const half of [producer, consumer]) {
      expect(() => half.ioSlices(fail)).toThrow(error)
      await expect(half.ioSlicesAsync(fail)).rejects.toBe(error)
      await expect(half.ioSlicesAsync(() => Promise.reject(error))).rejects.toBe(error)
    }
    expect([producer.available, take(consumer, 9)]).toEqual([13, 'abc'])
  })

  it('keeps a half busy until its callback returns, and leaves the other free', () => {
    const { producer, consumer } = halves(16)
    producer.ioSlices(([room]) => {
      for (const call of [
        () => producer.ioSlices(() => 0),
        () => producer.write(Buffer.from('x')),
        () => producer.writeAll(Buffer.from('x')),
        () => producer.end(),
        () => producer.release(),
      ]) {
        expect(codeOf(call)).toBe('ERR_BUSY')
      }
      expect([producer.available, consumer.read(Buffer.alloc(1))]).toEqual([16, 0])
      room.set(Buffer.from('ok'))
      return 2
    })
    consumer.ioSlices((_, length) => {
      for (const call of [
        () => consumer.ioSlices(() => 0),
        () => consumer.read(Buffer.alloc(1)),
        () => consumer.end(),
      ]) {
        expect(codeOf(call)).toBe('ERR_BUSY')
      }
      expect(producer.write(Buffer.from('ay'))).toBe(2)
      return length
    })
    expect(take(consumer, 9)).toBe('ay')
  })

  it('keeps a half busy until its promise settles', async () => {
    const { producer, consumer } = halves(16)
    let filled = (_: number): void => {}
    const filling = producer.ioSlicesAsync(([room], length) => {
      room.set(Buffer.from('later'))
      expect(length).toBe(16)
      return new Promise((resolve) => {
        filled = resolve
      })
    })
    expect(codeOf(() => producer.write(Buffer.from('x')))).toBe('ERR_BUSY')
    expect(await codeOfRejection(producer.ioSlicesAsync(async () => 0))).toBe('ERR_BUSY')
    expect(consumer.available).toBe(0)
    filled(5)
    expect(await filling).toBe(5)
    expect(await consumer.ioSlicesAsync(async (bufs) => text(bufs).length)).toBe(5)
    expect(producer.write(Buffer.from('x'))).toBe(1)
  })
})

describe('write and read', () => {
  it('move the bytes that fit', () => {
    const { producer, consumer } = halves(8)
    expect(producer.write(Buffer.from('abcdef'))).toBe(6)
    expect(take(consumer, 4)).toBe('abcd')
    expect(producer.write(Buffer.from('ghijklmnop'))).toBe(6)
    expect(producer.write(Buffer.from('x'))).toBe(0)
    expect(take(consumer, 99)).toBe('efghijkl')
    expect(consumer.read(Buffer.alloc(3))).toBe(0)
  })

  it('writeAll writes all or nothing', () => {
    const { producer, consumer } = halves(8)
    producer.writeAll(Buffer.from('12345'))
    expect(codeOf(() => producer.writeAll(Buffer.from('6789')))).toBe('ERR_WRITE_ZERO')
    expect([consumer.available, producer.position]).toEqual([5, 5n])
    producer.writeAll(Buffer.from('678'))
    expect(take(consumer, 8)).toBe('12345678')
  })

  it('refuse values that are not bytes', () => {
    const { producer, consumer } = halves(8)
    for (const wrong of ['a', [1], new Uint16Array(1), new DataView(new ArrayBuffer(1)), null, new ArrayBuffer(1)]) {
      expect(codeOf(() => producer.write(wrong as never))).toBe('ERR_INVALID_ARG_TYPE')
      expect(codeOf(() => producer.writeAll(wrong as never))).toBe('ERR_INVALID_ARG_TYPE')
      expect(codeOf(() => consumer.read(wrong as never))).toBe('ERR_INVALID_ARG_TYPE')
    }
    expect(producer.position).toBe(0n)
  })

  it('ignore the own length and methods of an array', () => {
    const { producer, consumer } = halves(64)
    class Liar extends Uint8Array {
      override get length(): number {
        return 60
      }
      override subarray(): never {
        throw new Error('called')
      }
      override set(): never {
        throw new Error('called')
      }
    }
    expect(producer.write(new Liar(Buffer.from('abc')))).toBe(3)
    const target = new Liar(2)
    expect(consumer.read(target)).toBe(2)
    expect([target[0], consumer.available]).toEqual([97, 1])
  })

  it('accept shared memory, and views of the ring itself', () => {
    const { producer, consumer } = halves(8)
    const shared = new Uint8Array(new SharedArrayBuffer(3)).fill(65)
    producer.write(shared)
    producer.ioSlices(([room]) => {
      consumer.ioSlices((bufs) => {
        expect(text(bufs)).toBe('AAA')
        return 0
      })
      room.fill(66)
      return 2
    })
    expect(consumer.read(shared)).toBe(3)
    expect(take(consumer, 3)).toBe('BB')
  })

  it('continue after the memory was detached', () => {
    const { producer, consumer } = halves(8)
    producer.write(Buffer.from('abcdef'))
    producer.ioSlices(([room]) => {
      detachByStream(room)
      return 0
    })
    consumer.ioSlices(([bytes]) => {
      detachByStream(bytes)
      return 0
    })
    expect(take(consumer, 4)).toBe('abcd')
    expect(producer.write(Buffer.from('ghijkl'))).toBe(6)
    expect(take(consumer, 9)).toBe('efghijkl')
  })
})

describe('end and release', () => {
  it('reaches the other half, and bytes stay readable', () => {
    const { producer, consumer } = halves(8)
    producer.write(Buffer.from('last'))
    expect([consumer.ended, producer.ended]).toEqual([false, false])
    producer.end()
    producer.end()
    expect([consumer.ended, producer.ended]).toEqual([true, false])
    expect(codeOf(() => producer.write(Buffer.from('x')))).toBe('ERR_CLOSED')
    expect(codeOf(() => producer.ioSlices(() => 0))).toBe('ERR_CLOSED')
    expect(take(consumer, 9)).toBe('last')
    consumer.end()
    expect(producer.ended).toBe(true)
    expect(codeOf(() => consumer.read(Buffer.alloc(1)))).toBe('ERR_CLOSED')
  })

  it('releases each half separately, and detaches its views at once', () => {
    const { producer, consumer } = halves(8)
    producer.write(Buffer.from('last'))
    let room: Uint8Array = new Uint8Array(1)
    let bytes: Uint8Array = new Uint8Array(1)
    producer.ioSlices(([first]) => {
      room = first
      return 0
    })
    consumer.ioSlices(([first]) => {
      bytes = first
      return 0
    })
    expect([producer.release(), producer.release()]).toEqual([true, false])
    expect([room.length, bytes.length, consumer.ended]).toEqual([0, 4, true])
    expect(text([bytes])).toBe('last')
    expect(take(consumer, 9)).toBe('last')
    consumer[Symbol.dispose]()
    expect([bytes.length, consumer.release()]).toEqual([0, false])
    for (const call of [
      () => producer.write(Buffer.from('x')),
      () => producer.available,
      () => producer.ended,
      () => producer.isEmpty,
      () => producer.end(),
      () => producer.ioSlices(() => 0),
      () => producer.writableSync(1, { timeoutMs: 0 }),
      () => consumer.read(Buffer.alloc(1)),
      () => consumer.available,
      () => consumer.ended,
      () => consumer.isEmpty,
      () => consumer.readableSync(1, { timeoutMs: 0 }),
    ]) {
      expect(codeOf(call)).toBe('ERR_RELEASED')
    }
    expect([producer.size, producer.position]).toEqual([8, 4n])
  })

  it.each(['release', 'move'] as const)(
    'knows nothing more of the ring after %s(), while the other half lives',
    (leave) => {
      for (const gone of ['producer', 'consumer'] as const) {
        const parts = halves(8)
        parts.producer.write(Buffer.from('x'))
        const half = parts[gone]
        const arrived = half[leave]()
        for (const call of [() => half.available, () => half.isEmpty, () => half.ended]) {
          expect(codeOf(call)).toBe('ERR_RELEASED')
        }
        const other = gone === 'producer' ? parts.consumer : parts.producer
        expect([other.available, other.ended]).toEqual([gone === 'producer' ? 1 : 7, leave === 'release'])
        if (typeof arrived === 'object') adopt<Producer | Consumer>(arrived).release()
        other.release()
      }
    },
  )

  it('frees the memory without a garbage collection', () => {
    const { external } = process.memoryUsage()
    for (let round = 0; round < 200; round++) {
      const { producer, consumer } = halves(1 << 20)
      producer.write(Buffer.from('x'))
      take(consumer, 1)
      producer.release()
      consumer.release()
    }
    expect(process.memoryUsage().external - external).toBeLessThan(8 << 20)
  })
})

describe('waiting', () => {
  it('resolves at once when there is enough', async () => {
    const { producer, consumer } = halves(8)
    expect(await producer.writable()).toBe(8)
    expect(await producer.writable(8)).toBe(8)
    expect(await consumer.readable(0)).toBe(0)
    producer.write(Buffer.from('abc'))
    expect(await consumer.readable(2)).toBe(3)
    expect(producer.writableSync(5, { timeoutMs: 0 })).toBe(5)
    expect(consumer.readableSync(3, { timeoutMs: 0 })).toBe(3)
  })

  it('resolves when the other half has moved enough, in the order of the calls', async () => {
    const { producer, consumer } = halves(8)
    const settled: string[] = []
    const waits = [
      consumer.readable(4).then((length) => settled.push(`four ${length}`)),
      consumer.readable(2).then((length) => settled.push(`two ${length}`)),
      consumer.readable(2).then((length) => settled.push(`two again ${length}`)),
    ]
    producer.write(Buffer.from('a'))
    await new Promise(setImmediate)
    expect(settled).toEqual([])
    producer.write(Buffer.from('bc'))
    await Promise.all(waits.slice(1))
    expect(settled).toEqual(['two 3', 'two again 3'])
    producer.write(Buffer.from('d'))
    await waits[0]
    expect(settled.at(-1)).toBe('four 4')

    producer.write(Buffer.from('efgh'))
    const room = producer.writable(3)
    take(consumer, 5)
    expect(await room).toBe(5)
  })

  it('continues when the bytes are gone before it settles', async () => {
    const { producer, consumer } = halves(8)
    const wait = consumer.readable(2)
    producer.write(Buffer.from('ab'))
    take(consumer, 2)
    producer.write(Buffer.from('c'))
    await new Promise((resolve) => setTimeout(resolve, 20))
    producer.write(Buffer.from('d'))
    expect(await wait).toBe(2)
  })

  it.each(['end', 'release'] as const)('ends when the other half calls %s', async (how) => {
    const first = halves(8)
    first.producer.write(Buffer.from('abc'))
    const readable = first.consumer.readable(8)
    first.producer[how]()
    expect(await readable).toBe(3)
    expect(await first.consumer.readable(8)).toBe(3)
    take(first.consumer, 3)
    expect(await first.consumer.readable()).toBe(0)
    expect(first.consumer.readableSync(1, { timeoutMs: 0 })).toBe(0)

    const second = halves(8)
    second.producer.write(Buffer.from('abc'))
    const writable = second.producer.writable(8)
    second.consumer[how]()
    expect(await writable).toBe(5)
  })

  it('rejects when its own half ends or is released', async () => {
    const { producer, consumer } = halves(8)
    const ended = consumer.readable()
    consumer.end()
    expect(await codeOfRejection(ended)).toBe('ERR_CLOSED')
    expect(await codeOfRejection(consumer.readable())).toBe('ERR_CLOSED')
    const { producer: other } = halves(8)
    other.write(Buffer.from('abc'))
    const released = other.writable(8)
    other.release()
    expect(await codeOfRejection(released)).toBe('ERR_RELEASED')
    expect(await codeOfRejection(other.writable())).toBe('ERR_RELEASED')
    producer.release()
  })

  it('can be aborted or time out', async () => {
    const { producer, consumer } = halves(8)
    expect(await codeOfRejection(consumer.readable(1, { timeoutMs: 1 }))).toBe('ERR_TIMEOUT')
    expect(codeOf(() => consumer.readableSync(1, { timeoutMs: 1 }))).toBe('ERR_TIMEOUT')
    const controller = new AbortController()
    const wait = consumer.readable(1, { signal: controller.signal })
    controller.abort('enough')
    await expect(wait).rejects.toBe('enough')
    await expect(consumer.readable(1, { signal: AbortSignal.abort('before') })).rejects.toBe('before')
    const other = consumer.readable()
    producer.write(Buffer.from('x'))
    expect(await other).toBe(1)
  })

  it('refuses more than the ring holds, and values that are not numbers', async () => {
    const { producer, consumer } = halves(8)
    for (const bytes of [9, -1, 0.5, Number.NaN]) {
      expect(await codeOfRejection(producer.writable(bytes))).toBe('ERR_OUT_OF_RANGE')
      expect(await codeOfRejection(consumer.readable(bytes))).toBe('ERR_OUT_OF_RANGE')
      expect(codeOf(() => producer.writableSync(bytes, { timeoutMs: 0 }))).toBe('ERR_OUT_OF_RANGE')
      expect(codeOf(() => consumer.readableSync(bytes, { timeoutMs: 0 }))).toBe('ERR_OUT_OF_RANGE')
    }
    expect(await codeOfRejection(consumer.readable('1' as unknown as number))).toBe('ERR_INVALID_ARG_TYPE')
    const without = consumer.readableSync.bind(consumer) as unknown as (bytes: number) => number
    expect(codeOf(() => without(1))).toBe('ERR_INVALID_ARG_TYPE')
  })
})
