import { partOf } from '../../support/arguments.js'
import type { FieldType } from '../messages/layout.js'
import { isMessage, type Message } from '../messages/message.js'
import type { Tlv } from '../messages/tlv.js'

/** The part of a message that `Sv2Session.send()` needs. Every message of `framepool/sv2/messages` has it. */
export type SendableMessage<F extends object> = Pick<
  Message<string, F>,
  'name' | 'extensionType' | 'messageType' | 'channelMessage' | 'fields' | 'encodeInto' | 'encode' | 'byteLength'
>

/** Size of the scratch memory in bytes. All messages fit into it but those that carry jobs, transactions or long lists. */
const SCRATCH_SIZE = 2_048

/** Payloads are sealed before anything else can run, so that one memory does for all sessions. */
const scratch = new Uint8Array(SCRATCH_SIZE)

/** Views of the first bytes of the scratch memory, by their length. Making a view costs more than the encoding. */
const beginnings: Uint8Array[] = []

/** The message that was sent last, which is likely the next, and whether its longest payload fits into the scratch memory. */
let last: object | null = null
let lastFits = false

/** Returns whether `value` is a message that can be sent. */
export function isSendable(value: unknown): value is SendableMessage<object> {
  if (value === last) return value !== null
  if (typeof value !== 'object' || value === null || !isMessage(value)) return false
  last = value
  lastFits = value.fields.reduce((bytes, { type }) => bytes + longest(type), 0) <= SCRATCH_SIZE
  return true
}

/** Returns the most bytes that a value of that type takes, or more than the scratch memory has. */
function longest({ size, prefix, most, of }: FieldType): number {
  return size || prefix + most * (of === null ? 1 : longest(of))
}

/** Returns the payload of a message, valid until the next call. */
export function encoded(
  message: SendableMessage<object>,
  fields: object,
  tlvs: readonly Tlv[] | undefined,
): Uint8Array {
  if (tlvs !== undefined || message !== last || !lastFits) return message.encode(fields, tlvs)
  const length = message.encodeInto(scratch, fields)
  beginnings[length] ??= partOf(scratch, 0, length)
  return beginnings[length]
}
