import { blocking, check, control, guarded, showing } from './call.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { Word } from './words.js'

const { budgetTry, budgetAllocate, budgetAllocateSync, budgetClose, budgetView, budgetRelease } = bound

type BudgetPoolReport = import('./binding.cjs').BudgetPoolReport

export function createBudgetPool(bufferSize: number, maxMemory: number): Handle {
  return guarded(() => native.budgetPoolCreate(bufferSize, maxMemory))
}

function writeRequest(pool: Handle, count: number, zero: boolean): void {
  control[Word.Handle] = pool.index
  control[Word.Generation] = pool.generation
  control[Word.Length] = count
  control[Word.Zero] = zero ? 1 : 0
}

/** False when the budget does not allow it now. Out: the allocation. */
export function tryAllocateBudget(pool: Handle, count: number, zero: boolean): boolean {
  writeRequest(pool, count, zero)
  budgetTry()
  check()
  return control[Word.Length] !== 0
}

/** The wait that has begun, at whose end `settled` is called; or 0. Out, then: the allocation. */
export function allocateBudget(pool: Handle, count: number, zero: boolean, settled: () => void): number {
  writeRequest(pool, count, zero)
  budgetAllocate(settled)
  check()
  return control[Word.Wait]!
}

/** Blocks this thread. Out: the allocation. */
export function allocateBudgetSync(pool: Handle, count: number, zero: boolean, timeoutMs: number): void {
  blocking(timeoutMs, () => {
    writeRequest(pool, count, zero)
    budgetAllocateSync()
  })
}

/** The wait that has begun, at whose end, when nothing is allocated any more, `settled` is called. */
export function closeBudgetPool(pool: Handle, settled: () => void): number {
  showing(pool, () => budgetClose(settled))
  return control[Word.Wait]!
}

export function budgetPoolReport(pool: Handle): BudgetPoolReport {
  return guarded(() => native.budgetPoolReport(pool))
}

/** Forgets a pool that is closed and empty; its last report. */
export function endBudgetPool(pool: Handle): BudgetPoolReport {
  return guarded(() => native.budgetPoolEnd(pool))
}

export function budgetAllocationView(allocation: Handle): ArrayBuffer {
  return showing(allocation, budgetView)
}

export function releaseBudgetAllocation(allocation: Handle, abandoned = false): void {
  control[Word.Abandoned] = abandoned ? 1 : 0
  showing(allocation, budgetRelease)
}
