import type { WaitOptions } from '../support/wait.js'
import { wait } from '../support/wait.js'
import { check, control } from './call.js'
import { bound } from './load.js'
import { Word } from './words.js'

const { waitCancel } = bound

/**
 * A promise of what native code gives, now or on a later turn of the event loop, which it keeps alive until then. `read`: as
 * for `wait()`.
 *
 * `begin` crosses with the callback that native code is to call at the wait's end, and returns the wait's number, or 0 if
 * what was asked for is there already. Either way `claim` then makes the result from the reply's words. An abort or a
 * timeout cancels the wait natively at once: what had just been granted to it goes back. What `begin`, the native call or
 * `claim` throws rejects.
 */
export function nativeWait<T>(
  read: () => WaitOptions,
  begin: (settled: () => void) => number,
  claim: () => T,
): Promise<T> {
  let pending = 0
  return wait<T>(
    read,
    (waiter) => {
      pending = begin(() => {
        try {
          check()
          waiter.resolve(claim())
        } catch (error) {
          waiter.reject(error)
        }
      })
      // `begin` may not have crossed at all: what the last call failed with is none of its business.
      if (pending === 0) waiter.resolve(claim())
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
 * The same for what has to end natively before anything can be said: an abort or a timeout asks it to (`stop`). `claim` then
 * makes null of a reply that says that nothing was done, and that rejects; what was done in time is the result.
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

/** Ends a wait if it is not over; what was granted to it and not yet delivered goes back. */
function cancelWait(wait: number): void {
  control[Word.Wait] = wait
  waitCancel()
  check()
}
