/**
 * Reads fields out of payloads. It trusts no count in a payload: `check` and `endOf` find out whether the payload holds a field.
 * They look at the field's last byte, since a script may have given the array another `length`. The other functions read fields
 * that are there. Numbers are little-endian.
 */
import { copyOf, isBytes, lengthOf, partOf } from '../../support/bytes.js'
import { FramePoolError, invalidArgType } from '../../support/errors.js'
import type { Codec, FieldType, Layout } from './layout.js'
import { bigints, floats, LOW, words } from './scratch.js'

/** Largest payload that a frame can have, in bytes. */
export const MAX_PAYLOAD = 0xff_ffff

/** Throws unless the payload has bytes up to `end`, which is not 0. */
export function check(payload: Uint8Array, end: number, layout: Layout): void {
  // Short, so that engines inline it. They need not look for the prototype of an array that they have read. An array of another
  // realm takes the longer way.
  if (!(ArrayBuffer.isView(payload) && payload[end - 1] !== undefined && payload instanceof Uint8Array)) {
    checkAgain(payload, end, layout)
  }
}

function checkAgain(payload: Uint8Array, end: number, layout: Layout): void {
  checkBytes(payload, layout)
  // Throws, and names the field that is not there.
  if (!(payload[end - 1]! >= 0)) upTo(payload, layout)
}

/** Throws unless `bytes` is a Uint8Array. */
export function checkBytes(bytes: Uint8Array, { name }: Layout): void {
  if (!isBytes(bytes)) throw invalidArgType(`${name}: not a Uint8Array`)
}

/** Reads a number of at most 4 bytes. Bytes that are not there count as 0. */
export function number(payload: Uint8Array, at: number, { size }: Pick<FieldType, 'size'>): number {
  let value = 0
  for (let index = size; index-- > 0; ) value = (value << 8) | payload[at + index]!
  return value >>> 0
}

/** Returns where the field that begins at `at` ends; behind the end of the payload if the payload does not hold it. */
export function endOf(payload: Uint8Array, at: number, { size, prefix, most, of }: FieldType): number {
  if (size > 0) return at + size
  let end = at + prefix
  let left = number(payload, at, { size: prefix })
  // An end behind every payload, even after a few fields are added to it. It is a small integer, which engines like.
  if (left > most) return 1 << 29
  if (of!.size > 0) return end + left * of!.size
  for (; left > 0 && payload[end]! >= 0; left--) end = endOf(payload, end, of!)
  // If elements are left, the payload has ended.
  return end + left
}

/**
 * Returns where the first `count` fields end, and reads them into `values` if there is such an object. Throws unless the payload
 * holds them, and a frame could hold the payload.
 */
export function upTo(
  payload: Uint8Array,
  layout: Layout,
  values?: Record<string, unknown> | null,
  count = layout.fields.length,
): number {
  checkBytes(payload, layout)
  if (payload[MAX_PAYLOAD]! >= 0) throw messageError(`${layout.name}: payload too long`)
  let at = 0
  for (let index = 0; index < count; index++) {
    const { name, type } = layout.fields[index]!
    const end = endOf(payload, at, type)
    if (!(payload[end - 1]! >= 0)) {
      throw messageError(`${layout.name}.${name}: no ${type.name} at offset ${at} of ${lengthOf(payload)} bytes`)
    }
    if (values) values[name] = (type as Codec).read(payload, at, type as Codec)
    at = end
  }
  return at
}

/** Makes an error with code `ERR_SV2_MESSAGE`. */
export function messageError(text: string): Error {
  return new FramePoolError('ERR_SV2_MESSAGE', text)
}

export function bool(payload: Uint8Array, at: number): boolean {
  return (payload[at]! & 1) > 0
}

export function u32(payload: Uint8Array, at: number): number {
  return (payload[at]! | (payload[at + 1]! << 8) | (payload[at + 2]! << 16) | (payload[at + 3]! << 24)) >>> 0
}

/** Makes a function that reads a U32 at one place. Its code sees nothing but U32s, so that engines inline all of it. */
export function u32At(at: number, layout: Layout): (payload: Uint8Array) => number {
  return (payload) => {
    check(payload, at + 4, layout)
    return u32(payload, at)
  }
}

export function u64(payload: Uint8Array, at: number): bigint {
  words[LOW] = u32(payload, at)
  words[1 - LOW] = u32(payload, at + 4)
  return bigints[0]!
}

export function f32(payload: Uint8Array, at: number): number {
  words[0] = u32(payload, at)
  return floats[0]!
}

/** Returns a view of the payload's bytes from `at` up to `end`. */
export function view(payload: Uint8Array, at: number, end: number): Uint8Array {
  // Shared memory may say something else than when it was checked.
  if (end > lengthOf(payload)) throw messageError('changed')
  return partOf(payload, at, end - at)
}

/** Reads bytes, behind their count if there is one. */
export function bytes(payload: Uint8Array, at: number, type: FieldType): Uint8Array {
  return view(payload, at + type.prefix, endOf(payload, at, type))
}

/** Reads the text behind a count. Bytes that are not UTF-8 become U+FFFD. */
export function text(payload: Uint8Array, at: number, type: FieldType): string {
  const end = endOf(payload, at, type)
  let ascii = ''
  for (let index = at + type.prefix; index < end; index++) {
    const byte = payload[index]!
    // Copied, since not every decoder takes shared memory.
    if (byte > 0x7f) return utf8.decode(copyOf(view(payload, at + type.prefix, end)))
    ascii += String.fromCharCode(byte)
  }
  return ascii
}

const utf8 = /* @__PURE__ */ new TextDecoder('utf-8', { ignoreBOM: true })

export function optionU32(payload: Uint8Array, at: number): number | null {
  return payload[at] === 0 ? null : u32(payload, at + 1)
}

/** Reads the values behind a count. */
export function list(payload: Uint8Array, at: number, type: Codec): unknown[] {
  const values: unknown[] = []
  const of = type.of!
  let start = at + type.prefix
  for (let left = number(payload, at, { size: type.prefix }); left > 0; left--) {
    values.push(of.read(payload, start, of))
    start = endOf(payload, start, of)
  }
  return values
}
