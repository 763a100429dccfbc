import { isAborted, reasonOf, whenAborted } from './abort.js'
import { integerArgument, optionsArgument, signalArgument } from './arguments.js'
import { FramePoolError } from './errors.js'
import { clearTimeout, now, setTimeout, type Timer } from './timers.js'

/** Options of a call that waits. */
export interface WaitOptions {
  /** Ends the wait when it aborts: the call rejects with `signal.reason`. */
  signal?: AbortSignal
  /** Longest wait in milliseconds, 0 to 2^31 − 1: after that the call rejects with `ERR_TIMEOUT`. Default: no limit. */
  timeoutMs?: number
}

/** Settles one wait. Only the first call counts. */
export interface Waiter<T = void> {
  resolve(value: T): void
  reject(reason: unknown): void
}

/** The longest that a Node timer can wait, in milliseconds. */
export const MAX_TIMEOUT_MS = 0x7fff_ffff

/** Checks the option `idleTimeoutMs`, if it is given. Throws `ERR_INVALID_ARG_TYPE` or `ERR_OUT_OF_RANGE`. */
export function checkIdleTimeout(idleTimeoutMs: number | undefined): void {
  if (idleTimeoutMs !== undefined) integerArgument(idleTimeoutMs, 'idleTimeoutMs', 1, MAX_TIMEOUT_MS)
}

/**
 * Returns a promise. `enqueue` gets the waiter that settles it, perhaps at once. On an abort (`signal.reason`) or a timeout
 * (`ERR_TIMEOUT`) `giveUp` is called, once. It takes the waiter out of its queue and rejects it. The promise also rejects with an error that
 * `read` or `enqueue` throws.
 *
 * `read` reads everything that the user passed, and returns its `waitOptions()`. That may run any code, which could abort the signal
 * for example. `enqueue` may run code of the user, too. If that aborts the signal, the wait rejects, unless `enqueue` has settled it.
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
    let stopListening = (): void => {}
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
    try {
      enqueue(waiter)
    } catch (error) {
      waiter.reject(error)
    }
    // What was given at once stays given, even if code that `enqueue` called has aborted the signal.
    if (settled) return
    if (signal !== undefined && isAborted(signal)) return leave(reasonOf(signal))
    stopListening = whenAborted(signal, leave)
    if (timeoutMs !== undefined) {
      timer = setTimeout(() => leave(new FramePoolError('ERR_TIMEOUT', `nothing came in ${timeoutMs} ms`)), timeoutMs)
    }
  })
}

/**
 * Returns the time limit of a call that blocks, in milliseconds. Throws `ERR_INVALID_ARG_TYPE` or `ERR_OUT_OF_RANGE` unless it is a
 * whole number from 0 to 2^31 − 1.
 */
export function timeoutArgument(options: { timeoutMs: number }): number {
  return timeoutOf(optionsArgument(options, 'options').timeoutMs)
}

function timeoutOf(timeoutMs: unknown): number {
  return integerArgument(timeoutMs, 'timeoutMs', 0, MAX_TIMEOUT_MS)
}

/**
 * Returns a copy of `options`, which is read once: two readings could differ. Throws `ERR_INVALID_ARG_TYPE` or `ERR_OUT_OF_RANGE` if an
 * option is wrong.
 */
export function waitOptions(options: WaitOptions | undefined): WaitOptions {
  const { signal, timeoutMs } = optionsArgument(options, 'options')
  const given: WaitOptions = {}
  signalArgument(signal)
  if (signal !== undefined) given.signal = signal
  if (timeoutMs !== undefined) given.timeoutMs = timeoutOf(timeoutMs)
  return given
}

/** Returns the options for another wait of a call that began at `start` (`now()`): its time limit is what is left of `options`. */
export function leftOf(options: WaitOptions, start: number): WaitOptions {
  if (options.timeoutMs === undefined) return options
  const timeoutMs = Math.max(0, options.timeoutMs - Math.floor(now() - start))
  return { ...options, timeoutMs }
}

/** Resolves or rejects the waiter, and returns true, if there is nothing to wait for. Returns false otherwise. */
type Check<T> = (waiter: Waiter<T>) => boolean

/** Waits for a change of one object, in the order in which they began. */
export class WaitQueue<T = void> {
  readonly #waiting = new Map<Waiter<T>, Check<T>>()

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  /** Returns a promise that settles as soon as `check` settles its waiter: at once, or in a `review()`. */
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

  /** Checks all waits again, since something has changed. */
  review(): void {
    if (this.#waiting.size === 0) return
    for (const [waiter, check] of this.#waiting) {
      if (check(waiter)) this.#waiting.delete(waiter)
    }
  }
}
