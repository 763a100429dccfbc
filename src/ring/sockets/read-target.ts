import { lengthOf, partOf } from '../../support/arguments.js'
import type { HalfCore } from '../half.js'

/** The most that one read of TLS brings, in bytes. */
const OVERFLOW = 16 * 1024

/**
 * The memory that a socket reads into: the room of a ring, as `net` wants it with `onread`.
 *
 * After every callback Node asks for the next view, even when it was told to pause, and the first read after the pause goes into that
 * view. An empty view would fail the read. So a view never takes all the room. Some is spared: reading pauses when no more than that is
 * left, and the socket gets the spare for the read after the pause.
 *
 * Not all sources pause: TLS delivers all bytes that it has decrypted. Bytes that come when there is no room go into separate memory. They
 * wait here, in order, until they are moved into the ring.
 */
export class ReadTarget {
  readonly #half: HalfCore
  readonly #spare: number
  /** Length of the view that `next()` returned last, in bytes. */
  #room = 0
  /** The memory outside of the ring that the next bytes go into, or null if they go into the ring. */
  #overflow: Uint8Array | null = null
  #waiting: Uint8Array[] = []

  /** Takes a `half` of two bytes or more. */
  constructor(half: HalfCore) {
    this.#half = half
    // Enough to make the first read after a pause worth its cost, and little compared to the ring.
    this.#spare = Math.min(half.size >> 2, 16 * 1024) || 1
  }

  /** Returns the memory for the next bytes. It is never empty. */
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

  /** The most bytes that can have come into the view that `next()` returned last, and were not counted by `filled()`. */
  get room(): number {
    return this.#room
  }

  /** Counts `count` bytes that have come. Returns false if reading must pause until there is room again. */
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

  /** Queues a chunk that came into other memory. */
  put(chunk: Uint8Array): void {
    this.#waiting.push(chunk)
  }

  /** Whether bytes have come that are not in the ring yet. */
  get holding(): boolean {
    return this.#waiting.length > 0
  }

  /** Moves bytes that wait into the ring, as far as there is room. */
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

  /** Drops the bytes that wait, because no reader is left. */
  drop(): void {
    this.#waiting = []
  }

  /** Whether there is more room than the spare, and nothing waits for it. */
  get hasRoom(): boolean {
    return !this.holding && this.#half.atLeast(this.#spare + 1) > this.#spare
  }

  /** The room at which reading goes on, in bytes: half the ring, so that pauses stay rare. */
  get resumeAt(): number {
    return Math.max(this.#half.size >> 1, this.#spare + 1)
  }
}
