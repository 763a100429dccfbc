import type { Handle } from './handle.js'
import { DEBUG, trace, untrace } from './trace.js'

const collected = new FinalizationRegistry<() => unknown>((giveBack) => giveBack())

/**
 * Has `giveBack` called when `object` is collected without having been `released`: it gives back what the object holds
 * natively, and must not lead to the object. Views may still be in use then. In debug mode this is reported as a leak.
 */
export function acquired(object: object, kind: string, handle: Handle, giveBack: () => unknown): void {
  if (DEBUG) trace(object, kind, handle, giveBack)
  else whenCollected(object, giveBack)
}

/** Has `giveBack` called when `object` is collected, as `acquired` does without debug mode. */
export function whenCollected(object: object, giveBack: () => unknown): void {
  collected.register(object, giveBack, object)
}

/** Says that `object` holds nothing natively any more. */
export function released(object: object): void {
  if (DEBUG) untrace(object)
  else collected.unregister(object)
}
