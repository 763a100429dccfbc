import type { Slice } from '../slice/slice.js'

/**
 * Takes bytes. A slot pool and a system memory buffer take them all, and spill to the heap. A ring takes what fits. (buffer_sv2
 * `Write`)
 */
export interface Write {
  /**
   * Writes as much of `source` as fits. Returns the bytes written. A slot pool and a system memory buffer throw `ERR_NO_MEMORY`, a slot pool
   * also `ERR_MEMORY_LIMIT` at its `heapLimit` and `ERR_CLOSED` once it is closed. A producer throws `ERR_BUSY` while it is in use,
   * `ERR_CLOSED` once it has ended, and `ERR_RELEASED` once it is released or moved. (buffer_sv2 `Write::write`)
   */
  write(source: Uint8Array): number
  /**
   * Writes all of `source`. Throws `ERR_WRITE_ZERO` and writes nothing beyond 2^32 − 1 bytes, or beyond the room of a ring. Otherwise it
   * throws the errors of `write()`. (buffer_sv2 `Write::write_all`)
   */
  writeAll(source: Uint8Array): void
}

/** A buffer in which one message after the other is written and taken. Its views are valid until the next call on it. (buffer_sv2 `Buffer`) */
export interface Buffer extends Write {
  /**
   * Reserves `length` more bytes behind what is written, and returns them to be filled. They hold what was there before. Throws
   * `ERR_OUT_OF_RANGE` if the message would exceed 2^32 − 1 bytes, `ERR_NO_MEMORY` if the system has no memory, `ERR_MEMORY_LIMIT` at the
   * `heapLimit` of a pool, and `ERR_CLOSED` once a pool is closed. (buffer_sv2 `Buffer::get_writable`)
   */
  getWritable(length: number): Uint8Array
  /**
   * Takes what is written as a slice, and begins the next message. Throws `ERR_NO_MEMORY` if the system has no memory, and `ERR_CLOSED` once a
   * pool is closed. (buffer_sv2 `Buffer::get_data_owned`)
   */
  getDataOwned(): Slice
  /**
   * Returns the first `length` bytes written and not yet taken, or all of them if there are fewer. They stay in the buffer. Throws
   * `ERR_CLOSED` once a pool is closed. (buffer_sv2 `Buffer::get_data_by_ref`)
   */
  getDataByRef(length: number): Uint8Array
  /** Bytes written and not yet taken, hidden ones included. (buffer_sv2 `Buffer::len`) */
  readonly length: number
  /** True when no bytes are written that were not taken. (buffer_sv2 `Buffer::is_empty`) */
  readonly isEmpty: boolean
  /** True when no slice of the buffer is alive. (buffer_sv2 `Buffer::is_droppable`) */
  readonly isDroppable: boolean
  /**
   * Hides the first `index` bytes from `AeadBuffer.bytes` until the next `getDataOwned()`. Throws `ERR_OUT_OF_RANGE` beyond `length`, and
   * `ERR_CLOSED` once a pool is closed. (buffer_sv2 `Buffer::danger_set_start`)
   */
  dangerSetStart(index: number): void
}

/** A buffer that can be encrypted and decrypted in place. (`aead::Buffer`) */
export interface AeadBuffer {
  /** The bytes from the start that `dangerSetStart()` set to the end of what is written. Throws `ERR_CLOSED` once a pool is closed. (buffer_sv2 `AsRef`, `AsMut`) */
  readonly bytes: Uint8Array
  /**
   * Appends all of `source`. Throws `ERR_OUT_OF_RANGE` if the message would exceed 2^32 − 1 bytes, `ERR_NO_MEMORY`,
   * `ERR_MEMORY_LIMIT` at the `heapLimit` of a pool, and `ERR_CLOSED` once a pool is closed. (buffer_sv2 `AeadBuffer::extend_from_slice`)
   */
  extendFromSlice(source: Uint8Array): void
  /**
   * Keeps the first `length` bytes of `bytes`. Throws `ERR_OUT_OF_RANGE` if there are fewer, and `ERR_CLOSED` once a pool is closed.
   * (buffer_sv2 `AeadBuffer::truncate`)
   */
  truncate(length: number): void
}
