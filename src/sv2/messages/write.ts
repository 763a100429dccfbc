/** Checks values and writes them into payloads, where there is room for them. Numbers are little-endian. */
import { invalidArgType, outOfRange } from '../../support/errors.js'
import type { FieldType, Layout } from './layout.js'
import { bigints, floats, LOW, MAX_PAYLOAD, words } from './read.js'

const encoder = /* @__PURE__ */ new TextEncoder()

/** Which value an error is about: the index of a field, or a name. */
type Place = number | string

function nameOf({ name, fields }: Layout, place: Place): string {
  return `${name}.${typeof place === 'string' ? place : fields[place]!.name}`
}

/** Makes the error for a value that its field cannot take: of the wrong type, or `given` and out of range. */
function refused(
  layout: Layout,
  place: Place,
  wanted: string,
  value: unknown,
  given?: string | number | bigint,
): Error {
  const text = `${nameOf(layout, place)} must be ${wanted}, not `
  if (given !== undefined) return outOfRange(text + given)
  return invalidArgType(text + (value === null ? 'null' : typeof value))
}

/** Throws unless `value` is a whole number up to `most`, which is less than 2^32. */
export function checkNumber(value: number, most: number, layout: Layout, place: Place): void {
  if (!(value >>> 0 === value && value <= most)) throw notNumber(value, layout, place, most)
}

/** Makes the error for what is no whole number up to `most`. */
export function notNumber(
  value: unknown,
  layout: Layout,
  place: Place,
  most = layout.fields[place as number]!.type.most,
): Error {
  const given = typeof value === 'number' ? value : undefined
  return refused(layout, place, `a whole number from 0 to ${most}`, value, given)
}

/** Throws unless `value` is a number that a float of 32 bits can stand for. */
export function checkFloat(value: number, _most: number, layout: Layout, place: Place): void {
  const isNumber = typeof value === 'number'
  if (isNumber && Number.isFinite(Math.fround(value)) === Number.isFinite(value)) return
  throw refused(layout, place, 'a number in the range of a 32-bit float', value, isNumber ? value : undefined)
}

export function checkBool(value: boolean, _most: number, layout: Layout, place: Place): void {
  if (typeof value !== 'boolean') throw refused(layout, place, 'a boolean', value)
}

export function checkBigint(value: bigint, _most: number, layout: Layout, place: Place): void {
  const isBigint = typeof value === 'bigint'
  if (isBigint && BigInt.asUintN(64, value) === value) return
  throw refused(layout, place, 'a bigint from 0 to 2^64 - 1', value, isBigint ? value : undefined)
}

/** Throws unless `value` is bytes, and from `least` to `most` of them. */
export function checkBytes(value: Uint8Array, least: number, most: number, layout: Layout, place: Place): void {
  const given = isBytes(value) ? value.length : undefined
  if (given !== undefined && given >= least && given <= most) return
  const wanted = `a Uint8Array of ${least === most ? '' : 'at most '}${most} bytes`
  throw refused(layout, place, wanted, value, given)
}

export function checkU256(value: Uint8Array, size: number, layout: Layout, place: Place): void {
  checkBytes(value, size, size, layout, place)
}

