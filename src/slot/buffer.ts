import type { Slice } from '../slice/slice.js'

/**
 * Takes bytes. A slot pool and a system memory buffer take them all, and spill to the heap. A ring takes what fits. (buffer_sv2
 * `Write`)
 */
export interface Write {
  /** Writes as much of `source` as fits. Returns the bytes written. */
  write(source: Uint8Array): number
  /** Writes all of `source`. Throws `ERR_WRITE_ZERO` and writes nothing beyond 2^32 − 1 bytes, or beyond the room of a ring. */
  writeAll(source: Uint8Array): void
}

/** A buffer in which one message after the other is written and taken. Its views are valid until the next call on it. (buffer_sv2 `Buffer`) */
export interface Buffer extends Write {
  /** Reserves `length` more bytes behind what is written, and returns them to be filled. They hold what was there before. */
  getWritable(length: number): Uint8Array
  /** Takes what is written as a slice, and begins the next message. */
  getDataOwned(): Slice
  /** Returns the first `length` bytes written and not yet taken, or all of them if there are fewer. They stay in the buffer. */
  getDataByRef(length: number): Uint8Array
  /** Bytes written and not yet taken, hidden ones included. */
  readonly length: number
  /** True when no bytes are written that were not taken. */
  readonly isEmpty: boolean
  /** True when no slice of the buffer is alive. */
  readonly isDroppable: boolean
  /** Hides the first `index` bytes from `AeadBuffer.bytes` until the next `getDataOwned()`. Throws `ERR_OUT_OF_RANGE` beyond `length`. */
  dangerSetStart(index: number): void
}

/** A buffer that can be encrypted and decrypted in place. (`aead::Buffer`) */
export interface AeadBuffer {
  /** The bytes from the start that `dangerSetStart()` set to the end of what is written. */
  readonly bytes: Uint8Array
  /** Appends all of `source`. */
  extendFromSlice(source: Uint8Array): void
  /** Keeps the first `length` bytes of `bytes`. Throws `ERR_OUT_OF_RANGE` if there are fewer. */
  truncate(length: number): void
}
