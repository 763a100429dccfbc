import type { WaitOptions } from '../support/wait.js'
import { wait } from '../support/wait.js'
import { check, control } from './call.js'
import { bound } from './load.js'
import { onBehalf } from './trace.js'
import { Word } from './words.js'

const { waitCancel } = bound

/**
 * Returns a promise of what native code gives, now or on a later turn of the event loop. It keeps the event loop alive until
 * then. `read` is as for `wait()`.
 *
 * `begin` passes native code the callback to call at the wait's end, and returns the number of the wait, or 0 if there is nothing
 * to wait for. Then `claim` makes the result: it is called when the wait ends, while the reply is still in the control block. An
 * abort or a timeout cancels the wait natively at once: what had just been granted to it goes back. The promise rejects with what
 * `begin`, the native call or `claim` throws.
 */
export function nativeWait<T>(
  read: () => WaitOptions,
  begin: (settled: () => void) => number,
  claim: () => T,
): Promise<T> {
  let pending = 0
  const claimed = onBehalf(claim)
  return wait<T>(
    read,
    (waiter) => {
      pending = begin(() => {
        try {
          check()
          waiter.resolve(claimed())
        } catch (error) {
          waiter.reject(error)
        }
      })
      // No check here: `begin` may not have crossed at all, and the last call's failure would be another's.
      if (pending === 0) waiter.resolve(claimed())
    },
    (waiter, reason) => {
      try {
        cancelWait(pending)
      } finally {
        waiter.reject(reason)
      }
    },
  )
}

/**
 * Returns a promise of the result of a native operation that must first end natively. An abort or a timeout calls `stop`, which asks the
 * operation to end. `claim` then returns null if nothing was done, and the promise rejects. Otherwise the promise resolves with the result.
 */
export function nativeOperation<T>(
  read: () => WaitOptions,
  begin: (settled: () => void) => void,
  stop: () => void,
  claim: () => T | null,
): Promise<T> {
  let reason: unknown
  return wait<T>(
    read,
    (waiter) =>
      begin(() => {
        try {
          check()
          const result = claim()
          if (result === null) waiter.reject(reason)
          else waiter.resolve(result)
        } catch (error) {
          waiter.reject(error)
        }
      }),
    (_, why) => {
      reason = why
      stop()
    },
  )
}

/** Ends a wait if it is not over. A grant that was not delivered yet goes back. */
function cancelWait(wait: number): void {
  control[Word.Wait] = wait
  waitCancel()
  check()
}
