const LOW_BITS = 30
const LOW = 2 ** LOW_BITS - 1

/**
 * A number of bytes that only grows, modulo 2^64 as in native code. It is exact where a double would lose bytes. Its parts are
 * integers, so that counting costs no more than with a double.
 */
export class ByteCount {
  /** Lowest 30 bits. */
  #low: number
  /** All higher bits, also those beyond 64. */
  #high: number

  /** Begins at `high` × 2^32 + `low`. */
  constructor(low = 0, high = 0) {
    this.#low = low & LOW
    this.#high = high * 4 + (low >>> LOW_BITS)
  }

  /** Adds at most 2^30 bytes, which is the most that a ring can have. */
  add(bytes: number): void {
    const low = this.#low + bytes
    this.#low = low & LOW
    this.#high += low >>> LOW_BITS
  }

  /** The number of bytes, modulo 2^64. */
  get value(): bigint {
    return BigInt.asUintN(64, (BigInt(this.#high) << BigInt(LOW_BITS)) + BigInt(this.#low))
  }
}
