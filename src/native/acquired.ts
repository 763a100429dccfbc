import { DEBUG } from '../support/debug-mode.js'
import type { ObjectKind } from './boundary.generated.js'
import type { Handle } from './handle.js'
import { type GiveBack, trace, untrace } from './trace.js'

const collected = new FinalizationRegistry<() => unknown>((giveBack) => giveBack())
const acquisitions = new FinalizationRegistry<{ handle: Handle; giveBack: GiveBack }>(({ handle, giveBack }) =>
  giveBack(handle),
)

/**
 * Calls `giveBack` with `handle` if `object` is collected before `released()`. It gives back what the object holds natively,
 * and must not lead to the object. Views may still be in use then. Debug mode reports the collection as a leak.
 */
export function acquired(object: object, kind: ObjectKind, handle: Handle, giveBack: GiveBack): void {
  if (DEBUG) trace(object, kind, handle, giveBack)
  else acquisitions.register(object, { handle, giveBack }, object)
}

/**
 * Calls `giveBack` with `held` when `object` is collected. Neither of the two may lead to the object. Views may still be in use then.
 */
export function whenCollected<T>(object: object, held: T, giveBack: (held: T) => unknown): void {
  collected.register(object, () => giveBack(held))
}

/** Notes that an object which was `acquired()` holds nothing natively any more. */
export function released(object: object): void {
  if (DEBUG) untrace(object)
  else acquisitions.unregister(object)
}
