/**
 * P7: a buffer of 16 KiB from the magazine of a buddy pool (acquire, touch, release), beside a free list of equal
 * Buffers in plain JavaScript.
 */
import { strict as assert } from 'node:assert'
import { BuddyPool } from '../index.js'
import { compare } from './compare.js'

const WORK = 1000
const SIZE = 16 * 1024
/** Buffers that are alive at once. All fit into the magazine. */
const DEPTH = 8

const pool = new BuddyPool()
const free = Array.from({ length: DEPTH }, () => Buffer.allocUnsafeSlow(SIZE))

const warm = Array.from({ length: DEPTH }, () => pool.allocateSync(SIZE))
for (const buffer of warm) buffer.release()
assert.equal(pool.stats().magazine.buffers, DEPTH)

await compare({
  title: 'buddy pool beside a free list, 16 KiB',
  work: WORK,
  targets: [{ id: 'P7', rival: 'free list', least: 1 / 3 }],
  cases: [
    {
      name: 'BuddyPool',
      run: () => {
        for (let index = 0; index < WORK; index++) {
          const buffer = pool.allocateSync(SIZE)
          touch(buffer.bytes, index)
          buffer.release()
        }
      },
    },
    {
      name: 'free list',
      run: () => {
        for (let index = 0; index < WORK; index++) {
          const bytes = free.pop() as (typeof free)[number]
          touch(bytes, index)
          free.push(bytes)
        }
      },
    },
  ],
})
await pool.close()

function touch(bytes: Uint8Array, value: number): void {
  bytes[0] = value
  bytes[SIZE - 1] = value
}
