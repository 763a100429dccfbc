import { DIGEST_BYTES, type FrameRecord } from './frame-log.js'
import type { Frames } from './ipc.js'

/** One direction of one connection: what went in at one end, and what came out at the other. */
class Direction {
  #sent = Buffer.alloc(0)
  #received = Buffer.alloc(0)
  differing = 0

  add(sent: Uint8Array, received: Uint8Array): void {
    this.#sent = Buffer.concat([this.#sent, sent])
    this.#received = Buffer.concat([this.#received, received])
    const both = Math.min(this.#sent.length, this.#received.length)
    for (let start = 0; start < both; start += DIGEST_BYTES) {
      const end = start + DIGEST_BYTES
      if (this.#sent.compare(this.#received, start, end, start, end) !== 0) this.differing++
    }
    // Copies, not views: what has been compared must not stay in memory.
    this.#sent = Buffer.from(this.#sent.subarray(both))
    this.#received = Buffer.from(this.#received.subarray(both))
  }

  get missing(): number {
    return this.#sent.length / DIGEST_BYTES
  }

  get surplus(): number {
    return this.#received.length / DIGEST_BYTES
  }
}

/**
 * Compares, in order, every frame that one end of a connection sent with what the other end received.
 * Holds only the digests that one end has reported and the other has not yet.
 */
export class Verifier {
  readonly #directions = new Map<string, Direction>()

  add(end: Frames['end'], records: FrameRecord[]): void {
    const none = Buffer.alloc(0)
    for (const { identity, sent, received } of records) {
      this.#direction(`from ${end} ${identity}`).add(sent, none)
      this.#direction(`from ${end === 'pool' ? 'miners' : 'pool'} ${identity}`).add(none, received)
    }
  }

  #direction(name: string): Direction {
    let direction = this.#directions.get(name)
    if (!direction) {
      direction = new Direction()
      this.#directions.set(name, direction)
    }
    return direction
  }

  /** Frames that arrived otherwise than they were sent. */
  get differing(): number {
    return this.#sum((direction) => direction.differing)
  }

  /** Frames that were sent, and whose arrival has not been reported. */
  get missing(): number {
    return this.#sum((direction) => direction.missing)
  }

  /** Frames that arrived, and whose sending has not been reported. */
  get surplus(): number {
    return this.#sum((direction) => direction.surplus)
  }

  /** Every frame reported by one end has been reported by the other. */
  get isSettled(): boolean {
    return this.missing + this.surplus === 0
  }

  #sum(count: (direction: Direction) => number): number {
    let total = 0
    for (const direction of this.#directions.values()) total += count(direction)
    return total
  }
}
