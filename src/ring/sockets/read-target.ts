import { lengthOf, partOf } from '../../support/arguments.js'
import type { HalfCore } from '../half.js'

/** As much as one read of TLS brings, in bytes. */
const OVERFLOW = 16 * 1024

/**
 * The memory that a socket reads into: the room of a ring, as `net` wants it with `onread`.
 *
 * After every callback Node asks for the next view, also when it was told to pause, and the next read after a pause goes
 * into that view. An empty one would fail the read. So a view never takes all the room: some is spared, reading pauses when
 * no more than that is left, and the spare is what the socket gets for the time after.
 *
 * Not all sources pause: TLS gives all that it has decrypted. What comes when there is no room goes into memory of its own
 * and waits here, in order, until it is moved into the ring.
 */
export class ReadTarget {
  readonly #half: HalfCore
  readonly #spare: number
  /** The length of what `next()` gave last, in bytes. */
  #room = 0
  /** Where the next bytes go, outside of the ring; null: into it. */
  #overflow: Uint8Array | null = null
  #waiting: Uint8Array[] = []

  /** `half` has two bytes or more. */
  constructor(half: HalfCore) {
    this.#half = half
    // Enough that the first read after a pause is worth its while, and little beside the ring.
    this.#spare = Math.min(half.size >> 2, 16 * 1024) || 1
  }

  /** Where the next bytes go; never empty. */
  next(): Uint8Array {
    const { available, offset, size } = this.#half
    if (available === 0 || this.holding) {
      this.#overflow = Buffer.allocUnsafeSlow(OVERFLOW)
      this.#room = OVERFLOW
      return this.#overflow
    }
    this.#overflow = null
    this.#room = Math.min(available > this.#spare ? available - this.#spare : available, size - offset)
    return this.#half.memory.view(offset, this.#room)
  }

  /** The most that can have come into what `next()` gave last, and was not told yet. */
  get room(): number {
    return this.#room
  }

  /** `count` bytes have come. False: reading must pause until there is room again. */
  filled(count: number): boolean {
    this.#room = 0
    if (this.#overflow === null) {
      this.#half.advance(count)
    } else {
      this.#waiting.push(partOf(this.#overflow, 0, count))
      this.#overflow = null
    }
    return this.hasRoom
  }

  /** `chunk` has come from elsewhere. */
  put(chunk: Uint8Array): void {
    this.#waiting.push(chunk)
  }

  /** Something came that is not in the ring yet. */
  get holding(): boolean {
    return this.#waiting.length > 0
  }

  /** Moves into the ring what there is room for. */
  settle(): void {
    let moved = 0
    for (const chunk of this.#waiting) {
      const length = lengthOf(chunk)
      const count = this.#half.fill(chunk)
      if (count < length) {
        this.#waiting[moved] = partOf(chunk, count, length - count)
        break
      }
      moved++
    }
    this.#waiting.splice(0, moved)
  }

  /** Nobody will read it. */
  drop(): void {
    this.#waiting = []
  }

  /** There is more room than what is spared, and nothing waits for it. */
  get hasRoom(): boolean {
    return !this.holding && this.#half.atLeast(this.#spare + 1) > this.#spare
  }

  /** So much room makes it worth while to read on: half the ring, so that pausing is not the rule. */
  get resumeAt(): number {
    return Math.max(this.#half.size >> 1, this.#spare + 1)
  }
}
