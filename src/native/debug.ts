import { guarded } from './guarded.js'
import type { Handle } from './handle.js'
import { native } from './load.js'

/** Puts this isolate into debug mode, with all that it makes from here on. */
export function debugEverything(): void {
  guarded(() => native.debugEverything())
}

/** The most that is kept of a stack, in characters: a stack can have any length. */
const MAX_STACK = 0x4000

/** Notes the stack of the call that acquired an object, for `inspectProcess()` and `takeDisturbances()`. */
export function traceObject(kind: string, handle: Handle, stack: string): void {
  guarded(() => native.trace(kind, handle, stack.slice(0, MAX_STACK)))
}

/**
 * Returns the memory that was found to have been written to after its release. With `all` it looks at what is still in quarantine,
 * too.
 */
export function takeDisturbances(all: boolean): import('./binding.cjs').DisturbedMemory[] {
  return guarded(() => native.takeDisturbances(all))
}

/** Returns what is alive in the process, as far as native code knows. */
export function inspectProcess(): import('./binding.cjs').InspectedObject[] {
  return guarded(() => native.inspect())
}
