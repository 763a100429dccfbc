import type { Slice } from '../slice/slice.js'
import { bytesArgument, copyInto, copyOf, firstOf, integerArgument, lengthOf, MAX_BYTES } from '../support/arguments.js'
import { FramePoolError, outOfRange } from '../support/errors.js'
import type { AeadBuffer, Buffer } from './buffer.js'

/** Memory that a growing buffer writes into. Its callers have checked the arguments. */
export interface GrowingMemory {
  /** Bytes written and not yet taken. */
  readonly length: number
  /** Returns `length` more bytes to be filled. */
  writable(length: number): Uint8Array
  /** Returns a view of `length` of the bytes written, beginning at `from`. */
  pending(from: number, length: number): Uint8Array
  /** Keeps `length` bytes behind the first `hidden` ones, which stay. */
  truncate(hidden: number, length: number): void
  /** Takes what is written as a slice. */
  take(): Slice
  /** Returns whether `source` lies where bytes are written, which may move when more are asked for. */
  holds(source: Uint8Array): boolean
  /** Throws `ERR_CLOSED` once the memory is closed. */
  checkOpen(): void
}

/** The base of `SlotPool` and `SystemMemoryBuffer`, which implements `Buffer`, `Write` and `AeadBuffer`. */
export abstract class GrowingBuffer implements Buffer, AeadBuffer {
  readonly #memory: GrowingMemory
  /** Number of written bytes that `dangerSetStart()` hides. */
  #hidden = 0

  constructor(memory: GrowingMemory) {
    this.#memory = memory
  }

  abstract readonly isDroppable: boolean

  getWritable(length: number): Uint8Array {
    const memory = this.#memory
    // The sum is checked, too: offsets and lengths are 32 bits wide in the native core.
    if (!Number.isInteger(length) || length < 0 || memory.length + length > MAX_BYTES) refuse(length, memory)
    return memory.writable(length)
  }

  getDataOwned(): Slice {
    const slice = this.#memory.take()
    this.#hidden = 0
    return slice
  }

  getDataByRef(length: number): Uint8Array {
    integerArgument(length, 'length', 0, MAX_BYTES)
    this.#memory.checkOpen()
    return this.#memory.pending(0, Math.min(length, this.#memory.length))
  }

  get length(): number {
    return this.#memory.length
  }

  /** True when no bytes are written that were not taken. (buffer_sv2 `Buffer::is_empty`) */
  get isEmpty(): boolean {
    return this.#memory.length === 0
  }

  dangerSetStart(index: number): void {
    this.#memory.checkOpen()
    this.#hidden = integerArgument(index, 'index', 0, this.#memory.length)
  }

  get bytes(): Uint8Array {
    const memory = this.#memory
    memory.checkOpen()
    return memory.pending(this.#hidden, memory.length - this.#hidden)
  }

  /**
   * Appends all of `source`. Throws `ERR_OUT_OF_RANGE` if the message would exceed 2^32 − 1 bytes, `ERR_NO_MEMORY`, `ERR_MEMORY_LIMIT` at the
   * `heapLimit` of a pool, and `ERR_CLOSED` once a pool is closed. Nothing is written then. (buffer_sv2 `AeadBuffer::extend_from_slice`)
   */
  extendFromSlice(source: Uint8Array): void {
    this.#append(bytesArgument(source, 'source'), outOfRange)
  }

  truncate(length: number): void {
    const memory = this.#memory
    memory.checkOpen()
    memory.truncate(this.#hidden, integerArgument(length, 'length', 0, memory.length - this.#hidden))
  }

  write(source: Uint8Array): number {
    const bytes = bytesArgument(source, 'source')
    // Counted first, since appending may detach `source` if it is a view of this buffer.
    const count = Math.min(lengthOf(bytes), MAX_BYTES - this.#memory.length)
    this.#append(firstOf(bytes, count), outOfRange)
    return count
  }

  writeAll(source: Uint8Array): void {
    this.#append(bytesArgument(source, 'source'), (message) => new FramePoolError('ERR_WRITE_ZERO', message))
  }

  #append(source: Uint8Array, tooMuch: (message: string) => Error): void {
    const memory = this.#memory
    const told = lengthOf(source)
    if (memory.length + told > MAX_BYTES) throw tooMuch(`a message cannot exceed ${MAX_BYTES} bytes`)
    // A script may have replaced the getter before framepool was loaded. What is counted here must be what native code is told.
    const length = told >>> 0
    const bytes = length > 0 && memory.holds(source) ? copyOf(source) : firstOf(source, length)
    const room = memory.writable(length)
    // A detached array has no bytes, and set() would refuse it.
    copyInto(room, bytes, 0)
  }
}

/** Throws the error for a length that is no number of bytes, or that is more than a message may still take. */
function refuse(length: number, memory: GrowingMemory): void {
  integerArgument(length, 'length', 0, MAX_BYTES - memory.length)
}
