import { type MessageFields, messages } from './catalogue.generated.js'
import { keyOf } from './frame-type.js'
import type { FieldValue, Message, MessageType } from './message.js'

/** Name of a message, as it is exported. */
export type MessageName = keyof MessageFields

/** A message whose fields the compiler does not know. */
export interface AnyMessage extends Omit<Message<MessageName, Record<string, FieldValue>>, 'raw'> {
  /** Reads a string as the bytes that it is: a view of the payload. */
  readonly raw: Readonly<Record<string, (payload: Uint8Array) => Uint8Array>>
}

const byName = /* @__PURE__ */ names()
const byKey = /* @__PURE__ */ keys()

function names(): Map<string, AnyMessage> {
  // The order is reversed, so that the common and mining protocols keep names that two protocols share.
  const all = (messages as readonly unknown[] as AnyMessage[]).toReversed()
  return new Map([...all.map((entry) => [entry.specName, entry]), ...all.map((entry) => [entry.name, entry])] as [
    string,
    AnyMessage,
  ][])
}

function keys(): Map<number, AnyMessage> {
  return new Map((messages as readonly unknown[] as AnyMessage[]).map((entry) => [keyOf(entry), entry]))
}

/** Returns the message of that name: the name of the export, or the one in the specification, as in `SubmitShares.Success`. */
export function messageByName(name: string): AnyMessage | undefined {
  return byName.get(name)
}

/** Returns the message that a frame carries, by extension and type alone; undefined if that message is not known. */
export function messageOf(frame: MessageType): AnyMessage | undefined {
  return byKey.get(keyOf(frame))
}
