import { isBytes, lengthOf } from '../../support/bytes.js'
import { invalidArgType } from '../../support/errors.js'
import { messageOf } from './catalogue.js'
import type { FieldType } from './layout.js'
import type { MessageType } from './message.js'
import { endOf, f32, optionU32, u64 } from './read.js'

/** Bytes of a value that are shown in hexadecimal. */
const SHOWN_BYTES = 8

/** Characters of a string that are shown. */
const SHOWN_CHARACTERS = 64

/** Numbers of a list that are shown. */
const SHOWN_NUMBERS = 4

/**
 * Returns one line about a frame, for logs: `SubmitSharesStandard channelId=3 sequenceNumber=7 …`. Long values are cut, and
 * strings are quoted and have nothing but printable ASCII. Any payload is safe; the line says where a malformed one ends.
 */
export function describe(
  frame: MessageType & {
    /** Payload of the frame. */
    readonly payload: Uint8Array
  },
): string {
  const { extensionType, messageType, payload } = frame ?? {}
  const message = messageOf({ extensionType, messageType })
  if (!isBytes(payload)) throw invalidArgType('frame.payload must be a Uint8Array')
  const length = lengthOf(payload)
  if (message === undefined) {
    const type = `0x${(messageType & 0xff).toString(16).padStart(2, '0')}`
    const extension = (extensionType & 0x7fff).toString(16).padStart(4, '0')
    return `unknown type ${type} of extension 0x${extension}, ${length} bytes`
  }
  let line = message.name as string
  let at = 0
  for (const { name, type } of message.fields) {
    const end = endOf(payload, at, type)
    if (end > length) return `${line} (malformed: ${name} at offset ${at} of ${length} bytes)`
    line += ` ${name}=${shown(payload, at, end, type)}`
    at = end
  }
  return at === length ? line : `${line} +${length - at} bytes`
}

function shown(payload: Uint8Array, at: number, end: number, type: FieldType): string {
  const start = at + type.prefix
  switch (type.name) {
    case 'BOOL':
      return String((payload[at]! & 1) === 1)
    case 'F32':
      return String(f32(payload, at))
    case 'U64':
      return String(u64(payload, at))
    case 'OPTION[U32]':
      return String(optionU32(payload, at))
    case 'STR0_255':
      return quoted(payload, start, end)
  }
  if (type.size > 0 && type.size <= 4) return String(unsigned(payload, at, type.size))
  if (type.kind !== 'list' || type.of === null) return hex(payload, start, end)
  if (type.of.kind === 'number') return numbers(payload, start, end, type.of.size)
  return `[${unsigned(payload, at, type.prefix)}]`
}

function unsigned(payload: Uint8Array, at: number, size: number): number {
  let value = 0
  for (let index = size - 1; index >= 0; index--) value = value * 0x100 + payload[at + index]!
  return value
}

function hex(payload: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let at = start; at < Math.min(end, start + SHOWN_BYTES); at++) text += hexOf(payload[at]!)
  return end - start > SHOWN_BYTES ? `${text}…(${end - start})` : text
}

function hexOf(byte: number): string {
  return (byte < 0x10 ? '0' : '') + byte.toString(16)
}

/** Returns a quoted string; characters that would break a line or a terminal are escaped. */
function quoted(payload: Uint8Array, start: number, end: number): string {
  let text = '"'
  for (let at = start; at < Math.min(end, start + SHOWN_CHARACTERS); at++) {
    const byte = payload[at]!
    if (byte === 0x22 || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`
    else text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${hexOf(byte)}`
  }
  return end - start > SHOWN_CHARACTERS ? `${text}"…(${end - start})` : `${text}"`
}

function numbers(payload: Uint8Array, start: number, end: number, size: number): string {
  const count = (end - start) / size
  const first: number[] = []
  for (let index = 0; index < Math.min(count, SHOWN_NUMBERS); index++) {
    first.push(unsigned(payload, start + index * size, size))
  }
  return count > SHOWN_NUMBERS ? `[${first},…](${count})` : `[${first}]`
}
