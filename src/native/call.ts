import { type Fault, failureOf } from './fault.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { Word } from './words.js'

/** The control block: the words through which bound functions take their arguments and give their results. */
export const control = new Uint32Array(bound.control)

/** Number of this copy of the facade. A constant, since `bound` has so many properties that reading one is a search. */
export const { facade } = bound

/** Returns the facts of the last call's failure, or null if it succeeded. For calls that report something even when they fail. */
export function lastFault(): Fault | null {
  return control[Word.Status] === 0 ? null : native.lastFault()
}

/** Returns the error of the last call, or null if it succeeded. For calls that report something even when they fail. */
export function lastFailure(): Error | null {
  const fault = lastFault()
  return fault === null ? null : failureOf(fault)
}

/** Returns the handle of the object that the last call gave. */
export function replyHandle(): Handle {
  return { index: control[Word.Handle]!, generation: control[Word.Generation]! }
}

/** Returns a number of at most 53 bits that the last call gave. */
export function replyWide(): number {
  return control[Word.High]! * 2 ** 32 + control[Word.Low]!
}

/** Returns a position of 64 bits that the last call gave. */
export function replyPosition(): bigint {
  return (BigInt(control[Word.High]!) << 32n) | BigInt(control[Word.Low]!)
}

/** Throws the error of the last call if it failed. */
export function check(): void {
  if (control[Word.Status] === 0) return
  throw lastFailure()
}

/** Runs a bound function on the object that `handle` names, and returns its result. Throws its error if it fails. */
export function callOn<T>(handle: Handle, call: () => T): T {
  control[Word.Handle] = handle.index
  control[Word.Generation] = handle.generation
  const value = call()
  check()
  return value
}

/**
 * Runs `wait` until native code says that the wait is over, and blocks this thread meanwhile. Each run blocks for a moment only:
 * an isolate that is to end notices that between two runs, and at no other time. The native wait keeps its place in the queue and
 * its deadline. Throws the error of the wait, for example `ERR_TIMEOUT`.
 */
export function blocking(timeoutMs: number, wait: () => void): void {
  let going = 0
  do {
    control[Word.Wait] = going
    control[Word.Timeout] = timeoutMs
    wait()
    check()
    going = 1
  } while (control[Word.Wait] !== 0)
}
