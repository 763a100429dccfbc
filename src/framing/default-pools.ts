import type { SlotMemory } from '../slot/slot-memory.js'
import { memoryOf, SlotPool } from '../slot/slot-pool.js'

/** Bytes of each pool: room for 32 batches of 32 KiB, or for 4 of the longest reads. Untouched pages cost nothing. */
const CAPACITY = 1024 << 10
const SLOTS = 32
/** With all of them, 256 batches can be under way. */
const MOST_POOLS = 8

const pools: SlotMemory[] = []
/** The pool that was used last. */
let current = 0

/**
 * Returns the pool for a batch of about `bytes`, for readers that are given none. They share a few pools, because the readers of many
 * connections have more batches under way than a pool has slots.
 *
 * Batches go into one pool while it has room behind them, and then into the next. When its turn comes again, its batches are gone as a rule.
 */
export function defaultPool(bytes: number): SlotMemory {
  if (pools.length > 0 && pools[current]!.hasRoom(bytes)) return pools[current]!
  for (let tries = 0; tries < pools.length; tries++) {
    current = (current + 1) % pools.length
    const pool = pools[current]!
    // Other isolates may have given slices back.
    pool.settle()
    if (pool.hasRoom(bytes)) return pool
  }
  if (pools.length < MOST_POOLS) {
    current = pools.length
    pools.push(memoryOf(new SlotPool(CAPACITY, { slots: SLOTS })))
  } else {
    // Each gets a turn to look for freed slots before its batches.
    current = (current + 1) % MOST_POOLS
  }
  return pools[current]!
}
