/**
 * Node's own timers, as they are when framepool is loaded. The globals may be others by the time they are used: those of a
 * test environment that plays a browser give numbers, which cannot be `unref`ed, and fake ones may never fire.
 */
import { performance } from 'node:perf_hooks'
import timers from 'node:timers'

export type Timer = NodeJS.Timeout

export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = timers

const resolved = Promise.resolve()

/** Calls `callback`, which throws nothing, as soon as what runs now is over. */
export function queueMicrotask(callback: () => void): void {
  void resolved.then(callback)
}

/** Milliseconds since some moment: for differences. */
export const now: () => number = performance.now.bind(performance)
