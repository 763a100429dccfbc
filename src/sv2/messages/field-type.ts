import type { Codec, FieldType } from './layout.js'
import { bool, bytes, f32, list, number, optionU32, text, u32, u64 } from './read.js'
import { putBool, putBytes, putF32, putList, putNumber, putOptionU32, putText, putU32, putU64 } from './write.js'

export const { freeze } = Object

/** Makes a type. The functions belong to the kind of values. */
function type<T>(
  name: string,
  kind: FieldType['kind'],
  read: (payload: Uint8Array, at: number, type: Codec) => unknown,
  put: Codec<T>['put'],
  size: number,
  prefix = 0,
  most = 0,
  of: Codec | null = null,
): Codec {
  return freeze({ name, kind, size, prefix, most, of, read, put: put as Codec['put'] })
}

// Values of one size, so that one can be overwritten by another.
export const BOOL = /* @__PURE__ */ type('BOOL', 'boolean', bool, putBool, 1)
export const U8 = /* @__PURE__ */ type('U8', 'number', number, putNumber, 1)
export const U16 = /* @__PURE__ */ type('U16', 'number', number, putNumber, 2)
export const U24 = /* @__PURE__ */ type('U24', 'number', number, putNumber, 3)
export const U32 = /* @__PURE__ */ type('U32', 'number', u32, putU32, 4)
export const F32 = /* @__PURE__ */ type('F32', 'number', f32, putF32, 4)
export const U64 = /* @__PURE__ */ type('U64', 'bigint', u64, putU64, 8)
export const U256 = /* @__PURE__ */ type('U256', 'bytes', bytes, putBytes, 32, 0, 32)
// Values behind a count.
export const STR0_255 = /* @__PURE__ */ type('STR0_255', 'string or bytes', text, putText, 0, 1, 255, U8)
export const B0_32 = /* @__PURE__ */ type('B0_32', 'bytes', bytes, putBytes, 0, 1, 32, U8)
export const B0_255 = /* @__PURE__ */ type('B0_255', 'bytes', bytes, putBytes, 0, 1, 255, U8)
export const B0_64K = /* @__PURE__ */ type('B0_64K', 'bytes', bytes, putBytes, 0, 2, 0xffff, U8)
const B0_16M = /* @__PURE__ */ type('B0_16M', 'bytes', bytes, putBytes, 0, 3, 0xff_ffff, U8)
export const OPTION_U32 = /* @__PURE__ */ type('OPTION[U32]', 'number', optionU32, putOptionU32, 0, 1, 1, U32)
export const SEQ0_255_U256 = /* @__PURE__ */ type('SEQ0_255[U256]', 'list', list, putList, 0, 1, 255, U256)
export const SEQ0_64K_U16 = /* @__PURE__ */ type('SEQ0_64K[U16]', 'list', list, putList, 0, 2, 0xffff, U16)
export const SEQ0_64K_U32 = /* @__PURE__ */ type('SEQ0_64K[U32]', 'list', list, putList, 0, 2, 0xffff, U32)
export const SEQ0_64K_U256 = /* @__PURE__ */ type('SEQ0_64K[U256]', 'list', list, putList, 0, 2, 0xffff, U256)
export const SEQ0_64K_B0_16M = /* @__PURE__ */ type('SEQ0_64K[B0_16M]', 'list', list, putList, 0, 2, 0xffff, B0_16M)
