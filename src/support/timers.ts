/**
 * Node's own timers, as they are when framepool is loaded. The globals may be replaced later: a test environment that plays a browser
 * has timers without `unref()`, and fake ones may never fire.
 */
import { performance } from 'node:perf_hooks'
import timers from 'node:timers'

export type Timer = NodeJS.Timeout

export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = timers

const resolved = Promise.resolve()

/** Calls its first argument as soon as the running code is over: before promise callbacks, or after all of them if one of them is running. */
export const nextTick: typeof process.nextTick = process.nextTick.bind(process)

/** Calls `callback`, which must not throw, as soon as the code that runs now is over. */
export function queueMicrotask(callback: () => void): void {
  void resolved.then(callback)
}

/** Returns the milliseconds since a fixed moment, for differences. */
export const now: () => number = performance.now.bind(performance)
