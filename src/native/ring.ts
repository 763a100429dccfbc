import type { WaitOptions } from '../support/wait.js'
import { blocking, callOn, check, control } from './call.js'
import { guarded } from './guarded.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { nativeWait } from './wait.js'
import { Word } from './words.js'

const { ringAdvance, ringWait, ringWaitSync, ringView, ringEnd, ringRelease } = bound

/** Makes a ring of `size` bytes at an address that is a multiple of `align`. */
export function createRing(size: number, align: number): { producer: Handle; consumer: Handle } {
  return guarded(() => native.ringCreate(size, align))
}

/** Moves a half on by `count` bytes that were written or read. Returns the bytes that are available then. */
export function advanceRing(half: Handle, count: number): number {
  control[Word.Handle] = half.index
  control[Word.Generation] = half.generation
  control[Word.Length] = count
  ringAdvance()
  check()
  return control[Word.Available]!
}

/** State of a half, as native code knows it. */
export interface RingState {
  /** Bytes that can be written or read. */
  available: number
  /** Whether the other half has ended. */
  otherEnded: boolean
}

/** Asks for the state of a half, and writes it into `into`. */
export function askRing(half: Handle, into: RingState): void {
  into.available = advanceRing(half, 0)
  into.otherEnded = control[Word.Ended] === 1
}

/**
 * Waits until `bytes` are available, or no more will come. Resolves with what `claim` makes of the bytes that are available; it
 * is called when the wait ends, before anything else can happen to the half.
 */
export function waitForRing<T>(
  half: Handle,
  bytes: number,
  options: WaitOptions,
  claim: (available: number) => T,
): Promise<T> {
  return nativeWait(
    () => options,
    (settled) => {
      control[Word.Length] = bytes
      callOn(half, () => ringWait(settled))
      return control[Word.Wait]!
    },
    () => claim(control[Word.Available]!),
  )
}

/** Blocks this thread until `bytes` are available, or no more will come. Returns the bytes that are available then. */
export function waitForRingSync(half: Handle, bytes: number, timeoutMs: number): number {
  blocking(timeoutMs, () => {
    control[Word.Length] = bytes
    callOn(half, ringWaitSync)
  })
  return control[Word.Available]!
}

/** Returns an ArrayBuffer over the whole ring. */
export function ringHalfView(half: Handle): ArrayBuffer {
  return callOn(half, ringView)
}

/** Ends a half. It can do nothing more, and the other half learns that it has ended. */
export function endRingHalf(half: Handle): void {
  callOn(half, ringEnd)
}

/** Releases a half. `abandoned`: views of it may still be in use, and keep the memory. */
export function releaseRingHalf(half: Handle, abandoned = false): void {
  control[Word.Abandoned] = abandoned ? 1 : 0
  callOn(half, ringRelease)
}

/** Releases a half that was collected. */
export function abandonRingHalf(half: Handle): void {
  releaseRingHalf(half, true)
}
