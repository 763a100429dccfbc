const LOW_BITS = 30
const LOW = 2 ** LOW_BITS - 1

/**
 * A number of bytes that only grows, modulo 2^64 as native code counts: exact where a double would begin to lose bytes. Its
 * parts are small integers, so that counting costs no more than with a double.
 */
export class ByteCount {
  /** The lowest 30 bits. */
  #low: number
  /** The others, and what is beyond 64 bits. */
  #high: number

  /** `low` and `high` are halves of 32 bits each. */
  constructor(low = 0, high = 0) {
    this.#low = low & LOW
    this.#high = high * 4 + (low >>> LOW_BITS)
  }

  /** At most 2^30 bytes: the most that a ring can have. */
  add(bytes: number): void {
    const low = this.#low + bytes
    this.#low = low & LOW
    this.#high += low >>> LOW_BITS
  }

  get value(): bigint {
    return BigInt.asUintN(64, (BigInt(this.#high) << BigInt(LOW_BITS)) + BigInt(this.#low))
  }
}
