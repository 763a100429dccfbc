/** Debug mode: traces of objects, which tell where an object was acquired that was never released. */
import { fileURLToPath } from 'node:url'
import { DEBUG } from '../support/debug-mode.js'
import { clearInterval, setInterval, type Timer } from '../support/timers.js'
import type { ObjectKind } from './boundary.generated.js'
import { checkMemory, reportDisturbances } from './check-memory.js'
import { debugEverything, traceObject } from './debug.js'
import type { Handle } from './handle.js'
import { threadId } from './load.js'
import { warnOfPlace } from './place-warning.js'

if (DEBUG) {
  debugEverything()
  // Once a process: workers have the same environment.
  if (threadId === 0) process.stderr.write('framepool: debug mode is on (FRAMEPOOL_DEBUG)\n')
}

/** Frees the native part of a collected object. Returns false if nothing was left to free. */
export type GiveBack = (handle: Handle) => unknown

/** Record that debug mode keeps of an object. A trace must not refer to its object, which would then never be collected. */
interface Trace {
  kind: ObjectKind
  stack: string
  handle: Handle
  giveBack: GiveBack
}

const traces = new FinalizationRegistry<Trace>(({ kind, stack, handle, giveBack }) => {
  if (giveBack(handle) === false) return
  warnOfPlace('FRAMEPOOL_LEAK', `a ${kind} was garbage-collected without having been released; it was acquired`, stack)
  reportDisturbances(false)
})

/** Folder of the facade, whose frames say nothing about a leak. */
const folder = new URL('..', import.meta.url)
const ours = [folder.href, fileURLToPath(folder)]

/** More frames than any call of framepool has of its own. */
const OWN_FRAMES = 20

/** Set while something runs on behalf of a call that was made before: the stack of that call. */
let earlier: string | null = null

/**
 * Returns the stack of the call into framepool, without framepool's own frames. `Error.prepareStackTrace` of the user runs in it. What
 * that throws must not keep an object from being traced, which exists natively by then.
 */
export function callerStack(): string {
  if (earlier !== null) return earlier
  const limit = Error.stackTraceLimit
  try {
    // Fails without an error where a script has frozen `Error`.
    Reflect.set(Error, 'stackTraceLimit', limit > 0 ? limit + OWN_FRAMES : limit)
    const lines = String(new Error().stack).split('\n').slice(1)
    const theirs = lines.filter((line) => !ours.some((path) => line.includes(path)))
    return theirs.slice(0, limit).join('\n')
  } catch {
    return '    at a place that cannot be shown'
  } finally {
    Reflect.set(Error, 'stackTraceLimit', limit)
  }
}

/** Returns `later`, for the end of a wait. In debug mode, what it acquires counts as acquired by the call that is running now. */
export function onBehalf<T>(later: () => T): () => T {
  if (!DEBUG) return later
  const stack = callerStack()
  return () => {
    const before = earlier
    earlier = stack
    try {
      return later()
    } finally {
      earlier = before
    }
  }
}

/** Time between two looks for late writes in a process that releases nothing, in milliseconds. */
const LOOK_MS = 5000
let watching = false
let timer: Timer | null = null

/**
 * Keeps `stack`, that of the call that acquires `object`. If the object is collected before `untrace()`, `giveBack` is called with
 * `handle`, and the process emits a warning with that stack.
 */
export function trace(
  object: object,
  kind: ObjectKind,
  handle: Handle,
  giveBack: GiveBack,
  stack: string = callerStack(),
): void {
  traceObject(kind, handle, stack)
  traces.register(object, { kind, stack, handle, giveBack }, object)
  if (watching) return
  watching = true
  // No operation of Node is in flight by then.
  process.on('beforeExit', () => {
    if (timer !== null) clearInterval(timer)
    reportDisturbances(true)
  })
  timer = setInterval(checkMemory, LOOK_MS).unref()
}

/** Ends the trace of an object that was released, and whose native part is given back. */
export function untrace(object: object): void {
  traces.unregister(object)
  reportDisturbances(false)
}

/** Traces an object while the process is in debug mode. For objects on message paths: outside of debug mode nothing is noted of them. */
export function traceInDebugMode(object: object, kind: ObjectKind, handle: Handle, giveBack: GiveBack): void {
  if (DEBUG) trace(object, kind, handle, giveBack)
}

/** Ends the trace that `traceInDebugMode()` has begun. */
export function untraceInDebugMode(object: object): void {
  if (DEBUG) untrace(object)
}
