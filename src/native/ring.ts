import { blocking, check, control, guarded, showing } from './call.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { Word } from './words.js'

const { ringAdvance, ringWait, ringWaitSync, ringView, ringEnd, ringRelease } = bound

export function createRing(size: number, align: number): { producer: Handle; consumer: Handle } {
  return guarded(() => native.ringCreate(size, align))
}

/** `count` bytes were written, or read; 0 only asks. Out: Available, Ended. */
export function advanceRing(half: Handle, count: number): void {
  control[Word.Handle] = half.index
  control[Word.Generation] = half.generation
  control[Word.Length] = count
  ringAdvance()
  check()
}

/** The wait that has begun, at whose end `settled` is called; or 0. Out, then: Available, Ended. */
export function waitForRing(half: Handle, bytes: number, settled: () => void): number {
  control[Word.Length] = bytes
  showing(half, () => ringWait(settled))
  return control[Word.Wait]!
}

/** Blocks this thread. Out: Available, Ended. */
export function waitForRingSync(half: Handle, bytes: number, timeoutMs: number): void {
  blocking(timeoutMs, () => {
    control[Word.Length] = bytes
    showing(half, ringWaitSync)
  })
}

export function ringHalfView(half: Handle): ArrayBuffer {
  return showing(half, ringView)
}

export function endRingHalf(half: Handle): void {
  showing(half, ringEnd)
}

export function releaseRingHalf(half: Handle, abandoned = false): void {
  control[Word.Abandoned] = abandoned ? 1 : 0
  showing(half, ringRelease)
}
