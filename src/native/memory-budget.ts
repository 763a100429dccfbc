import { callOn, control, replyHandle } from './call.js'
import { guarded } from './guarded.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { Word } from './words.js'

const { memoryTry, memoryReserve, memoryForget, reservationResize, reservationMerge, reservationRelease } = bound

/** Makes a budget of `bytes`. */
export function createMemoryBudget(bytes: number): Handle {
  return guarded(() => native.memoryBudgetCreate(bytes))
}

function writeBytes(bytes: number): void {
  control[Word.Low] = bytes % 2 ** 32
  control[Word.High] = Math.floor(bytes / 2 ** 32)
}

/** Reserves `bytes` now. Returns null if others wait, or if not enough is left. */
export function tryReserveMemory(budget: Handle, bytes: number): Handle | null {
  writeBytes(bytes)
  callOn(budget, memoryTry)
  return control[Word.Granted] === 0 ? null : replyHandle()
}

/** Holds the reservation that a request was granted. Null until then. */
export interface MemoryGrant {
  reservation: Handle | null
}

/**
 * Requests `bytes`. Returns 0 if they are granted at once, and otherwise the number of the wait at whose end `settled` is called. Either
 * way the reservation is in `grant` then.
 */
export function reserveMemory(budget: Handle, bytes: number, grant: MemoryGrant, settled: () => void): number {
  writeBytes(bytes)
  callOn(budget, () =>
    memoryReserve(() => {
      grant.reservation = replyHandle()
      settled()
    }),
  )
  const wait = control[Word.Wait]!
  if (wait === 0) grant.reservation = replyHandle()
  return wait
}

/** Gives up this isolate's share of a budget. */
export function forgetMemoryBudget(budget: Handle): void {
  callOn(budget, memoryForget)
}

/** Returns the figures of a budget. */
export function memoryBudgetReport(budget: Handle): import('./binding.cjs').MemoryBudgetReport {
  return guarded(() => native.memoryBudgetReport(budget))
}

/** Changes a reservation to `bytes`. Returns false, and changes nothing, if the budget does not allow more now. */
export function resizeReservation(reservation: Handle, bytes: number): boolean {
  control[Word.Length] = bytes
  callOn(reservation, reservationResize)
  return control[Word.Granted] === 1
}

/** Adds `other`, which ends, to `reservation`. Both must be of one budget. */
export function mergeReservation(reservation: Handle, other: Handle): void {
  control[Word.Purse] = other.index
  control[Word.PurseGeneration] = other.generation
  callOn(reservation, reservationMerge)
}

/** Returns a reservation to its budget. */
export function releaseReservation(reservation: Handle): void {
  callOn(reservation, reservationRelease)
}
