import { bytesArgument } from './arguments.js'
import { FramePoolError, invalidArgType } from './errors.js'
import type { ShownMemory } from './shown-memory.js'

/** The native ring that a consumer reads from. */
export interface RingSource {
  /** In bytes: a power of two. */
  readonly size: number
  /** Bytes to read. */
  readonly available: number
  /** Bytes ever read. */
  readonly position: number
  readonly ended: boolean
  readonly memory: ShownMemory
  /** True while someone reads from views of the ring: it must neither move on nor be freed. */
  lent: boolean
  /** Throws if the ring cannot be read any more. */
  checkUsable(): void
  /** The views are used no more: the ring is not lent any longer, and `length` bytes of it were taken. */
  giveBack(length: number): void
}

/** Only framepool makes ring halves. */
export const ringKey = Symbol('framepool.ring')

/** What the ring holds, as views: two where it wraps, otherwise the second is empty. */
export function filledViews({ memory, size, available, position }: RingSource): [Uint8Array, Uint8Array] {
  if (available === 0) return [new Uint8Array(0), new Uint8Array(0)]
  const offset = position % size
  const first = Math.min(available, size - offset)
  return [memory.view(offset, first), memory.view(0, available - first)]
}

/** The reading half of a byte ring. (bytering `Consumer`) */
export class Consumer {
  readonly #source: RingSource

  /** @internal */
  constructor(key: symbol, source: RingSource) {
    if (key !== ringKey) throw invalidArgType('a Consumer comes with what it reads from')
    this.#source = source
  }

  /** In bytes. */
  get size(): number {
    return this.#source.size
  }

  /** Bytes ever read. */
  get position(): bigint {
    return BigInt(this.#source.position)
  }

  /** Bytes to read. */
  get available(): number {
    return this.#source.available
  }

  get isEmpty(): boolean {
    return this.#source.available === 0
  }

  /** True when nothing will be written any more. */
  get ended(): boolean {
    return this.#source.ended
  }

  /**
   * Offers what can be read as two views (the second may be empty) and their total length; `drain` returns how many
   * bytes it took. More than offered, or no whole number: `ERR_INVALID_COUNT`, and nothing is taken. What `drain`
   * throws is passed on. The views are valid until `drain` returns; calling again from within is `ERR_BUSY`.
   */
  ioSlices(drain: (bufs: [Uint8Array, Uint8Array], length: number) => number): number {
    const source = this.#source
    if (typeof drain !== 'function') throw invalidArgType('drain must be a function')
    source.checkUsable()
    if (source.lent) throw new FramePoolError('ERR_BUSY', 'the ring is being read from')
    const length = source.available
    const views = filledViews(source)
    source.lent = true
    let taken = 0
    try {
      const count = drain(views, length)
      if (!Number.isInteger(count) || count < 0 || count > length) {
        throw new FramePoolError('ERR_INVALID_COUNT', `drain returned ${count} where ${length} bytes were offered`)
      }
      taken = count
    } finally {
      source.giveBack(taken)
    }
    return taken
  }

  /** Copies out as much as fits; returns the bytes read. */
  read(target: Uint8Array): number {
    const bytes = bytesArgument(target, 'target')
    return this.ioSlices(([first, second]) => {
      const fromFirst = Math.min(first.length, bytes.length)
      const fromSecond = Math.min(second.length, bytes.length - fromFirst)
      bytes.set(first.subarray(0, fromFirst))
      bytes.set(second.subarray(0, fromSecond), fromFirst)
      return fromFirst + fromSecond
    })
  }
}
