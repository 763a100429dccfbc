import { expect, it } from 'vitest'
import { ByteRing } from '../../index.js'
import { codeOf } from '../support/code-of.js'
import { Random } from '../support/random.js'

const PROGRAMS = 1000
const STEPS = 150

/** Copies up to `count` bytes between `bufs` and `bytes`, and returns the number of bytes copied. */
function copy(bufs: Uint8Array[], bytes: Uint8Array, count: number, into: boolean): number {
  let done = 0
  for (const buf of bufs) {
    const part = bytes.subarray(done, Math.min(count, done + buf.length))
    if (into) buf.set(part)
    else part.set(buf.subarray(0, part.length))
    done += part.length
  }
  return done
}

it('behaves like a queue of bytes under any interleaving of operations', { timeout: 60_000 }, () => {
  const random = new Random()
  for (let program = 0; program < PROGRAMS; program++) {
    const size = 1 << random.below(9)
    const { producer, consumer } = new ByteRing(size, 1).intoParts()
    let queue = Buffer.alloc(0)
    let [written, read] = [0n, 0n]
    const wrote = (bytes: Buffer): void => {
      queue = Buffer.concat([queue, bytes])
      written += BigInt(bytes.length)
    }
    const took = (bytes: Buffer): void => {
      expect(bytes, random.origin).toEqual(queue.subarray(0, bytes.length))
      queue = queue.subarray(bytes.length)
      read += BigInt(bytes.length)
    }
    for (let step = 0; step < STEPS; step++) {
      const bytes = random.bytes(random.below(size + 3))
      const fits = Math.min(bytes.length, size - queue.length)
      const there = Math.min(bytes.length, queue.length)
      switch (random.below(7)) {
        case 0:
          expect(producer.write(bytes), random.origin).toBe(fits)
          wrote(bytes.subarray(0, fits))
          break
        case 1:
          if (fits < bytes.length) {
            expect(
              codeOf(() => producer.writeAll(bytes)),
              random.origin,
            ).toBe('ERR_WRITE_ZERO')
          } else {
            producer.writeAll(bytes)
            wrote(bytes)
          }
          break
        case 2:
          expect(
            producer.ioSlices((bufs) => copy(bufs, bytes, fits, true)),
            random.origin,
          ).toBe(fits)
          wrote(bytes.subarray(0, fits))
          break
        case 3:
          expect(consumer.read(bytes), random.origin).toBe(there)
          took(bytes.subarray(0, there))
          break
        case 4:
          expect(
            consumer.ioSlices((bufs) => copy(bufs, bytes, there, false)),
            random.origin,
          ).toBe(there)
          took(bytes.subarray(0, there))
          break
        case 5:
          producer.ioSlices((bufs) => {
            for (const buf of bufs) buf.fill(random.below(256))
            return 0
          })
          break
        default:
          expect(
            codeOf(() => consumer.ioSlices((_, length) => length + 1)),
            random.origin,
          ).toBe('ERR_INVALID_COUNT')
      }
      expect(
        [
          producer.available,
          consumer.available,
          producer.position,
          consumer.position,
          consumer.isEmpty,
          producer.isEmpty,
        ],
        random.origin,
      ).toEqual([size - queue.length, queue.length, written, read, queue.length === 0, queue.length === 0])
    }
    producer.release()
    consumer.release()
  }
})
