import { randomBytes } from 'node:crypto'

const MASK = 0xffff_ffff_ffff_ffffn

/** Repeatable random numbers (splitmix64). */
export class Random {
  /** Tells how to repeat a failing run. */
  readonly origin: string
  #state: bigint

  /** `FRAMEPOOL_SEED`, a u64 in decimal, repeats a run. */
  constructor(seed = BigInt(process.env.FRAMEPOOL_SEED ?? randomBytes(8).readBigUInt64LE())) {
    this.#state = seed
    this.origin = `FRAMEPOOL_SEED=${seed}`
    console.log(this.origin)
  }

  /** Returns a whole number from 0 to `limit` − 1. `limit` is at most 2^32. */
  below(limit: number): number {
    return Number(this.#next() >> 32n) % limit
  }

  bytes(length: number): Buffer {
    const words = new BigUint64Array(Math.ceil(length / 8))
    for (let index = 0; index < words.length; index++) words[index] = this.#next()
    return Buffer.from(words.buffer, 0, length)
  }

  #next(): bigint {
    this.#state = (this.#state + 0x9e37_79b9_7f4a_7c15n) & MASK
    let mixed = this.#state
    mixed = ((mixed ^ (mixed >> 30n)) * 0xbf58_476d_1ce4_e5b9n) & MASK
    mixed = ((mixed ^ (mixed >> 27n)) * 0x94d0_49bb_1331_11ebn) & MASK
    return mixed ^ (mixed >> 31n)
  }
}
