import { whenCollected } from '../native/acquired.js'
import { reply } from '../native/call.js'
import type { Handle } from '../native/handle.js'
import { releaseHeapSlice, replyHeapHandle } from '../native/heap.js'
import { ShownMemory } from '../native/shown-memory.js'
import { systemMemoryView, takeSystemMemory, truncateSystemMemory, writableSystemMemory } from '../native/system.js'
import { DEBUG, trace, untrace } from '../native/trace.js'
import { Word } from '../native/words.js'
import { heapMemory, type SliceCount } from '../slice/heap-memory.js'
import { Slice, sliceKey } from '../slice/slice.js'
import { bufferOf, integerArgument, MAX_BYTES } from '../support/arguments.js'
import { GrowingBuffer, type GrowingMemory } from './growing-buffer.js'

class SystemMemory implements GrowingMemory, SliceCount {
  /** Native memory is there only while a message is being written, so a buffer that is dropped leaves nothing behind. */
  readonly #native: { handle: Handle | null } = { handle: null }
  #shown: ShownMemory | null = null
  length = 0
  hidden = 0
  liveHeapSlices = 0

  constructor() {
    // Debug mode traces each message.
    if (!DEBUG) whenCollected(this, freeMemoryOf(this.#native))
  }

  writable(length: number): Uint8Array {
    const known = this.#native.handle
    const handle = writableSystemMemory(known, length)
    const moved = reply(Word.Moved) === 1
    if (known === null) this.#begin(handle)
    if (moved) this.#shown = new ShownMemory(() => systemMemoryView(handle))
    const before = this.length
    this.length = before + length
    return this.pending(before, length)
  }

  pending(from: number, length: number): Uint8Array {
    return length === 0 || this.#shown === null ? new Uint8Array(0) : this.#shown.view(from, length)
  }

  truncate(length: number): void {
    const { handle } = this.#native
    if (handle !== null) truncateSystemMemory(handle, this.hidden, length)
    this.length = this.hidden + length
  }

  take(): Slice {
    const { handle } = this.#native
    takeSystemMemory(handle ?? writableSystemMemory(null, 0))
    const heap = replyHeapHandle()
    const length = reply(Word.Length)
    const shown = this.#shown
    this.#native.handle = null
    this.#shown = null
    this.length = 0
    this.hidden = 0
    if (DEBUG && handle !== null) untrace(this)
    return new Slice(sliceKey, heapMemory(heap, this, shown), 0, length, 0)
  }

  #begin(handle: Handle): void {
    this.#native.handle = handle
    if (DEBUG) trace(this, 'system-memory-buffer', handle, freeMemoryOf({ handle }))
  }

  holds(source: Uint8Array): boolean {
    // Also with nothing in it: growing detaches what was shown.
    return this.#shown?.shows(bufferOf(source)) ?? false
  }

  checkOpen(): void {
    // Nothing to close: it holds only what is being written.
  }
}

/** buffer_sv2's `BufferFromSystemMemory`: a new allocation for every slice. For where speed does not matter. */
export class SystemMemoryBuffer extends GrowingBuffer {
  readonly #memory: SystemMemory

  /**
   * Makes an empty buffer.
   *
   * @param initialCapacity In bytes, 0 … 2^32 − 1. Accepted as in the crate, which does not use it either.
   */
  constructor(initialCapacity = 0) {
    integerArgument(initialCapacity, 'initialCapacity', 0, MAX_BYTES)
    const memory = new SystemMemory()
    super(memory)
    this.#memory = memory
  }

  /** True when no slice of it is alive. */
  override get isDroppable(): boolean {
    return this.#memory.liveHeapSlices === 0
  }
}

/** Frees the native memory that there is by then. */
function freeMemoryOf(native: { readonly handle: Handle | null }): () => void {
  return () => {
    if (native.handle === null) return
    takeSystemMemory(native.handle)
    releaseHeapSlice(replyHeapHandle(), true)
  }
}
