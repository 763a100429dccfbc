import { check, control, guarded, replyHandle, showing } from './call.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { Word } from './words.js'

const { ringTransfer, ringTransferLater, ringTransferEnd, outputWrite, outputWriteLater, pumpStart } = bound

/** Out: Length, Blocked, Available. */
export function transferNow(half: Handle, fd: number): void {
  control[Word.Descriptor] = fd
  showing(half, ringTransfer)
}

/** The wait that has begun, at whose end `settled` is called. Out, then: as from `transferNow`. */
export function transferLater(half: Handle, fd: number, settled: () => void): number {
  control[Word.Descriptor] = fd
  showing(half, () => ringTransferLater(settled))
  return control[Word.Wait]!
}

/** Asks for the end of what `transferLater` began: if nothing was moved by then, it ends with Blocked. */
export function endTransfer(half: Handle): void {
  showing(half, ringTransferEnd)
}

/** Out: Length, Blocked, the session's words. */
export function writeOutput(session: Handle, fd: number): void {
  control[Word.Descriptor] = fd
  showing(session, outputWrite)
}

/** The wait that has begun, at whose end `settled` is called; or 0. Out, then: as from `writeOutput`. */
export function writeOutputLater(session: Handle, fd: number, settled: () => void): number {
  control[Word.Descriptor] = fd
  showing(session, () => outputWriteLater(settled))
  return control[Word.Wait]!
}

/** Starts a pump, at whose end `settled` is called. */
export function startPump(from: number, to: number, size: number, settled: () => void): Handle {
  control[Word.Descriptor] = from
  control[Word.Sink] = to
  control[Word.Length] = size
  pumpStart(settled)
  check()
  return replyHandle()
}

/** Bytes that it has written so far. */
export function pumpMoved(pump: Handle): bigint {
  return guarded(() => native.pumpMoved(pump))
}

/** It reads no more; what was read is still written. */
export function stopPump(pump: Handle): void {
  guarded(() => native.pumpStop(pump))
}

/** Forgets a pump that is over; the bytes that it has written. */
export function endPump(pump: Handle): bigint {
  return guarded(() => native.pumpEnd(pump))
}