/** Whether `value` is a Uint8Array, of this realm or another. */
export function isBytes(value: unknown): value is Uint8Array {
  return (
    value instanceof Uint8Array ||
    (ArrayBuffer.isView(value) && (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === 'Uint8Array')
  )
}

/** The text as it is if it is ASCII, else its bytes. Throws unless it has at most `most` of them. */
export function checkText(value: string | Uint8Array, most: number, layout: Layout, place: Place): string | Uint8Array {
  let encoded = value
  if (typeof value === 'string') {
    let index = 0
    while (index <= most && index < value.length && value.charCodeAt(index) < 0x80) index++
    if (index <= most && index === value.length) return value
    // No character takes less than a byte, so that what is longer need not be encoded.
    if (value.length <= most) encoded = encoder.encode(value)
  } else if (!isBytes(value)) {
    throw refused(layout, place, 'a string or a Uint8Array', value)
  }
  const { length } = encoded
  if (length > most) throw refused(layout, place, `of at most ${most} bytes`, value, length)
  return encoded
}

/** A copy of the list, which nobody else can change, once `check` has seen each of its elements. */
export function checkList<T>(
  value: readonly T[],
  most: number,
  layout: Layout,
  place: Place,
  check: (element: T, place: string) => void,
): T[] {
  if (!Array.isArray(value)) throw refused(layout, place, 'an array', value)
  const { length } = value
  if (length > most) throw refused(layout, place, `an array of at most ${most}`, value, length)
  const list: T[] = []
  for (let index = 0; index < length; index++) {
    list.push(value[index] as T)
    check(list[index] as T, `${typeof place === 'string' ? place : layout.fields[place]!.name}[${index}]`)
  }
  return list
}

export function checkNumbers(value: readonly number[], type: FieldType, layout: Layout, place: Place): number[] {
  const most = 2 ** (type.unit * 8) - 1
  return checkList(value, type.most, layout, place, (element, where) => checkNumber(element, most, layout, where))
}

export function checkByteStrings(
  value: readonly Uint8Array[],
  type: FieldType,
  layout: Layout,
  place: Place,
): Uint8Array[] {
  const { unit } = type
  return checkList(value, type.most, layout, place, (element, where) => {
    checkBytes(element, unit, unit || MAX_PAYLOAD, layout, where)
  })
}

/** Bytes that such a list takes, its count included. */
export function byteStringsSize(list: readonly Uint8Array[], { prefix, unit }: FieldType): number {
  let size = prefix
  for (const element of list) size += unit || 3 + element.length
  return size
}

/**
 * Whether `size` bytes of fields are to be written into `target`: without one only the size was asked for. Throws if
 * they, and `extra` bytes of TLVs, are more than a frame or the target can take.
 */
export function isTarget(target: Uint8Array | null, size: number, extra: number, layout: Layout): target is Uint8Array {
  const room = target === null ? MAX_PAYLOAD : Math.min(target.length, MAX_PAYLOAD)
  if (size + extra <= room) return target !== null
  throw outOfRange(`${layout.name}: a payload of ${size + extra} bytes, where there is room for ${room}`)
}

export function checkFields<F extends object>(fields: F, layout: Layout): F {
  if (typeof fields !== 'object' || fields === null) throw invalidArgType(`${layout.name}: fields must be an object`)
  return fields
}

// These return where the next field begins.

export function putU8(target: Uint8Array, at: number, value: number): number {
  target[at] = value
  return at + 1
}

export function putU16(target: Uint8Array, at: number, value: number): number {
  target[at] = value
  target[at + 1] = value >>> 8
  return at + 2
}

export function putU24(target: Uint8Array, at: number, value: number): number {
  target[at + 2] = value >>> 16
  return putU16(target, at, value) + 1
}

export function putU32(target: Uint8Array, at: number, value: number): number {
  target[at] = value
  target[at + 1] = value >>> 8
  target[at + 2] = value >>> 16
  target[at + 3] = value >>> 24
  return at + 4
}

export function putBool(target: Uint8Array, at: number, value: boolean): number {
  return putU8(target, at, value ? 1 : 0)
}

export function putU64(target: Uint8Array, at: number, value: bigint): number {
  bigints[0] = value
  putU32(target, at, words[LOW]!)
  return putU32(target, at + 4, words[1 - LOW]!)
}

export function putF32(target: Uint8Array, at: number, value: number): number {
  floats[0] = value
  return putU32(target, at, words[0]!)
}

export function putBytes(target: Uint8Array, at: number, value: Uint8Array): number {
  target.set(value, at)
  return at + value.length
}

function putCount(target: Uint8Array, at: number, value: number, size: number): number {
  for (let index = 0; index < size; index++) target[at + index] = value >>> (8 * index)
  return at + size
}

/** A count, then the bytes, or the characters of a text that is ASCII. */
export function putCounted(target: Uint8Array, at: number, value: Uint8Array | string, prefix: number): number {
  const start = putCount(target, at, value.length, prefix)
  if (typeof value !== 'string') return putBytes(target, start, value)
  for (let index = 0; index < value.length; index++) target[start + index] = value.charCodeAt(index)
  return start + value.length
}

export function putOptionU32(target: Uint8Array, at: number, value: number | null): number {
  target[at] = value === null ? 0 : 1
  return value === null ? at + 1 : putU32(target, at + 1, value)
}

export function putNumbers(target: Uint8Array, at: number, list: readonly number[], type: FieldType): number {
  let end = putCount(target, at, list.length, type.prefix)
  for (const value of list) end = putCount(target, end, value, type.unit)
  return end
}

export function putByteStrings(target: Uint8Array, at: number, list: readonly Uint8Array[], type: FieldType): number {
  let end = putCount(target, at, list.length, type.prefix)
  for (const value of list) end = type.unit > 0 ? putBytes(target, end, value) : putCounted(target, end, value, 3)
  return end
}
