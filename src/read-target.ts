import type { HalfCore } from './half-core.js'

/**
 * The memory that a socket reads into: the room of a ring, as `net` wants it with `onread`.
 *
 * After every callback Node asks for the next view, also when it was told to pause, and the next read after a pause goes
 * into that view. An empty one would fail the read. So a view never takes all the room: some is spared, reading pauses when
 * no more than that is left, and the spare is what the socket gets for the time after.
 */
export class ReadTarget {
  readonly #half: HalfCore
  readonly #spare: number
  #view: Uint8Array | null = null

  /** `half` has two bytes or more. */
  constructor(half: HalfCore) {
    this.#half = half
    // Enough that the first read after a pause is worth its while, and little beside the ring.
    this.#spare = Math.min(half.size >> 2, 16 * 1024) || 1
  }

  /** Where the next bytes go; never empty. */
  next(): Uint8Array {
    const { available, offset, size } = this.#half
    const length = Math.min(available > this.#spare ? available - this.#spare : available, size - offset)
    this.#view = this.#half.memory.view(offset, length)
    return this.#view
  }

  /** What the socket has until it asks for the next view. */
  get current(): Uint8Array {
    return this.#view ?? this.next()
  }

  /** `count` bytes have come. False: reading must pause until there is room again. */
  filled(count: number): boolean {
    this.#half.advance(count)
    return this.hasRoom
  }

  /** There is more room than what is spared. */
  get hasRoom(): boolean {
    return this.#half.atLeast(this.#spare + 1) > this.#spare
  }

  /** So much room makes it worth while to read on: half the ring, so that pausing is not the rule. */
  get resumeAt(): number {
    return Math.max(this.#half.size >> 1, this.#spare + 1)
  }
}
