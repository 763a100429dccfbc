import { isSystemError, noted, noting } from '../support/system-error.js'
import type { WaitOptions } from '../support/wait.js'
import { callOn, control, lastFailure, replyHandle } from './call.js'
import { guarded } from './guarded.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { readSession, type SessionState } from './session.js'
import { nativeOperation, nativeWait } from './wait.js'
import { Word } from './words.js'

const { ringTransfer, ringTransferLater, ringTransferEnd, outputWrite, outputWriteLater, pumpStart } = bound

/** Result of a transfer between a ring and a file descriptor. */
export interface Transfer {
  /** Bytes that were moved. */
  readonly moved: number
  /** Whether nothing could be moved now. */
  readonly blocked: boolean
  /** Bytes that can be written to the ring or read from it then. */
  readonly available: number
}

function readTransfer(): Transfer {
  return {
    moved: control[Word.Length]!,
    blocked: control[Word.Blocked] === 1,
    available: control[Word.Available]!,
  }
}

/** Moves what can be moved now between a half's ring and `fd`. */
export function transferNow(half: Handle, fd: number): Transfer {
  control[Word.Descriptor] = fd
  noting({ fd }, () => callOn(half, ringTransfer))
  return readTransfer()
}

/**
 * Moves what can be moved between a half's ring and `fd` as soon as anything can be. Resolves with what `claim` makes of it,
 * which is called when the transfer ends. On an abort or a timeout a transfer that has moved nothing ends as blocked; `claim`
 * then returns null, and the promise rejects.
 */
export function transferLater<T>(
  half: Handle,
  fd: number,
  options: WaitOptions,
  claim: (transfer: Transfer) => T | null,
): Promise<T> {
  const done = nativeOperation(
    () => options,
    (settled) => {
      control[Word.Descriptor] = fd
      callOn(half, () => ringTransferLater(settled))
    },
    () => callOn(half, ringTransferEnd),
    () => claim(readTransfer()),
  )
  return done.catch((error) => {
    throw noted(error, { fd })
  })
}

/**
 * Writes what `fd` takes now of a session's output, and the session's state into `into`. Returns the bytes written, or null,
 * with `into` as it was, when `fd` takes nothing now.
 */
export function writeOutput(session: Handle, fd: number, into: SessionState): number | null {
  control[Word.Descriptor] = fd
  noting({ fd }, () => callOn(session, outputWrite))
  return control[Word.Blocked] === 1 ? null : readWritten(into)
}

/**
 * Writes a session's output to `fd` as soon as that takes anything. Resolves with what `claim` makes of the bytes written; it is
 * called when the write ends, and the session's state is in `into` then. `options` is called once, as in `nativeWait`.
 */
export function writeOutputLater<T>(
  session: Handle,
  fd: number,
  options: () => WaitOptions,
  into: SessionState,
  claim: (written: number) => T,
): Promise<T> {
  const done = nativeWait(
    options,
    (settled) => {
      control[Word.Descriptor] = fd
      callOn(session, () => outputWriteLater(settled))
      return control[Word.Wait]!
    },
    () => claim(readWritten(into)),
  )
  return done.catch((error) => {
    throw noted(error, { fd })
  })
}

function readWritten(into: SessionState): number {
  readSession(into)
  return control[Word.Length]!
}

/** Starts a pump of `size` bytes from `from` to `to`. At its end `settled` is called with the failure, if there was one. */
export function startPump(from: number, to: number, size: number, settled: (failure: Error | null) => void): Handle {
  control[Word.Descriptor] = from
  control[Word.Sink] = to
  control[Word.Length] = size
  const ofPump = (error: unknown): unknown =>
    noted(error, { fd: isSystemError(error) && error.syscall === 'writev' ? to : from })
  pumpStart(() => settled(ofPump(lastFailure()) as Error | null))
  const failure = lastFailure()
  if (failure !== null) throw ofPump(failure)
  return replyHandle()
}

/** Returns the bytes that a pump has written so far. */
export function pumpMoved(pump: Handle): bigint {
  return guarded(() => native.pumpMoved(pump))
}

/** Stops the reading of a pump. The pump still writes what it has read. */
export function stopPump(pump: Handle): void {
  guarded(() => native.pumpStop(pump))
}

/** Forgets a pump that is over. Returns the bytes that it has written. */
export function endPump(pump: Handle): bigint {
  return guarded(() => native.pumpEnd(pump))
}
