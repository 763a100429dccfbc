/**
 * P9 and P9b: write and read of messages in one thread, aligned to the ring's size or not, beside rings in a plain ArrayBuffer and in a
 * SharedArrayBuffer; and `ioSlices()` without a copy beside the plain ring's copy.
 */
import { strict as assert } from 'node:assert'
import { ByteRing } from '../index.js'
import { compare } from './compare.js'
import { PlainRing } from './rivals/plain-ring.js'
import { RingBuf } from './rivals/ringbuf.js'
import { SharedRing, WaitingRing } from './rivals/shared-ring.js'

const WORK = 1000
const SIZE = 64 * 1024

interface Ring {
  write(source: Uint8Array): number
  read(target: Uint8Array): number
}

const targets = [
  { id: 'P9', rival: 'plain ring', least: 1 },
  { id: 'P9', rival: 'shared ring', least: 1.2 },
]

// Messages of 61, 1,021 and 16,381 bytes wrap around the end of the ring; the others never do.
for (const length of [64, 61, 1024, 1021, 16_384, 16_381]) {
  const source = Uint8Array.from({ length }, (_, index) => index * 7)
  const target = new Uint8Array(length)
  const { producer, consumer } = new ByteRing(SIZE).intoParts()
  const plain = new PlainRing(SIZE)
  const shared = new SharedRing(SharedRing.memory(SIZE), SIZE)
  const waiting = new WaitingRing(SharedRing.memory(SIZE), SIZE)
  const ringbuf = new RingBuf(SIZE)
  const ours: Ring = { write: (bytes) => producer.write(bytes), read: (bytes) => consumer.read(bytes) }
  for (const ring of [ours, plain, shared, waiting, ringbuf]) check(ring, source)
  // Each has a loop of its own, so that the compiler can inline its methods.
  await compare({
    title: `a ring in one thread, ${length} B`,
    work: WORK,
    targets,
    cases: [
      {
        name: 'ByteRing',
        run: () => {
          for (let index = 0; index < WORK; index++) {
            producer.write(source)
            consumer.read(target)
          }
        },
      },
      {
        name: 'plain ring',
        run: () => {
          for (let index = 0; index < WORK; index++) {
            plain.write(source)
            plain.read(target)
          }
        },
      },
      {
        name: 'shared ring',
        run: () => {
          for (let index = 0; index < WORK; index++) {
            shared.write(source)
            shared.read(target)
          }
        },
      },
      {
        name: 'shared ring that wakes the other end',
        run: () => {
          for (let index = 0; index < WORK; index++) {
            waiting.write(source)
            waiting.read(target)
          }
        },
      },
      {
        name: 'ringbuf.js',
        run: () => {
          for (let index = 0; index < WORK; index++) {
            ringbuf.write(source)
            ringbuf.read(target)
          }
        },
      },
    ],
  })
  if (length === 1024) await withoutCopy(length, plain, source, target)
  producer.release()
  consumer.release()
}

/** Messages that are made in the ring and read where they lie, beside messages that the plain ring copies in and out. */
async function withoutCopy(length: number, plain: PlainRing, source: Uint8Array, target: Uint8Array): Promise<void> {
  const { producer, consumer } = new ByteRing(SIZE).intoParts()
  let seen = 0
  const fill = ([bytes]: [Uint8Array, Uint8Array]): number => {
    bytes[0] = seen
    bytes[length - 1] = seen
    return length
  }
  const drain = ([bytes]: [Uint8Array, Uint8Array]): number => {
    if (bytes[0] !== (seen & 0xff) || bytes[length - 1] !== bytes[0]) throw new Error('wrong bytes')
    seen++
    return length
  }
  await compare({
    title: `a ring in one thread without a copy, ${length} B`,
    work: WORK,
    targets: [{ id: 'P9b', rival: 'plain ring, copying', least: 1.5 }],
    cases: [
      {
        name: 'ByteRing, ioSlices',
        run: () => {
          for (let index = 0; index < WORK; index++) {
            producer.ioSlices(fill)
            consumer.ioSlices(drain)
          }
        },
      },
      {
        name: 'plain ring, copying',
        run: () => {
          for (let index = 0; index < WORK; index++) {
            source[0] = index
            source[length - 1] = index
            plain.write(source)
            plain.read(target)
            if (target[0] !== (index & 0xff) || target[length - 1] !== target[0]) throw new Error('wrong bytes')
          }
        },
      },
    ],
  })
  producer.release()
  consumer.release()
}

function check(ring: Ring, source: Uint8Array): void {
  const target = new Uint8Array(source.length)
  for (let round = 0; round < 200; round++) {
    assert.equal(ring.write(source), source.length)
    target.fill(0)
    assert.equal(ring.read(target), source.length)
    assert.deepEqual(target, source)
  }
}
