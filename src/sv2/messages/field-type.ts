import type { FieldType, Layout } from './layout.js'
import {
  checkBigint,
  checkBool,
  checkFloat,
  checkNumber,
  checkU256,
  putBool,
  putBytes,
  putF32,
  putU8,
  putU16,
  putU24,
  putU32,
  putU64,
} from './write.js'

/** A type whose values all take the same size, so that one can be overwritten by another. */
export interface FixedType<T> extends FieldType {
  /** Throws unless the field of index `place` can take the value; numbers go up to `most`. */
  check(value: T, most: number, layout: Layout, place: number): void
  put(target: Uint8Array, at: number, value: T): void
}

function fixed<T>(
  name: string,
  size: number,
  most: number,
  check: FixedType<T>['check'],
  put: FixedType<T>['put'],
): FixedType<T> {
  return { name, size, prefix: 0, most, unit: 0, longest: size, check, put }
}

function counted(name: string, prefix: number, most: number, unit: number): FieldType {
  // A length of 3 bytes allows as much as a frame can carry.
  return { name, size: 0, prefix, most, unit, longest: unit > 0 ? prefix + most * unit : 0xff_ffff }
}

export const BOOL = /* @__PURE__ */ fixed('BOOL', 1, 0, checkBool, putBool)
export const U8 = /* @__PURE__ */ fixed('U8', 1, 0xff, checkNumber, putU8)
export const U16 = /* @__PURE__ */ fixed('U16', 2, 0xffff, checkNumber, putU16)
export const U24 = /* @__PURE__ */ fixed('U24', 3, 0xff_ffff, checkNumber, putU24)
export const U32 = /* @__PURE__ */ fixed('U32', 4, 0xffff_ffff, checkNumber, putU32)
export const F32 = /* @__PURE__ */ fixed('F32', 4, 0, checkFloat, putF32)
export const U64 = /* @__PURE__ */ fixed('U64', 8, 0, checkBigint, putU64)
export const U256 = /* @__PURE__ */ fixed('U256', 32, 32, checkU256, putBytes)
export const STR0_255 = /* @__PURE__ */ counted('STR0_255', 1, 255, 1)
export const B0_32 = /* @__PURE__ */ counted('B0_32', 1, 32, 1)
export const B0_255 = /* @__PURE__ */ counted('B0_255', 1, 255, 1)
export const B0_64K = /* @__PURE__ */ counted('B0_64K', 2, 0xffff, 1)
export const OPTION_U32 = /* @__PURE__ */ counted('OPTION[U32]', 1, 1, 4)
export const SEQ0_255_U256 = /* @__PURE__ */ counted('SEQ0_255[U256]', 1, 255, 32)
export const SEQ0_64K_U16 = /* @__PURE__ */ counted('SEQ0_64K[U16]', 2, 0xffff, 2)
export const SEQ0_64K_U32 = /* @__PURE__ */ counted('SEQ0_64K[U32]', 2, 0xffff, 4)
export const SEQ0_64K_U256 = /* @__PURE__ */ counted('SEQ0_64K[U256]', 2, 0xffff, 32)
export const SEQ0_64K_B0_16M = /* @__PURE__ */ counted('SEQ0_64K[B0_16M]', 2, 0xffff, 0)
