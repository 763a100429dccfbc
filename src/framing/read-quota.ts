import { LONGEST_READ } from '../ring/sockets/landing.js'

/** The least that is reserved for a read with a budget, in bytes. */
const LEAST = 1024

/** Number of bytes that the next read of a connection may bring, while they have to be reserved first: more for one that is busy. */
export class ReadQuota {
  #bytes: number

  /** With `limited`, bytes have to be reserved before they are read. */
  constructor(limited: boolean) {
    this.#bytes = limited ? LEAST : LONGEST_READ
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Goes by a read that has brought `count` bytes. */
  learn(count: number): void {
    if (count >= this.#bytes) this.#bytes = Math.min(LONGEST_READ, this.#bytes * 4)
    else if (count < this.#bytes >> 2) this.#bytes = Math.max(LEAST, this.#bytes >> 1)
  }

  /** Goes back to the least: the budget has no more. */
  reset(): void {
    this.#bytes = LEAST
  }
}
