import { isAborted, reasonOf, whenAborted } from './abort.js'
import { integerArgument, optionsArgument, signalArgument } from './arguments.js'
import { FramePoolError } from './errors.js'
import { clearTimeout, now, setTimeout, type Timer } from './timers.js'

/** Options of a call that waits. */
export interface WaitOptions {
  /** Ends the wait when it aborts: the call rejects with `signal.reason`. */
  signal?: AbortSignal
  /** Longest wait in milliseconds: the call then rejects with `ERR_TIMEOUT`. Default: no limit. */
  timeoutMs?: number
}

/** Options of an allocation. */
export interface AllocateOptions {
  /** Whether the memory is cleared. Default false: it holds what was there before, as with `Buffer.allocUnsafe`. */
  zero?: boolean
}

/** Settles one wait, once; what comes after is ignored. */
export interface Waiter<T = void> {
  resolve(value: T): void
  reject(reason: unknown): void
}

/** The longest that a Node timer can wait. */
export const MAX_TIMEOUT_MS = 0x7fff_ffff

/**
 * A promise that `enqueue`'s waiter settles, perhaps at once. An abort (`signal.reason`) or a timeout (`ERR_TIMEOUT`) is
 * told to `giveUp`, once, which takes the waiter out of its queue and rejects it. What `read` and `enqueue` throw rejects, too.
 *
 * `read` reads all that the caller was given, its `waitOptions()` among it: that may run code which does anything, abort the
 * signal for example. From there to the end of `enqueue` no such code runs.
 */
export function wait<T>(
  read: () => WaitOptions,
  enqueue: (waiter: Waiter<T>) => void,
  giveUp: (waiter: Waiter<T>, reason: unknown) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const { signal, timeoutMs } = read()
    if (signal !== undefined && isAborted(signal)) return reject(reasonOf(signal))
    let timer: Timer | undefined
    let settled = false
    const settle = (): void => {
      settled = true
      clearTimeout(timer)
      stopListening()
    }
    const waiter: Waiter<T> = {
      resolve: (value) => {
        settle()
        resolve(value)
      },
      reject: (reason) => {
        settle()
        reject(reason)
      },
    }
    const leave = (reason: unknown): void => {
      settle()
      giveUp(waiter, reason)
    }
    const stopListening = whenAborted(signal, leave)
    try {
      enqueue(waiter)
    } catch (error) {
      waiter.reject(error)
    }
    if (settled) return
    if (timeoutMs !== undefined) {
      timer = setTimeout(() => leave(new FramePoolError('ERR_TIMEOUT', `nothing came in ${timeoutMs} ms`)), timeoutMs)
    }
  })
}

/** What is given of `options`, or the documented error. For several waits: options that were read twice could differ. */
export function waitOptions(options: WaitOptions | undefined): WaitOptions {
  const { signal, timeoutMs } = optionsArgument(options, 'options')
  const given: WaitOptions = {}
  signalArgument(signal)
  if (signal !== undefined) given.signal = signal
  if (timeoutMs !== undefined) given.timeoutMs = integerArgument(timeoutMs, 'timeoutMs', 0, MAX_TIMEOUT_MS)
  return given
}

/** Returns the `timeoutMs` of a call that blocks its thread, or throws the documented error. There is no default. */
export function timeoutArgument(options: { timeoutMs: number }): number {
  return integerArgument(optionsArgument(options, 'options').timeoutMs, 'timeoutMs', 0, MAX_TIMEOUT_MS)
}

/** What is left of `options` for another wait, when the first began at `start` (`now()`). */
export function leftOf(options: WaitOptions, start: number): WaitOptions {
  if (options.timeoutMs === undefined) return options
  const timeoutMs = Math.max(0, options.timeoutMs - Math.floor(now() - start))
  return { ...options, timeoutMs }
}

/** Says whether there is something to wait for: it resolves or rejects the waiter, or leaves it in the queue. */
type Check<T> = (waiter: Waiter<T>) => boolean

/** Those who wait for something about the same object, in the order in which they came. */
export class WaitQueue<T = void> {
  readonly #waiting = new Map<Waiter<T>, Check<T>>()

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  join(options: WaitOptions | undefined, check: Check<T>): Promise<T> {
    return wait<T>(
      () => waitOptions(options),
      (waiter) => {
        if (!check(waiter)) this.#waiting.set(waiter, check)
      },
      (waiter, reason) => {
        this.#waiting.delete(waiter)
        waiter.reject(reason)
      },
    )
  }

  /** Something has changed: everybody checks again. */
  review(): void {
    if (this.#waiting.size === 0) return
    for (const [waiter, check] of this.#waiting) {
      if (check(waiter)) this.#waiting.delete(waiter)
    }
  }
}
