import { createRing } from '../native/ring.js'
import { integerArgument } from '../support/arguments.js'
import { FramePoolError, outOfRange } from '../support/errors.js'
import { Consumer } from './consumer.js'
import { HalfCore } from './half.js'
import { Producer } from './producer.js'
import { ringKey } from './source.js'

const MAX_SIZE = 2 ** 30
/** What allocators give anyway. For more, all of the memory is cleared at once, where otherwise the system does it page by page. */
const DEFAULT_ALIGN = 16

/**
 * bytering: a lock-free ring of bytes for one producer and one consumer, in memory that is allocated once. Its two halves
 * may live in different threads.
 */
export class ByteRing {
  /** Size of the ring, in bytes. */
  readonly size: number
  #halves: { producer: HalfCore; consumer: HalfCore } | null

  /**
   * Makes a ring and allocates its memory.
   *
   * @param size Bytes: a power of two, at most 1 GiB.
   * @param align What the memory's address is a multiple of: a power of two, at most 1 GiB, by default 16. Otherwise
   *   `ERR_OUT_OF_RANGE`; `ERR_NO_MEMORY` when the system has none. (`bytering::new`)
   */
  constructor(size: number, align?: number) {
    this.#halves = newRing(size, align)
    this.size = size
  }

  /** The two halves. Once: `ERR_RELEASED` after. */
  intoParts(): {
    /** The half that writes. */
    producer: Producer
    /** The half that reads. */
    consumer: Consumer
  } {
    if (this.#halves === null) throw new FramePoolError('ERR_RELEASED', 'the ring was taken apart')
    const { producer, consumer } = this.#halves
    this.#halves = null
    return { producer: new Producer(ringKey, producer), consumer: new Consumer(ringKey, consumer) }
  }
}

/** Both halves of a new ring; errors as those of `new ByteRing`. */
export function newRing(size: number, align = DEFAULT_ALIGN): { producer: HalfCore; consumer: HalfCore } {
  const { producer, consumer } = createRing(powerOfTwo(size, 'size'), powerOfTwo(align, 'align'))
  return HalfCore.pair(producer, consumer, size)
}

/** `value` as the size or alignment of a ring, or the documented error. */
export function powerOfTwo(value: number, name: string): number {
  integerArgument(value, name, 1, MAX_SIZE)
  if ((value & (value - 1)) !== 0) throw outOfRange(`${name} must be a power of two, not ${value}`)
  return value
}
