/**
 * Writes values into payloads; see `Codec.put`. Without a target it finds out how long they will be, and which their types
 * cannot take. Numbers are little-endian.
 */
import { copyInto, isBytes, lengthOf } from '../../support/bytes.js'
import { invalidArgType, outOfRange } from '../../support/errors.js'
import type { Codec, FieldType, Layout } from './layout.js'
import { check, MAX_PAYLOAD } from './read.js'
import { bigints, floats, LOW, words } from './scratch.js'

type Target = Uint8Array | null

/** A type returns this for a value that it cannot take. */
export const UNFIT = Number.NaN

export const { isArray } = Array

/** Writes the values of all fields from `at` on, and returns where they end. Throws for the first that its field cannot take. */
export function putAll(target: Target, at: number, layout: Layout, values: readonly unknown[]): number {
  let end = at
  layout.fields.forEach(({ name, type }, index) => {
    end = (type as Codec).put(target, end, values[index], type as Codec)
    if (!(end >= 0)) throw unfit(`${layout.name}.${name}`, type as Codec, values[index])
  })
  return end
}

/** Makes the error for a value that a type cannot take: of another kind, or out of range. */
export function unfit(place: string, { name, kind, of }: Codec, value: unknown): Error {
  const index = of && isArray(value) ? value.findIndex((element) => !(of.put(null, 0, element, of) >= 0)) : -1
  if (index >= 0) return unfit(`${place}[${index}]`, of!, (value as unknown[])[index])
  const given = isBytes(value) ? 'bytes' : isArray(value) ? 'list' : typeof value
  const text = `${place}: ${given === 'number' ? value : given} is no ${name}`
  return kind.includes(given) ? outOfRange(text) : invalidArgType(text)
}

/** Returns the target, or a new array if there is none. Throws unless it has room for `length` bytes, and a frame could hold them. */
export function room(target: Target | undefined, length: number, { name }: Layout): Target {
  if (length > MAX_PAYLOAD || (target && !(target[length - 1]! >= 0)))
    throw outOfRange(`${name}: no room for ${length} bytes`)
  return target === undefined ? new Uint8Array(length) : target
}

/** Reads the values of all fields, each once, so that nobody can change them later. A missing value becomes undefined. */
export function valuesOf(given: object | null | undefined, fields: Layout['fields']): unknown[] {
  return fields.map(({ name, type }) => copied(given?.[name as keyof object], type))
}

/** Returns a copy of a list, which nobody else can change. Returns any other value as it is. */
export function copied(values: unknown, { most }: Pick<FieldType, 'most'>): unknown {
  if (!isArray(values)) return values
  const copies: unknown[] = []
  // One more than allowed is enough to be refused.
  for (const value of values) if (copies.push(value) > most) break
  return copies
}

export function isU32(value: unknown): boolean {
  return typeof value === 'number' && value >>> 0 === value
}

/** Writes a number of at most 3 bytes. */
export function putNumber(target: Target, at: number, value: number, { size }: Pick<FieldType, 'size'>): number {
  if (!isU32(value) || value >>> (8 * size) > 0) return UNFIT
  if (target) for (let index = 0; index < size; index++) target[at + index] = value >>> (8 * index)
  return at + size
}

export function putU32(target: Target, at: number, value: number): number {
  if (!isU32(value)) return UNFIT
  if (target) writeU32(target, at, value)
  return at + 4
}

/** Makes a function that overwrites a U32 at one place, as `u32At` reads one. `refuse` throws for a value that is not a U32. */
export function setU32At(at: number, layout: Layout, refuse: Setter): Setter {
  return (payload, value) => {
    if (!isU32(value)) return refuse(payload, value)
    check(payload, at + 4, layout)
    writeU32(payload, at, value as number)
  }
}

type Setter = (payload: Uint8Array, value: unknown) => void

/** Writes a U32 that has been checked. */
export function writeU32(target: Uint8Array, at: number, value: number): void {
  target[at] = value
  target[at + 1] = value >>> 8
  target[at + 2] = value >>> 16
  target[at + 3] = value >>> 24
}

export function putBool(target: Target, at: number, value: boolean, type: FieldType): number {
  return putNumber(target, at, value === Boolean(value) ? Number(value) : UNFIT, type)
}

export function isU64(value: unknown): boolean {
  return typeof value === 'bigint' && BigInt.asUintN(64, value) === value
}

export function putU64(target: Target, at: number, value: bigint): number {
  if (!isU64(value)) return UNFIT
  if (target) writeU64(target, at, value)
  return at + 8
}

/** Writes a U64 that has been checked. */
export function writeU64(target: Uint8Array, at: number, value: bigint): void {
  bigints[0] = value
  writeU32(target, at, words[LOW]!)
  writeU32(target, at + 4, words[1 - LOW]!)
}

export function putF32(target: Target, at: number, value: number): number {
  // Infinity is one, but no number becomes one.
  if (typeof value !== 'number' || Number.isFinite(Math.fround(value)) !== Number.isFinite(value)) return UNFIT
  floats[0] = value
  return putU32(target, at, words[0]!)
}

/** Writes bytes, behind their count if there is one. */
export function putBytes(target: Target, at: number, value: Uint8Array, { size, prefix, most }: FieldType): number {
  const length = isBytes(value) ? lengthOf(value) : UNFIT
  if (!(length >= size && length <= most)) return UNFIT
  if (target) {
    putNumber(target, at, length, { size: prefix })
    copyInto(target, value, at + prefix)
  }
  return at + prefix + length
}

export function putText(target: Target, at: number, value: string | Uint8Array, type: FieldType): number {
  // No character takes less than a byte, so a text that is too long need not be encoded.
  const encoded = typeof value === 'string' && value.length <= type.most ? encoder.encode(value) : value
  return putBytes(target, at, encoded as Uint8Array, type)
}

const encoder = /* @__PURE__ */ new TextEncoder()

export function putOptionU32(target: Target, at: number, value: number | null): number {
  const end = putNumber(target, at, value === null ? 0 : 1, { size: 1 })
  return value === null ? end : putU32(target, end, value)
}

/** Writes a list that `copied` has returned. */
export function putList(target: Target, at: number, values: readonly unknown[], type: Codec): number {
  const { prefix, most, of } = type
  if (!isArray(values) || values.length > most) return UNFIT
  let end = putNumber(target, at, values.length, { size: prefix })
  for (const value of values) end = of!.put(target, end, value, of!)
  return end
}
