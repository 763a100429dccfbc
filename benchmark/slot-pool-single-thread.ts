/**
 * P3: the single-thread loop of buffer_sv2's own benchmark. It fills, takes and releases two messages of 4 to 16 KiB
 * 1,000 times.
 */
import { strict as assert } from 'node:assert'
import { type Buffer as PoolBuffer, SlotPool, SystemMemoryBuffer } from '../index.js'
import { compare } from './compare.js'

const ROUNDS = 1000
const source = Buffer.alloc(16 * 1024, 'framepool')
/** Sizes of the messages, equal for every case. */
const sizes = Array.from(
  { length: 2 * ROUNDS },
  (_, index) => 4096 + (((index * 2_654_435_761) >>> 0) % (12 * 1024 + 1)),
)

function fillTakeRelease(buffer: PoolBuffer): void {
  for (let round = 0; round < ROUNDS; round++) {
    const first = take(buffer, sizes[2 * round] as number)
    const second = take(buffer, sizes[2 * round + 1] as number)
    first.release()
    second.release()
  }
}

function take(buffer: PoolBuffer, size: number) {
  buffer.getWritable(size).set(source.subarray(0, size))
  return buffer.getDataOwned()
}

const pool = new SlotPool(64 * 1024)
const system = new SystemMemoryBuffer()
for (const buffer of [pool, system]) {
  const slice = take(buffer, 5000)
  assert.deepEqual(Buffer.from(slice.bytes), source.subarray(0, 5000))
  slice.release()
}

await compare({
  title: 'two messages of 4–16 KiB, filled, taken, released',
  work: 2 * ROUNDS,
  targets: [
    { id: 'P3', rival: 'SystemMemoryBuffer', least: 3 },
    { id: 'P3', rival: 'Buffer.allocUnsafe', least: 1.5 },
  ],
  cases: [
    { name: 'SlotPool', run: () => fillTakeRelease(pool) },
    { name: 'SystemMemoryBuffer', run: () => fillTakeRelease(system) },
    {
      name: 'Buffer.allocUnsafe',
      run: () => {
        for (const size of sizes) Buffer.allocUnsafe(size).set(source.subarray(0, size))
      },
    },
  ],
})
pool.close()
