import { copyOf, isBytes } from '../../support/bytes.js'
import { invalidArgType, outOfRange } from '../../support/errors.js'
import type { MessageFields } from './catalogue.generated.js'
import { type AnyMessage, type MessageName, messageByName } from './catalogue.js'
import { keyOf } from './frame-type.js'
import type { MessageType } from './message.js'

/** A frame of a batch, or anything like it. */
export interface DispatchedFrame extends MessageType {
  /** Payload of the frame. */
  readonly payload: Uint8Array
}

/** Functions by the name of the message that they handle. */
export type MessageHandlers<F extends DispatchedFrame = DispatchedFrame> = {
  readonly [N in MessageName]?: (fields: MessageFields[N], frame: F) => unknown
}

/**
 * Returns a function that gives a frame's fields to the handler of its message, and returns what the handler does. Frames
 * without a handler go to `otherwise`, those of unknown types included; without it they are dropped. A payload that cannot be
 * decoded is thrown as `ERR_SV2_MESSAGE`.
 *
 * Handlers may be async: the next frame is handled when the promise of the last is settled, fulfilled or not, and its call
 * returns a promise. Await or return it: else frames that come meanwhile pile up as copies without a limit, and a rejection is
 * unhandled, as that of any async function.
 *
 * A frame that waits is copied, since its batch may be released meanwhile. The copy has its own enumerable properties; it is not
 * the frame of the batch, and cannot be forwarded. A handler that looks at byte fields or at the frame after an `await` needs the
 * batch retained, or copies of its own.
 */
export function dispatcher<F extends DispatchedFrame = DispatchedFrame>(
  handlers: MessageHandlers<F>,
  otherwise?: (frame: F) => unknown,
): (frame: F) => unknown {
  if (typeof handlers !== 'object' || handlers === null) throw invalidArgType('handlers must be an object')
  if (otherwise !== undefined && typeof otherwise !== 'function') {
    throw invalidArgType('otherwise must be a function')
  }
  const routes = new Map<number, Route>()
  for (const name of namesOf(handlers)) {
    const handler = (handlers as Record<string, Route['handler'] | undefined>)[name]
    const message = messageByName(name)
    if (message?.name !== name) throw outOfRange(`there is no message ${name}`)
    if (handler === undefined) continue
    if (typeof handler !== 'function') throw invalidArgType(`the handler of ${name} must be a function`)
    routes.set(keyOf(message), { message, handler })
  }

  const handle = (frame: F): unknown => {
    const route = routes.get(keyOf(frame))
    return route === undefined ? otherwise?.(frame) : route.handler(route.message.decode(frame.payload), frame)
  }

  /** Settles when the last frame has been handled, and never rejects; null if that frame was handled at once. */
  let last: Promise<unknown> | null = null
  const follow = (result: Promise<unknown>): Promise<unknown> => {
    const settled = result.then(done, done)
    last = settled
    function done(): void {
      if (last === settled) last = null
    }
    // A promise of its own: nothing here handles its rejection, which is unhandled if the caller does not.
    return result.then((value) => value)
  }

  return (frame) => {
    if (last !== null) {
      const kept = copyOfFrame(frame)
      return follow(last.then(() => handle(kept)))
    }
    const result = handle(frame)
    return isThenable(result) ? follow(Promise.resolve(result)) : result
  }
}

/** Returns the names of an object's properties. A Proxy may refuse to give them, or give what are no names. */
function namesOf(object: object): string[] {
  try {
    return Object.keys(object)
  } catch {
    throw invalidArgType('handlers must be an object whose properties can be listed')
  }
}

interface Route {
  readonly message: AnyMessage
  // Types cannot tell that the fields fit the handler: its name says so, by which the message was found.
  readonly handler: (fields: object, frame: DispatchedFrame) => unknown
}

/** Copies a frame into memory of its own, with what the caller has put on it. */
function copyOfFrame<F extends DispatchedFrame>(frame: F): F {
  keyOf(frame)
  const { extensionType, messageType, payload } = frame
  if (!isBytes(payload)) throw invalidArgType('frame.payload must be a Uint8Array')
  const { channelMessage, channelId } = frame as { channelMessage?: unknown; channelId?: unknown }
  return { ...frame, extensionType, messageType, channelMessage, channelId, payload: copyOf(payload) } as unknown as F
}

// `support/thrown.ts` needs Node, and this module runs in browsers.
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
