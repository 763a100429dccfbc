/** Debug mode: where objects were acquired, which were never released, and which were written to after their release. */
import { fileURLToPath } from 'node:url'
import type { ObjectKind } from './boundary.generated.js'
import { debugEverything, takeDisturbances, traceObject } from './debug.js'
import type { Handle } from './handle.js'

/** Whether `FRAMEPOOL_DEBUG` was 1 when framepool was imported: then every object is in debug mode, and not only those that ask for it. */
export const DEBUG = process.env.FRAMEPOOL_DEBUG === '1'

if (DEBUG) debugEverything()

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

/** Returns the stack of the call into framepool, without framepool's own frames. */
function callerStack(): string {
  const lines = String(new Error().stack).split('\n').slice(1)
  return lines.filter((line) => !ours.some((path) => line.includes(path))).join('\n')
}

let watching = false

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
  process.on('beforeExit', () => reportDisturbances(true))
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

function reportDisturbances(all: boolean): void {
  for (const { bytes, offset, stack } of takeDisturbances(all)) {
    const message = `byte ${offset} of ${bytes} was written after the memory had been released; it was acquired`
    warn('FRAMEPOOL_WRITE_AFTER_RELEASE', message, stack ?? '    at a place that is not known')
  }
}

function warn(code: string, message: string, stack: string): void {
  const warning = new Error(message)
  const stackOfWarning = `FramePoolWarning: ${message}\n${stack}`
  // Node prints `detail` below the message.
  process.emitWarning(Object.assign(warning, { name: 'FramePoolWarning', code, detail: stack, stack: stackOfWarning }))
}
