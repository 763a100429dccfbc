/**
 * Reads fields out of payloads. Nothing that a payload says is believed: every function checks that what it reads lies
 * inside, and throws `ERR_SV2_MESSAGE` otherwise. Numbers are little-endian.
 */
import { FramePoolError, invalidArgType } from '../../support/errors.js'
import type { FieldType, Layout } from './layout.js'

/** Largest payload that a frame can have, in bytes. */
export const MAX_PAYLOAD = 0xff_ffff

/** An end that lies behind every payload, and stays there when a few fields are added. A small integer for engines. */
const BEYOND = 1 << 29

/** Scratch memory for what has no integer form: one value as words, as a bigint and as a float. */
const memory = /* @__PURE__ */ new ArrayBuffer(8)
export const words = /* @__PURE__ */ new Uint32Array(memory)
export const bigints = /* @__PURE__ */ new BigUint64Array(memory)
export const floats = /* @__PURE__ */ new Float32Array(memory)

/** Which of the two words is the lower half of the bigint: it depends on the machine. */
export const LOW = /* @__PURE__ */ lowWord()

function lowWord(): 0 | 1 {
  bigints[0] = 1n
  return words[0] === 1 ? 0 : 1
}

const utf8 = /* @__PURE__ */ new TextDecoder('utf-8', { ignoreBOM: true })

/** Number of `size` bytes, at most 4, that begins at `at`. */
function unsigned(payload: Uint8Array, at: number, size: number): number {
  let value = payload[at]!
  if (size > 1) value |= payload[at + 1]! << 8
  if (size > 2) value |= payload[at + 2]! << 16
  return size > 3 ? (value | (payload[at + 3]! << 24)) >>> 0 : value
}

/** Returns where the field that begins at `at` ends; beyond the payload if the payload does not hold it. */
export function endOf(payload: Uint8Array, at: number, type: FieldType): number {
  if (type.size > 0) return at + type.size
  let end = at + type.prefix
  if (end > payload.length) return BEYOND
  let count = unsigned(payload, at, type.prefix)
  if (count > type.most) return BEYOND
  if (type.unit > 0) return end + count * type.unit
  for (; count > 0; count--) {
    if (end + 3 > payload.length) return BEYOND
    end += 3 + unsigned(payload, end, 3)
  }
  return end
}

/** Returns where the field of that index begins, by a walk over those before it. */
export function offsetOf(payload: Uint8Array, layout: Layout, index: number): number {
  checkPayload(payload, layout)
  const { fields } = layout
  let at = 0
  for (let field = 0; field < index; field++) at = endOf(payload, at, fields[field]!.type)
  return at
}

/** Throws unless the payload is an array that a frame could have as its payload. */
export function checkPayload(payload: Uint8Array, layout: Layout): void {
  checkEnd(payload, 0, layout)
  if (payload.length > MAX_PAYLOAD) throw malformed(payload, layout)
}

/** Throws unless the payload has bytes up to `end`. */
export function checkEnd(payload: Uint8Array, end: number, layout: Layout): void {
  if (!ArrayBuffer.isView(payload) || !(end <= payload.length)) throw malformed(payload, layout)
}

/** Makes the error for a payload that lacks something: it names the first field that is not there. */
export function malformed(payload: Uint8Array, { name, fields }: Layout): Error {
  if (!ArrayBuffer.isView(payload) || typeof payload.length !== 'number') {
    return invalidArgType(`${name}: payload must be a Uint8Array`)
  }
  const { length } = payload
  let at = 0
  for (const { name: field, type } of length > MAX_PAYLOAD ? [] : fields) {
    const end = endOf(payload, at, type)
    if (end > length) {
      const counted = at + type.prefix <= length && type.prefix > 0
      const count = counted ? `, with a count of ${unsigned(payload, at, type.prefix)}` : ''
      return messageError(`${name}.${field}: ${type.name} at offset ${at} of ${length} bytes${count}`)
    }
    at = end
  }
  return messageError(`${name}: a payload of ${length} bytes`)
}

