/**
 * P6: a buffer of the buddy pool (acquire, touch, release), beside Buffer.allocUnsafeSlow. A pending wait bypasses the
 * magazine, so acquire and release cross, and the crate serves waits first.
 */
import { strict as assert } from 'node:assert'
import { BuddyPool } from '../index.js'
import { compare } from './compare.js'

const WORK = 100

for (const { size, least } of [
  { size: 16 * 1024, least: 10 },
  { size: 1024 * 1024, least: 100 },
]) {
  const pool = new BuddyPool()
  const buffer = pool.allocateSync(size)
  assert.equal(buffer.bytes.length, size)
  assert.equal(buffer.release(), true)
  // A pending wait keeps the magazine empty, so every call crosses.
  const crossing = new BuddyPool({ maxMemory: 2 ** 26, starvationTimeoutMs: 2 ** 31 - 1 })
  const held = crossing.allocateSync(2 ** 24)
  const waiting = crossing.allocate(2 ** 26)
  await compare({
    title: `buddy pool, ${size / 1024} KiB`,
    work: WORK,
    targets: [{ id: 'P6', rival: 'Buffer.allocUnsafeSlow', least }],
    cases: [
      {
        name: 'BuddyPool',
        run: () => {
          for (let index = 0; index < WORK; index++) {
            const buffer = pool.allocateSync(size)
            touch(buffer.bytes, index)
            buffer.release()
          }
        },
      },
      {
        name: 'BuddyPool, while someone waits',
        run: () => {
          for (let index = 0; index < WORK; index++) {
            const buffer = crossing.allocateSync(size)
            touch(buffer.bytes, index)
            buffer.release()
          }
        },
      },
      {
        name: 'Buffer.allocUnsafeSlow',
        run: () => {
          for (let index = 0; index < WORK; index++) touch(Buffer.allocUnsafeSlow(size), index)
        },
      },
    ],
  })
  held.release()
  const last = await waiting
  last.release()
  await Promise.all([pool.close(), crossing.close()])
}

function touch(bytes: Uint8Array, value: number): void {
  bytes[0] = value
  bytes[bytes.length - 1] = value
}
