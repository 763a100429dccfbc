import type { Slice } from '../slice/slice.js'

/** buffer_sv2 `Write`. Growing buffers (slot pool, system memory) take everything, spilling to the heap; a ring takes what fits. */
export interface Write {
  /** Writes as much of `source` as fits; returns the bytes written. */
  write(source: Uint8Array): number
  /** Writes all of `source`, or throws `ERR_WRITE_ZERO` (beyond 2^32 − 1 bytes, or a ring's room) and writes nothing. */
  writeAll(source: Uint8Array): void
}

/** buffer_sv2 `Buffer`. A view that it hands out is valid until the next call on the same buffer. */
export interface Buffer extends Write {
  /** Reserves `length` more bytes after what is written, and returns them to be filled. They hold what was there before. */
  getWritable(length: number): Uint8Array
  /** Hands over what is written as a slice, and starts the next one. */
  getDataOwned(): Slice
  /** The first `length` bytes written so far (all of them if there are fewer), without taking them. */
  getDataByRef(length: number): Uint8Array
  /** Bytes written and not yet taken, hidden ones included. */
  readonly length: number
  /** True when nothing is written that was not taken. */
  readonly isEmpty: boolean
  /** True when no slice of it is alive. */
  readonly isDroppable: boolean
  /** Hides the first `index` bytes from `AeadBuffer`'s view, until the next `getDataOwned()`. More than `length`: `ERR_OUT_OF_RANGE`. */
  dangerSetStart(index: number): void
}

/** `aead::Buffer`: what in-place encryption and decryption need. */
export interface AeadBuffer {
  /** From the start set by `dangerSetStart` to the end of what is written. */
  readonly bytes: Uint8Array
  /** Appends all of `source`. */
  extendFromSlice(source: Uint8Array): void
  /** Keeps the first `length` bytes of `bytes`. More than there are: `ERR_OUT_OF_RANGE`. */
  truncate(length: number): void
}
