import { control, guarded, showing } from './call.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { Word } from './words.js'

const { buddyTry, buddyAllocate, buddyRelease, buddyBuffer, buddyView, buddyWatch, buddyClose } = bound

export type BuddyPoolSettings = import('./binding.cjs').BuddyPoolSettings
export type BuddyPoolReport = import('./binding.cjs').BuddyPoolReport

export function createBuddyPool(settings: BuddyPoolSettings): Handle {
  control[Word.Facade] = bound.facade
  return guarded(() => native.buddyPoolCreate(settings))
}

/** False at the limit. Out: the buffer. */
export function tryAllocateBuddy(pool: Handle, size: number): boolean {
  control[Word.Length] = size
  showing(pool, buddyTry)
  return control[Word.Length] !== 0
}

/** The wait that has begun, at whose end `settled` is called; or 0. Out, then: the buffer. */
export function allocateBuddy(pool: Handle, size: number, settled: () => void): number {
  control[Word.Length] = size
  showing(pool, () => buddyAllocate(settled))
  return control[Word.Wait]!
}

/** All of a buffer alone. */
export function buddyBufferView(buffer: Handle): ArrayBuffer {
  return showing(buffer, buddyBuffer)
}

export function releaseBuddyBuffer(buffer: Handle, abandoned = false): void {
  control[Word.Abandoned] = abandoned ? 1 : 0
  showing(buffer, buddyRelease)
}

export function buddyBlockView(pool: Handle, block: number): ArrayBuffer {
  control[Word.Block] = block
  return showing(pool, buddyView)
}

/**
 * Of a pool that others use as well: has `changed` called when there are more blocks than `known`, or when the pool is closed
 * and drained. Out: Wait, 0 if that is so already; then Block, how many there are, and Ended.
 */
export function watchBuddyPool(pool: Handle, known: number, changed: () => void): void {
  control[Word.Block] = known
  showing(pool, () => buddyWatch(changed))
}

/** The wait that has begun, at whose end, when nothing is in use any more, `settled` is called; or 0 if that is so. */
export function closeBuddyPool(pool: Handle, settled: () => void): number {
  showing(pool, () => buddyClose(settled))
  return control[Word.Wait]!
}

export function buddyPoolReport(pool: Handle): BuddyPoolReport {
  return guarded(() => native.buddyPoolReport(pool))
}

/** Forgets a pool that is closed and drained. */
export function endBuddyPool(pool: Handle): void {
  guarded(() => native.buddyPoolEnd(pool))
}
