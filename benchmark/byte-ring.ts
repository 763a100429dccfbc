/** P9: write and read of 64 B, 1 KiB and 16 KiB through a byte ring in one thread, beside a ring in a SharedArrayBuffer. */
import { strict as assert } from 'node:assert'
import { ByteRing } from '../index.js'
import { compare } from './compare.js'
import { SharedRing } from './rivals/shared-ring.js'

const WORK = 1000
const SIZE = 64 * 1024

interface Ring {
  write(source: Uint8Array): number
  read(target: Uint8Array): number
}

function byteRing(): Ring {
  const { producer, consumer } = new ByteRing(SIZE).intoParts()
  return { write: (source) => producer.write(source), read: (target) => consumer.read(target) }
}

for (const length of [64, 1024, 16 * 1024]) {
  // Does not divide the size of the ring, so that messages wrap.
  const source = Uint8Array.from({ length: length - 3 }, (_, index) => index * 7)
  const target = new Uint8Array(source.length)
  const cases = [
    { name: 'ByteRing', ring: byteRing() },
    { name: 'SharedArrayBuffer ring', ring: new SharedRing(SharedRing.memory(SIZE), SIZE) as Ring },
  ].map(({ name, ring }) => {
    for (let round = 0; round < 2000; round++) {
      assert.equal(ring.write(source), source.length)
      target.fill(0)
      assert.equal(ring.read(target), source.length)
      assert.deepEqual(target, source)
    }
    const run = (): void => {
      for (let index = 0; index < WORK; index++) {
        ring.write(source)
        ring.read(target)
      }
    }
    return { name, run }
  })
  await compare({ title: `byte ring, ${length} B`, work: WORK, cases })
}