/** Makes an error with code `ERR_SV2_MESSAGE`. */
export function messageError(text: string): FramePoolError {
  return new FramePoolError('ERR_SV2_MESSAGE', text)
}

export function bool(payload: Uint8Array, at: number, layout: Layout): boolean {
  checkEnd(payload, at + 1, layout)
  return (payload[at]! & 1) === 1
}

export function u8(payload: Uint8Array, at: number, layout: Layout): number {
  checkEnd(payload, at + 1, layout)
  return payload[at]!
}

export function u16(payload: Uint8Array, at: number, layout: Layout): number {
  checkEnd(payload, at + 2, layout)
  return payload[at]! | (payload[at + 1]! << 8)
}

export function u24(payload: Uint8Array, at: number, layout: Layout): number {
  checkEnd(payload, at + 3, layout)
  return payload[at]! | (payload[at + 1]! << 8) | (payload[at + 2]! << 16)
}

export function u32(payload: Uint8Array, at: number, layout: Layout): number {
  checkEnd(payload, at + 4, layout)
  return (payload[at]! | (payload[at + 1]! << 8) | (payload[at + 2]! << 16) | (payload[at + 3]! << 24)) >>> 0
}

export function u64(payload: Uint8Array, at: number, layout: Layout): bigint {
  words[LOW] = u32(payload, at, layout)
  words[1 - LOW] = u32(payload, at + 4, layout)
  return bigints[0]!
}

export function f32(payload: Uint8Array, at: number, layout: Layout): number {
  words[0] = u32(payload, at, layout)
  return floats[0]!
}

/** A view of the payload's bytes from `at` up to `end`. */
function view(payload: Uint8Array, at: number, end: number, layout: Layout): Uint8Array {
  checkEnd(payload, end, layout)
  return new Uint8Array(payload.buffer, payload.byteOffset + at, end - at)
}

export function u256(payload: Uint8Array, at: number, layout: Layout): Uint8Array {
  return view(payload, at, at + 32, layout)
}

/** The bytes behind a count. */
export function bytes(payload: Uint8Array, at: number, type: FieldType, layout: Layout): Uint8Array {
  return view(payload, at + type.prefix, endOf(payload, at, type), layout)
}

/** The text behind a count. Bytes that are not UTF-8 become U+FFFD. */
export function text(payload: Uint8Array, at: number, type: FieldType, layout: Layout): string {
  const end = endOf(payload, at, type)
  checkEnd(payload, end, layout)
  let ascii = ''
  for (let index = at + type.prefix; index < end; index++) {
    const byte = payload[index]!
    // Copied, since not every decoder takes shared memory.
    if (byte > 0x7f) return utf8.decode(new Uint8Array(view(payload, at + type.prefix, end, layout)))
    ascii += String.fromCharCode(byte)
  }
  return ascii
}

export function optionU32(payload: Uint8Array, at: number, type: FieldType, layout: Layout): number | null {
  checkEnd(payload, endOf(payload, at, type), layout)
  return payload[at] === 0 ? null : u32(payload, at + 1, layout)
}

/** The numbers behind a count. */
export function numbers(payload: Uint8Array, at: number, type: FieldType, layout: Layout): number[] {
  // Before anything is made for them.
  checkEnd(payload, endOf(payload, at, type), layout)
  const values: number[] = []
  const count = unsigned(payload, at, type.prefix)
  for (let index = 0; index < count; index++) {
    values.push(unsigned(payload, at + type.prefix + index * type.unit, type.unit))
  }
  return values
}

/** The byte strings behind a count: of one size, or each behind a length of 3 bytes. */
export function byteStrings(payload: Uint8Array, at: number, type: FieldType, layout: Layout): Uint8Array[] {
  checkEnd(payload, endOf(payload, at, type), layout)
  const values: Uint8Array[] = []
  let start = at + type.prefix
  for (let left = unsigned(payload, at, type.prefix); left > 0; left--) {
    const end = type.unit > 0 ? start + type.unit : start + 3 + unsigned(payload, start, 3)
    values.push(view(payload, type.unit > 0 ? start : start + 3, end, layout))
    start = end
  }
  return values
}
