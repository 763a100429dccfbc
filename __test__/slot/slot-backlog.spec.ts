import { describe, expect, it } from 'vitest'
import { inspect, SlotPool } from '../../index.js'
import { backlogOf } from '../../src/slot/slot-memory.js'
import { memoryOf } from '../../src/slot/slot-pool.js'
import { MAX_BYTES } from '../../src/support/arguments.js'
import { DEBUG } from '../support/debug-mode.js'

const slotPools = (): number => inspect().filter(({ kind }) => kind === 'slot-pool').length

/** Makes a pool with a slice of 3 bytes, after as many uncounted slices as a word can count, less one. */
function nearTheLimit() {
  const pool = new SlotPool(64, { debug: false })
  pool.getWritable(3)
  const slice = pool.getDataOwned()
  backlogOf(memoryOf(pool)).cameAndWent = MAX_BYTES - 1
  return { pool, slice }
}

describe.skipIf(DEBUG)('slices that came and went without a crossing', () => {
  it('are reported before a word overflows', () => {
    const { pool, slice } = nearTheLimit()
    expect(slice.release()).toBe(true)
    expect(backlogOf(memoryOf(pool)).cameAndWent).toBe(0)
    pool.getWritable(5)
    const next = pool.getDataOwned()
    // Every slice but the first began again at slot 0. The digits 1 to 9 and a to z repeat.
    expect(pool.stats().resets).toBe(MAX_BYTES)
    expect(pool.toString()).toBe(`${'123456789abcdefghijklmnopqrstuvwxyz'[MAX_BYTES % 35]}-------  BACK MODE`)
    expect([next.slot, next.length]).toEqual([1, 5])
  })

  it('are reported when the pool is closed, which then ends', () => {
    const before = slotPools()
    const { pool, slice } = nearTheLimit()
    pool.close()
    expect(slice.release()).toBe(true)
    expect(slotPools()).toBe(before)
  })
})
