import { createRing } from '../native/ring.js'
import { integerArgument } from '../support/arguments.js'
import { FramePoolError, outOfRange } from '../support/errors.js'
import { uncloneable } from '../support/inspectable.js'
import { type Consumer, makeConsumer } from './consumer.js'
import { HalfCore } from './half.js'
import { makeProducer, type Producer } from './producer.js'

/** Size of the largest ring, in bytes. */
export const MAX_RING_SIZE = 2 ** 30
/** The alignment that allocators give anyway. With more, all memory is cleared at once, and not page by page by the system. */
const DEFAULT_ALIGN = 16

let isApart: (ring: ByteRing) => boolean

const UNCLONEABLE = Symbol('a ByteRing stays in its thread: move() its halves')

/**
 * A lock-free ring of bytes for one producer and one consumer, in memory that is allocated once. Its two halves may live in
 * different threads. It stands on the crate bytering.
 */
export class ByteRing {
  /** Size of the ring, in bytes. */
  readonly size: number
  #halves: { producer: HalfCore; consumer: HalfCore } | null

  /**
   * Makes a ring and allocates its memory. Throws `ERR_NO_MEMORY` when the system has none. (`bytering::new`)
   *
   * @param size Size of the ring, in bytes: a power of two, at most 1 GiB; otherwise `ERR_OUT_OF_RANGE`.
   * @param align Alignment of the memory, in bytes: a power of two, at most 1 GiB, by default 16; otherwise `ERR_OUT_OF_RANGE`.
   */
  constructor(size: number, align?: number) {
    this.#halves = newRing(size, align)
    this.size = size
    uncloneable(this, UNCLONEABLE)
  }

  static {
    isApart = (ring) => ring.#halves === null
  }

  /** Takes the ring apart and returns its two halves. Throws `ERR_RELEASED` the second time. */
  intoParts(): {
    /** The half that writes. */
    producer: Producer
    /** The half that reads. */
    consumer: Consumer
  } {
    if (this.#halves === null) throw new FramePoolError('ERR_RELEASED', 'the ring was taken apart')
    const { producer, consumer } = this.#halves
    this.#halves = null
    return { producer: makeProducer(producer), consumer: makeConsumer(consumer) }
  }
}

/** Returns whether `ring` was taken apart. */
export function isRingApart(ring: ByteRing): boolean {
  return isApart(ring)
}

/** Makes a ring and returns its halves. Throws as `new ByteRing()` does. */
export function newRing(size: number, align = DEFAULT_ALIGN): { producer: HalfCore; consumer: HalfCore } {
  const { producer, consumer } = createRing(powerOfTwo(size, 'size'), powerOfTwo(align, 'align'))
  return HalfCore.pair(producer, consumer, size)
}

/** Returns `value` as the size or alignment of a ring, or throws the documented error. */
export function powerOfTwo(value: number, name: string): number {
  integerArgument(value, name, 1, MAX_RING_SIZE)
  if ((value & (value - 1)) !== 0) throw outOfRange(`${name} must be a power of two, not ${value}`)
  return value
}
