import { whenCollected } from '../native/acquired.js'
import type { Handle } from '../native/handle.js'
import { releaseSlice } from '../native/heap.js'
import { ShownMemory } from '../native/shown-memory.js'
import {
  growSystemMessage,
  type SystemMessage,
  systemMessageView,
  takeSystemMessage,
  truncateSystemMessage,
} from '../native/system-memory.js'
import { heapMemory } from '../slice/heap-memory.js'
import { makeSlice, type Slice } from '../slice/slice.js'
import type { SliceCount } from '../slice/slice-memory.js'
import { bufferOf } from '../support/arguments.js'
import type { GrowingMemory } from './growing-buffer.js'

/**
 * Memory of a `SystemMemoryBuffer`. It has native memory only while a message is being written, so that a dropped buffer leaves nothing
 * behind.
 */
export class SystemMemory implements GrowingMemory {
  length = 0
  readonly #slices: SliceCount = { alive: 0 }
  readonly #message: SystemMessage = { handle: null, moved: false }
  #shown: ShownMemory | null = null

  constructor() {
    this.watch(this.#message)
  }

  /** Whether no slice of the buffer is alive. */
  get isDroppable(): boolean {
    return this.#slices.alive === 0
  }

  writable(length: number): Uint8Array {
    const message = this.#message
    // It may run code of the user, which may use this buffer. Nothing has begun by then.
    if (message.handle === null) this.beginning()
    const isNew = message.handle === null
    growSystemMessage(message, length)
    const handle = message.handle!
    if (message.moved) this.#shown = new ShownMemory(() => systemMessageView(handle))
    if (isNew) this.begun(handle)
    const before = this.length
    try {
      const view = this.pending(before, length)
      this.length = before + length
      return view
    } catch (error) {
      truncateSystemMessage(handle, 0, before)
      if (isNew) this.take().release()
      throw error
    }
  }

  pending(from: number, length: number): Uint8Array {
    return length === 0 || this.#shown === null ? new Uint8Array(0) : this.#shown.view(from, length)
  }

  truncate(hidden: number, length: number): void {
    const { handle } = this.#message
    if (handle !== null) truncateSystemMessage(handle, hidden, length)
    this.length = hidden + length
  }

  take(): Slice {
    const message = this.#message
    const isNew = message.handle === null
    if (isNew) growSystemMessage(message, 0)
    const { slice, length } = takeSystemMessage(message.handle!)
    const shown = this.#shown
    message.handle = null
    this.#shown = null
    this.length = 0
    if (!isNew) this.taken()
    return makeSlice(heapMemory(slice, this.#slices, shown), 0, length, 0, null)
  }

  holds(source: Uint8Array): boolean {
    // Growing hides what was shown, even if nothing is in it.
    return this.#shown?.shows(bufferOf(source)) ?? false
  }

  checkOpen(): void {
    // There is nothing to close.
  }

  /** Arranges that the memory of `message` is freed when this object is collected. */
  protected watch(message: SystemMessage): void {
    whenCollected(this, message, abandonPending)
  }

  /** Notes that a message is to begin. */
  protected beginning(): void {}

  /** Notes that a message was begun, in the memory that `handle` names. It must not run code of the user. */
  protected begun(_handle: Handle): void {}

  /** Notes that the message was taken. */
  protected taken(): void {}
}

/** Frees a message if one was begun and not taken. */
function abandonPending(message: SystemMessage): void {
  if (message.handle !== null) abandonSystemMessage(message.handle)
}

/** Frees a message whose buffer was collected. Views of it may still be in use, and keep the memory. */
export function abandonSystemMessage(handle: Handle): void {
  releaseSlice(takeSystemMessage(handle).slice, true)
}
