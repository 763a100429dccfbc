import type { Handle } from './handle.js'
import { type Carrier, depart } from './transfer.js'
import { Kind } from './words.js'

// Each sends an object to another isolate by a carrier. If the carrier throws, the object has not left.

/** Sends a slice that has a handle away: one on the heap, or one in a slot of a pool of another isolate. */
export function departSlice(slice: Handle, carrier: Carrier): void {
  depart(Kind.Slice, slice, carrier)
}

/** Sends an allocation of a budget pool away. */
export function departBudgetAllocation(allocation: Handle, carrier: Carrier): void {
  depart(Kind.Allocation, allocation, carrier)
}

/** Sends a budget pool to another isolate, too. */
export function departBudgetPool(pool: Handle, carrier: Carrier): void {
  depart(Kind.BudgetPool, pool, carrier)
}

/** Sends a buffer of a buddy pool away, with its logical length in bytes. */
export function departBuddyBuffer(buffer: Handle, length: number, carrier: Carrier): void {
  depart(Kind.BuddyBuffer, buffer, carrier, length)
}

/** Sends a buddy pool to another isolate, too. */
export function departBuddyPool(pool: Handle, carrier: Carrier): void {
  depart(Kind.BuddyPool, pool, carrier)
}
