import { DEBUG } from '../support/debug-mode.js'
import type { ObjectKind } from './boundary.generated.js'
import type { Handle } from './handle.js'
import { type GiveBack, trace, untrace } from './trace.js'

const collected = new FinalizationRegistry<() => unknown>((giveBack) => giveBack())
const acquisitions = new FinalizationRegistry<{ handle: Handle; giveBack: GiveBack }>(({ handle, giveBack }) =>
  giveBack(handle),
)

/**
 * Has `giveBack` called with `handle` if `object` is collected before `released()`. It gives back what the object holds natively,
 * and must not lead to the object. Views may still be in use then. Debug mode reports the collection as a leak.
 */
export function acquired(object: object, kind: ObjectKind, handle: Handle, giveBack: GiveBack): void {
  if (DEBUG) trace(object, kind, handle, giveBack)
  else acquisitions.register(object, { handle, giveBack }, object)
}

/** Has `giveBack` called when `object` is collected. It must not lead to the object. Views may still be in use then. */
export function whenCollected(object: object, giveBack: () => unknown): void {
  collected.register(object, giveBack)
}

/** Says that an object which was `acquired()` holds nothing natively any more. */
export function released(object: object): void {
  if (DEBUG) untrace(object)
  else acquisitions.unregister(object)
}
