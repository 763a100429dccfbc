import { guarded } from './call.js'
import type { Handle } from './handle.js'
import { native } from './load.js'

/** From here on all that this isolate makes is in debug mode. */
export function debugEverything(): void {
  guarded(() => native.debugEverything())
}

/** What is kept of a stack, in characters: it can have any length. */
const MAX_STACK = 0x4000

/** Notes who acquired an object, for `inspectProcess` and `takeDisturbances`. */
export function traceObject(kind: string, handle: Handle, stack: string): void {
  guarded(() => native.trace(kind, handle, stack.slice(0, MAX_STACK)))
}

/** Memory that was found to have been written to after its release; with `all` what is still in quarantine is looked at, too. */
export function takeDisturbances(all: boolean): import('./binding.cjs').DisturbedMemory[] {
  return guarded(() => native.takeDisturbances(all))
}

/** What is alive in the process, as far as native code knows. */
export function inspectProcess(): import('./binding.cjs').InspectedObject[] {
  return guarded(() => native.inspect())
}
