/** Debug mode: where objects were acquired, which were never released, and which were written to after their release. */
import { fileURLToPath } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import { DEBUG } from '../support/debug-mode.js'
import { clearInterval, setInterval, type Timer } from '../support/timers.js'
import type { ObjectKind } from './boundary.generated.js'
import { debugEverything, takeDisturbances, traceObject } from './debug.js'
import type { Handle } from './handle.js'

if (DEBUG) {
  debugEverything()
  // Once a process: workers have the same environment.
  if (isMainThread) process.stderr.write('framepool: debug mode is on (FRAMEPOOL_DEBUG)\n')
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
  warn('FRAMEPOOL_LEAK', `a ${kind} was garbage-collected without having been released; it was acquired`, stack)
  reportDisturbances(false)
})

/** Folder of the facade, whose frames say nothing about a leak. */
const folder = new URL('..', import.meta.url)
const ours = [folder.href, fileURLToPath(folder)]

/** More frames than any call of framepool has of its own. */
const OWN_FRAMES = 20

/** Set while something runs on behalf of a call that was made before: the stack of that call. */
let earlier: string | null = null

/** Returns the stack of the call into framepool, without framepool's own frames. */
function callerStack(): string {
  if (earlier !== null) return earlier
  const limit = Error.stackTraceLimit
  // Fails without an error where a script has frozen `Error`.
  Reflect.set(Error, 'stackTraceLimit', limit > 0 ? limit + OWN_FRAMES : limit)
  const lines = String(new Error().stack).split('\n').slice(1)
  Reflect.set(Error, 'stackTraceLimit', limit)
  const theirs = lines.filter((line) => !ours.some((path) => line.includes(path)))
  return theirs.slice(0, limit).join('\n')
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

/** How often late writes are looked for in a process that releases nothing, in milliseconds. */
const LOOK_MS = 5000
let watching = false
let timer: Timer | null = null

/**
 * Keeps the stack of the call that acquires `object`. If the object is collected before `untrace()`, `giveBack` is called with
 * `handle`, and the process emits a warning with that stack.
 */
export function trace(object: object, kind: ObjectKind, handle: Handle, giveBack: GiveBack): void {
  const stack = callerStack()
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

/**
 * Looks for writes to memory that was released, and emits a warning for each place that has written. Debug mode does so at the end of the
 * process, every few seconds, and as memory is needed. Returns how many were found. Without debug mode there is nothing to find.
 */
export function checkMemory(): number {
  return reportDisturbances(true)
}

/** By the warning, which names the place: how often it came. */
const reported = new Map<string, number>()

function reportDisturbances(all: boolean): number {
  const found = takeDisturbances(all)
  for (const { bytes, offset, stack } of found) {
    const what = `byte ${offset} of ${bytes} was written after the memory had been released; it was acquired`
    warn('FRAMEPOOL_WRITE_AFTER_RELEASE', what, stack ?? '    at a place that is not known')
  }
  return found.length
}

/** Emits a warning: for one place the first time, and then when it has come ten times as often. */
function warn(code: string, text: string, stack: string): void {
  const place = `${code}\n${stack}`
  const count = (reported.get(place) ?? 0) + 1
  reported.set(place, count)
  if (!Number.isInteger(Math.log10(count))) return
  const message = count === 1 ? text : `${text} (${count} times here)`
  const warning = new Error(message)
  const stackOfWarning = `FramePoolWarning: ${message}\n${stack}`
  // Node prints `detail` below the message.
  process.emitWarning(Object.assign(warning, { name: 'FramePoolWarning', code, detail: stack, stack: stackOfWarning }))
}
