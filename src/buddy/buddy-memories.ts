import type { BuddyGrant } from '../native/buddy.js'
import type { Handle } from '../native/handle.js'
import { DEBUG } from '../support/debug-mode.js'
import { BuddyMemory, knownBuddyMemory } from './buddy-memory.js'
import { GuardedBuddyMemory } from './debug-buddy-memory.js'
import type { Lease } from './lease.js'
import type { LentBlocks } from './lent-blocks.js'

/**
 * Returns what this isolate will know of a native pool that it has not met. `onBlock` is called as it meets each block. `lent` are the
 * blocks, if a script lends them.
 */
export function newBuddyMemory(
  handle: Handle,
  onBlock: (index: number) => void,
  lent: LentBlocks | null = null,
): BuddyMemory {
  return DEBUG ? new GuardedBuddyMemory(handle, onBlock, lent) : new BuddyMemory(handle, onBlock, lent)
}

/** Returns what this isolate knows of a pool that has arrived. */
export function arrivedBuddyMemory(handle: Handle): BuddyMemory {
  const memory = knownBuddyMemory(handle) ?? newBuddyMemory(handle, () => {})
  memory.share()
  return memory
}

/** Returns what this isolate knows of the pool of a buffer that has arrived, and the buffer. */
export function arrivedBuddyLease(pool: Handle, grant: BuddyGrant): { memory: BuddyMemory; lease: Lease } {
  const known = knownBuddyMemory(pool)
  const memory = known ?? newBuddyMemory(pool, () => {})
  const lease = memory.lease(grant)
  if (known === undefined) memory.share()
  return { memory, lease }
}
