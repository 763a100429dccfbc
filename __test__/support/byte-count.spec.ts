import { describe, expect, it } from 'vitest'
import { ByteCount } from '../../src/support/byte-count.js'
import { Random } from './random.js'

const of = (value: bigint): ByteCount => new ByteCount(Number(value & 0xffffffffn), Number(value >> 32n))

describe('ByteCount', () => {
  it('takes the two halves of any 64-bit number', () => {
    expect(new ByteCount().value).toBe(0n)
    for (const value of [
      1n,
      2n ** 30n,
      2n ** 31n,
      2n ** 32n - 1n,
      2n ** 32n,
      2n ** 53n + 1n,
      2n ** 63n,
      2n ** 64n - 1n,
    ])
      expect(of(value).value).toBe(value)
  })

  it('is exact from any start, and wraps to 0 at 2^64', () => {
    const random = new Random()
    for (const start of [0n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 62n, 2n ** 64n].map((value) => value - 5_000n)) {
      const first = BigInt.asUintN(64, start)
      const count = of(first)
      let sum = first
      for (let step = 0; step < 2_000; step++) {
        const bytes = step % 100 === 0 ? 2 ** 30 - random.below(2) : random.below(20)
        count.add(bytes)
        sum = BigInt.asUintN(64, sum + BigInt(bytes))
        expect(count.value, `${first} ${random.origin}`).toBe(sum)
      }
    }
  })
})
