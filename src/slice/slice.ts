import type { Handle } from '../native/handle.js'
import { copyToHeap } from '../native/heap.js'
import { type Carrier, makeTicket } from '../native/transfer.js'
import { isDetached, lengthOf, nativeBytesArgument } from '../support/arguments.js'
import { FramePoolError, invalidArgType } from '../support/errors.js'
import type { Ticket } from '../threads/ticket.js'
import { heapMemory } from './heap-memory.js'

/** Where a slice's bytes lie, and how they go back. */
export interface SliceMemory {
  /** A view of the memory. Offsets are those of the memory, not of the slice. */
  view(offset: number, length: number): Uint8Array
  release(slot: number): void
  /** The slice leaves this isolate by `carrier`. If that throws, it has not. */
  depart(slot: number, carrier: Carrier): void
}

/** The same where native code knows all of it by one handle: a pool, or a heap slice. */
export interface OwnedMemory extends SliceMemory {
  readonly owner: Handle
}

let isOne: (value: object) => value is Slice
let checkOf: (slice: Slice) => void
let departOf: (slice: Slice, carrier: Carrier) => void

/** Only framepool makes slices. */
export const sliceKey = Symbol('framepool.slice')

/**
 * A run of bytes that its holder owns until `release()`: in a slot of a {@link SlotPool}, or on the heap.
 * After that the memory may become another slice's, and `bytes` throws `ERR_RELEASED`. (buffer_sv2 `Slice`)
 */
export class Slice implements Disposable {
  #memory: SliceMemory | null
  readonly #offset: number
  readonly #length: number
  readonly #slot: number
  #view: Uint8Array | null = null

  /** @internal */
  constructor(key: symbol, memory: SliceMemory, offset: number, length: number, slot: number) {
    if (key !== sliceKey) throw invalidArgType('a Slice comes from getDataOwned() or Slice.from()')
    this.#memory = memory
    this.#offset = offset
    this.#length = length
    this.#slot = slot
  }

  static {
    isOne = (value) => #memory in value
    checkOf = (slice) => {
      slice.#live()
    }
    departOf = (slice, carrier) => {
      slice.#live().depart(slice.#slot, carrier)
      slice.#forget()
    }
  }

  /** A slice that owns a copy of `bytes`, 2^32 − 1 at most, on the heap. `ERR_NO_MEMORY` when there is none. */
  static from(bytes: Uint8Array): Slice {
    const source = nativeBytesArgument(bytes, 'bytes')
    return new Slice(sliceKey, heapMemory(copyToHeap(source)), 0, lengthOf(source), 0)
  }

  /** The bytes, not copied. Throws `ERR_RELEASED` once released or moved. `bytes.buffer` is the whole region of the pool: see `copy()`. */
  get bytes(): Uint8Array {
    const memory = this.#live()
    let view = this.#view
    // An empty view shows no memory.
    if (view === null || (this.#length > 0 && isDetached(view))) {
      view = this.#view = memory.view(this.#offset, this.#length)
    }
    return view
  }

  /** In bytes. */
  get length(): number {
    return this.#length
  }

  /** True for a slice of 0 bytes. */
  get isEmpty(): boolean {
    return this.#length === 0
  }

  /** 1…8 in a pool, null from the heap. */
  get slot(): number | null {
    return this.#slot === 0 ? null : this.#slot
  }

  /** A copy in ordinary JavaScript memory, for APIs that clone, transfer or keep. */
  copy(): Uint8Array {
    const { bytes } = this
    // An empty view that was detached cannot be copied, nor healed.
    return this.#length === 0 ? new Uint8Array(0) : new Uint8Array(bytes)
  }

  /** Gives the memory back. True the first time, false after. */
  release(): boolean {
    const memory = this.#memory
    if (memory === null) return false
    this.#forget()
    memory.release(this.#slot)
    return true
  }

  /**
   * A ticket with which another isolate of this process, or this one, can `adopt()` the slice, without a copy. Here it counts
   * as released: `ERR_RELEASED`. Views of it have length 0 then, except those of a pool's slice: these lie in memory that is
   * shared, and must not be used any more.
   */
  move(): Ticket<Slice> {
    return { framepool: makeTicket((carrier) => departOf(this, carrier)) }
  }

  /** Calls `release()`. */
  [Symbol.dispose](): void {
    this.release()
  }

  #live(): SliceMemory {
    if (this.#memory === null) throw new FramePoolError('ERR_RELEASED', 'the slice was released')
    return this.#memory
  }

  #forget(): void {
    this.#memory = null
    this.#view = null
  }
}

/** False also for what only looks like one. */
export function isSlice(value: object): value is Slice {
  return isOne(value)
}

/** Throws `ERR_RELEASED` if the slice was released. */
export function checkSlice(slice: Slice): void {
  checkOf(slice)
}

/** The slice leaves this isolate by `carrier`: for what does not travel as a ticket. */
export function departSlice(slice: Slice, carrier: Carrier): void {
  departOf(slice, carrier)
}
