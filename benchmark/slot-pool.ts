/**
 * P1 and P2: a message through the slot pool (getWritable, touch, getDataOwned, release), beside Buffer.allocUnsafe,
 * and beside native calls of the core (`cargo bench --bench slot_pool`, which also runs here).
 */
import { strict as assert } from 'node:assert'
import { execFileSync } from 'node:child_process'
import { SlotPool } from '../index.js'
import { compare } from './compare.js'

const SIZES = [64, 512, 2048, 4096, 16384, 65536]
const WORK = 1000

const native = JSON.parse(
  execFileSync('cargo', ['bench', '--quiet', '--package', 'framepool', '--bench', 'slot_pool'], { encoding: 'utf8' })
    .trimEnd()
    .split('\n')
    .at(-1) as string,
) as { sizes: { bytes: number; SlotPool: number }[] }

for (const size of SIZES) {
  const pool = new SlotPool(8 * size)
  const shared = new SlotPool(8 * size)
  shared.getWritable(1)
  shared.getDataOwned()
  const slice = check(pool, size)
  assert.equal(slice.release(), true)
  const [ours] = await compare({
    title: `slot pool, ${size} B`,
    work: WORK,
    cases: [
      {
        name: 'SlotPool',
        run: () => cycles(pool, size),
      },
      {
        // Every message then crosses, and every seventh finds no slot left and looks for free ones.
        name: 'SlotPool, another slice alive',
        run: () => cycles(shared, size),
      },
      {
        name: 'Buffer.allocUnsafe',
        run: () => {
          for (let index = 0; index < WORK; index++) {
            const bytes = Buffer.allocUnsafe(size)
            bytes[0] = index
            bytes[size - 1] = index
          }
        },
      },
    ],
  })
  const core = native.sizes.find(({ bytes }) => bytes === size)?.SlotPool as number
  console.log(`  above the core called natively     ${((ours?.nanos as number) - core).toFixed(1).padStart(10)} ns`)
  pool.close()
  shared.close()
}

function cycles(pool: SlotPool, size: number): void {
  for (let index = 0; index < WORK; index++) {
    const bytes = pool.getWritable(size)
    bytes[0] = index
    bytes[size - 1] = index
    pool.getDataOwned().release()
  }
}

function check(pool: SlotPool, size: number) {
  const pattern = Uint8Array.from({ length: size }, (_, index) => index * 7)
  pool.getWritable(size).set(pattern)
  const slice = pool.getDataOwned()
  assert.equal(slice.slot, 1)
  assert.deepEqual(slice.copy(), pattern)
  return slice
}
