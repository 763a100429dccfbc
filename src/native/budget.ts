import { blocking, callOn, check, control, replyHandle } from './call.js'
import { guarded } from './guarded.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { Word } from './words.js'

const { budgetTry, budgetAllocate, budgetAllocateSync, budgetClose, budgetView, budgetRelease } = bound

type BudgetPoolReport = import('./binding.cjs').BudgetPoolReport

/** Makes a pool of buffers of `bufferSize` bytes, which together never exceed `maxMemory` bytes. */
export function createBudgetPool(bufferSize: number, maxMemory: number): Handle {
  return guarded(() => native.budgetPoolCreate(bufferSize, maxMemory))
}

function writeRequest(pool: Handle, count: number, zero: boolean): void {
  control[Word.Handle] = pool.index
  control[Word.Generation] = pool.generation
  control[Word.Length] = count
  control[Word.Zero] = zero ? 1 : 0
}

/** Allocates `count` buffers. Returns null if the budget has no room for them now, or others wait. */
export function tryAllocateBudget(pool: Handle, count: number, zero: boolean): Handle | null {
  writeRequest(pool, count, zero)
  budgetTry()
  check()
  return control[Word.Length] === 0 ? null : replyHandle()
}

/** Holds the allocation that a request was granted. Null until then. */
export interface BudgetGrant {
  allocation: Handle | null
}

/**
 * Requests `count` buffers. Returns 0 if they are granted at once, and otherwise the number of the wait at whose end `settled` is
 * called. Either way the allocation is in `grant` then.
 */
export function allocateBudget(
  pool: Handle,
  count: number,
  zero: boolean,
  grant: BudgetGrant,
  settled: () => void,
): number {
  writeRequest(pool, count, zero)
  budgetAllocate(() => {
    grant.allocation = replyHandle()
    settled()
  })
  check()
  const wait = control[Word.Wait]!
  if (wait === 0) grant.allocation = replyHandle()
  return wait
}

/** Allocates `count` buffers, and blocks this thread until they are granted. Throws `ERR_TIMEOUT` after `timeoutMs`. */
export function allocateBudgetSync(pool: Handle, count: number, zero: boolean, timeoutMs: number): Handle {
  blocking(timeoutMs, () => {
    writeRequest(pool, count, zero)
    budgetAllocateSync()
  })
  return replyHandle()
}

/** Closes a pool. Returns 0 if nothing is allocated, and otherwise the number of the wait at whose end `settled` is called. */
export function closeBudgetPool(pool: Handle, settled: () => void): number {
  callOn(pool, () => budgetClose(settled))
  return control[Word.Wait]!
}

/** Returns the figures of a pool. */
export function budgetPoolReport(pool: Handle): BudgetPoolReport {
  return guarded(() => native.budgetPoolReport(pool))
}

/** Forgets a pool, and returns its last figures. */
export function endBudgetPool(pool: Handle): BudgetPoolReport {
  return guarded(() => native.budgetPoolEnd(pool))
}

/** Returns an ArrayBuffer over the memory of an allocation. */
export function budgetAllocationView(allocation: Handle): ArrayBuffer {
  return callOn(allocation, budgetView)
}

/** Releases an allocation. `abandoned`: views of it may still be in use, and keep its memory. */
export function releaseBudgetAllocation(allocation: Handle, abandoned = false): void {
  control[Word.Abandoned] = abandoned ? 1 : 0
  callOn(allocation, budgetRelease)
}

/** Releases an allocation that was collected. */
export function abandonBudgetAllocation(allocation: Handle): void {
  releaseBudgetAllocation(allocation, true)
}
