/**
 * P8: `tryAllocate(16)` and `release()` of a budget pool with buffers of 1 KiB, beside Buffer.allocUnsafeSlow of equal
 * size, with and without touching the bytes.
 */
import { strict as assert } from 'node:assert'
import { BudgetPool } from '../index.js'
import { compare } from './compare.js'

const WORK = 1000
const COUNT = 16
const SIZE = COUNT * 1024

const pool = new BudgetPool({ bufferSize: 1024, maxMemory: 1 << 20 })
check()

await compare({
  title: 'budget pool, 16 × 1 KiB, touched',
  work: WORK,
  targets: [{ id: 'P8', rival: 'Buffer.allocUnsafeSlow', least: 1 }],
  cases: [
    {
      name: 'BudgetPool',
      run: () => {
        for (let index = 0; index < WORK; index++) {
          const allocation = pool.tryAllocate(COUNT)!
          const { bytes } = allocation
          bytes[0] = index
          bytes[SIZE - 1] = index
          allocation.release()
        }
      },
    },
    {
      name: 'Buffer.allocUnsafeSlow',
      run: () => {
        for (let index = 0; index < WORK; index++) {
          const bytes = Buffer.allocUnsafeSlow(SIZE)
          bytes[0] = index
          bytes[SIZE - 1] = index
        }
      },
    },
  ],
})

await compare({
  title: 'budget pool, 16 × 1 KiB, not touched',
  work: WORK,
  targets: [{ id: 'P8', rival: 'Buffer.allocUnsafeSlow', least: 1.5 }],
  cases: [
    {
      name: 'BudgetPool',
      run: () => {
        for (let index = 0; index < WORK; index++) pool.tryAllocate(COUNT)!.release()
      },
    },
    {
      name: 'Buffer.allocUnsafeSlow',
      run: () => {
        for (let index = 0; index < WORK; index++) Buffer.allocUnsafeSlow(SIZE)
      },
    },
  ],
})

assert.deepEqual(pool.stats(), { allocatedBytes: 0, liveAllocations: 0, waiting: 0, peakBytes: SIZE })
await pool.close()

function check(): void {
  const pattern = Uint8Array.from({ length: SIZE }, (_, index) => index * 7)
  const allocation = pool.tryAllocate(COUNT)!
  allocation.bytes.set(pattern)
  assert.deepEqual(Buffer.concat([...allocation]), Buffer.from(pattern))
  assert.equal(allocation.release(), true)
}
