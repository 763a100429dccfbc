import type { ObjectKind } from './boundary.generated.js'
import { guarded } from './guarded.js'
import type { Handle } from './handle.js'
import { native } from './load.js'

export type { ObjectKind }

/** Puts this isolate into debug mode, with all that it makes from here on. */
export function debugEverything(): void {
  guarded(() => native.debugEverything())
}

/** The most that is kept of a stack, in characters: a stack can have any length. */
const MAX_STACK = 0x4000

/** Notes the stack of the call that acquired an object, for `inspectProcess()` and `takeDisturbances()`. */
export function traceObject(kind: ObjectKind, handle: Handle, stack: string): void {
  guarded(() => native.trace(kind, handle, stack.slice(0, MAX_STACK)))
}

/**
 * Returns the memory that was found to have been written to after its release. With `all` it looks at what is still in quarantine,
 * too.
 */
export function takeDisturbances(all: boolean): import('./binding.cjs').DisturbedMemory[] {
  return guarded(() => native.takeDisturbances(all))
}

/** An object that is alive, as native code lists it: its kind is one of those that native code declares. */
export type ListedObject = import('./binding.cjs').InspectedObject & { kind: ObjectKind }

/** Returns what is alive in the process, as far as native code knows. */
export function inspectProcess(): ListedObject[] {
  return guarded(() => native.inspect()) as ListedObject[]
}
