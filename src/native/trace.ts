/** Debug mode: who acquired what, what was never released, and what was written to after it was released. */
import { fileURLToPath } from 'node:url'
import { debugEverything, takeDisturbances, traceObject } from './debug.js'
import type { Handle } from './handle.js'

/** `FRAMEPOOL_DEBUG=1` when framepool is imported: everything is in debug mode, and not only what asks for it. */
export const DEBUG = process.env.FRAMEPOOL_DEBUG === '1'

if (DEBUG) debugEverything()

/** What debug mode knows of an object. It must not lead to the object, which would never be collected then. */
interface Trace {
  kind: string
  stack: string
  giveBack: () => unknown
}

const traces = new FinalizationRegistry<Trace>(({ kind, stack, giveBack }) => {
  if (giveBack() === false) return
  warn('FRAMEPOOL_LEAK', `a ${kind} was garbage-collected without having been released; it was acquired`, stack)
  reportDisturbances(false)
})

/** This folder: what lies in it is of no interest to who looks for a leak. */
const folder = new URL('..', import.meta.url)
const ours = [folder.href, fileURLToPath(folder)]

/** The caller's stack, without framepool's own frames. */
function callerStack(): string {
  const lines = String(new Error().stack).split('\n').slice(1)
  return lines.filter((line) => !ours.some((path) => line.includes(path))).join('\n')
}

let watching = false

/**
 * Keeps the stack of the call that acquires `object`. If it is collected before `untrace`, that is reported and `giveBack` gives
 * back what it holds natively, or says with `false` that nothing was left to be given back.
 */
export function trace(object: object, kind: string, handle: Handle, giveBack: () => unknown): void {
  const stack = callerStack()
  traceObject(kind, handle, stack)
  traces.register(object, { kind, stack, giveBack }, object)
  if (watching) return
  watching = true
  // By then nothing of what Node had begun is in flight any more.
  process.on('beforeExit', () => reportDisturbances(true))
}

/** `object` was released, and what it held natively is given back. */
export function untrace(object: object): void {
  traces.unregister(object)
  reportDisturbances(false)
}

function reportDisturbances(all: boolean): void {
  for (const { bytes, offset, stack } of takeDisturbances(all)) {
    const what = `byte ${offset} of ${bytes} was written after the memory had been released; it was acquired`
    warn('FRAMEPOOL_WRITE_AFTER_RELEASE', what, stack ?? '    by nobody known')
  }
}

function warn(code: string, message: string, stack: string): void {
  const warning = new Error(message)
  const stackOfWarning = `FramePoolWarning: ${message}\n${stack}`
  // Node prints `detail` below the message.
  process.emitWarning(Object.assign(warning, { name: 'FramePoolWarning', code, detail: stack, stack: stackOfWarning }))
}
