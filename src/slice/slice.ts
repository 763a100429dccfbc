import { copyToHeap } from '../native/heap.js'
import { isShown } from '../native/shown-memory.js'
import { type Carrier, makeTicket } from '../native/travel.js'
import { copyOf, lengthOf, nativeBytesArgument } from '../support/arguments.js'
import { FramePoolError, invalidArgType } from '../support/errors.js'
import type { Ticket } from '../support/ticket.js'
import { heapMemory } from './heap-memory.js'
import type { SliceMemory } from './slice-memory.js'

let isOne: (value: object) => value is Slice
let checkOf: (slice: Slice) => void
let departOf: (slice: Slice, carrier: Carrier) => void
let takeOf: (slice: Slice) => TakenBytes

/** Bytes that were taken out of their object, which counts as released from here on. */
export interface TakenBytes {
  readonly bytes: Uint8Array
  /** Gives the memory back. */
  release(): void
}

/** Key of the constructor: only this module has it. */
const sliceKey = Symbol('framepool.slice')

const UNCLONEABLE = Symbol('a Slice is not cloned: post what its move() returns')

/**
 * Bytes that belong to the caller until `release()`, in a slot of a {@link SlotPool} or on the heap. After that the memory may become
 * that of another slice, and `bytes` throws `ERR_RELEASED`. (buffer_sv2 `Slice`)
 */
export class Slice implements Disposable {
  /** Number with which the slice was sent, if it has come from a channel with one: see `SliceSender.send()`. */
  declare tag?: number
  #memory: SliceMemory | null
  readonly #offset: number
  readonly #length: number
  readonly #slot: number
  #view: Uint8Array | null

  /** @internal */
  constructor(key: symbol, memory: SliceMemory, offset: number, length: number, slot: number, view: Uint8Array | null) {
    if (key !== sliceKey) refuseKey()
    this.#memory = memory
    this.#offset = offset
    this.#length = length
    this.#slot = slot
    this.#view = view
    // As `uncloneable()` does, without a call: this runs for each message.
    ;(this as { uncloneable?: symbol }).uncloneable = UNCLONEABLE
  }

  static {
    isOne = (value) => #memory in value
    checkOf = (slice) => {
      slice.#live()
    }
    takeOf = (slice) => {
      const [memory, slot, { bytes }] = [slice.#live(), slice.#slot, slice]
      slice.#forget()
      return { bytes, release: () => memory.release(slot) }
    }
    departOf = (slice, carrier) => {
      slice.#live().depart(slice.#slot, carrier)
      slice.#forget()
    }
  }

  /**
   * Returns a slice on the heap that owns a copy of `bytes`, at most 2^32 − 1. Throws `ERR_NO_MEMORY` when the system has no memory
   * for it.
   */
  static from(bytes: Uint8Array): Slice {
    const source = nativeBytesArgument(bytes, 'bytes')
    return makeSlice(heapMemory(copyToHeap(source)), 0, lengthOf(source), 0, null)
  }

  /**
   * The bytes, not copied. Throws `ERR_RELEASED` once the slice is released or moved. For a slice in a slot, `bytes.buffer` is the
   * whole region of the pool: see `copy()`.
   */
  get bytes(): Uint8Array {
    // A released slice has no view, and a view of no bytes has no element.
    const view = this.#view
    return view !== null && view[0] !== undefined ? view : this.#shown()
  }

  /** Length in bytes. */
  get length(): number {
    return this.#length
  }

  /** True for a slice of 0 bytes. */
  get isEmpty(): boolean {
    return this.#length === 0
  }

  /** Slot of the pool, 1 to 32, or null for a slice on the heap. */
  get slot(): number | null {
    return this.#slot === 0 ? null : this.#slot
  }

  /**
   * Returns a copy of the bytes in ordinary JavaScript memory, for APIs that clone, transfer or keep them. Throws `ERR_RELEASED` once
   * the slice is released or moved.
   */
  copy(): Uint8Array {
    return copyOf(this.bytes)
  }

  /** Gives the memory back. Returns true the first time, and false after that. */
  release(): boolean {
    const memory = this.#memory
    if (memory === null) return false
    this.#forget()
    memory.release(this.#slot)
    return true
  }

  /**
   * Returns a ticket with which this isolate, or another of this process, can `adopt()` the slice, without a copy. In this isolate
   * the slice counts as released from here on. Views of a heap slice have length 0 then. Views of a slice in a slot lie in memory that
   * is shared: do not use them any more. Throws `ERR_RELEASED` once the slice is released or moved, and `ERR_NO_MEMORY` when the system has
   * no memory. (`Send` of a buffer_sv2 `Slice`)
   */
  move(): Ticket<Slice> {
    return { framepool: makeTicket((carrier) => departOf(this, carrier)) }
  }

  /** Calls `release()`. */
  [Symbol.dispose](): void {
    this.release()
  }

  /** Returns the view of the bytes, which is made if there is none or if a script has detached it. */
  #shown(): Uint8Array {
    const memory = this.#live()
    let view = this.#view
    if (!isShown(view, this.#length)) view = this.#view = memory.view(this.#offset, this.#length, this.#slot)
    return view
  }

  #live(): SliceMemory {
    return this.#memory ?? refuseReleased()
  }

  #forget(): void {
    this.#memory = null
    this.#view = null
  }
}

function refuseReleased(): never {
  throw new FramePoolError('ERR_RELEASED', 'the slice was released')
}

function refuseKey(): never {
  throw invalidArgType('a Slice comes from getDataOwned() or Slice.from()')
}

/**
 * Makes a slice of `length` bytes at `offset` of `memory`, in a slot of a pool (1 to 32) or on the heap (0). `view` shows them already, unless
 * it is null.
 */
export function makeSlice(
  memory: SliceMemory,
  offset: number,
  length: number,
  slot: number,
  view: Uint8Array | null,
): Slice {
  return new Slice(sliceKey, memory, offset, length, slot, view)
}

/** Returns whether `value` is a slice. An object that only inherits from the prototype does not count. */
export function isSlice(value: object): value is Slice {
  return isOne(value)
}

/** Throws `ERR_RELEASED` if `slice` was released or moved. */
export function checkSlice(slice: Slice): void {
  checkOf(slice)
}

/** Takes the bytes out of `slice`. Throws `ERR_RELEASED` if it was released or moved. */
export function takeSlice(slice: Slice): TakenBytes {
  return takeOf(slice)
}

/** Sends `slice` to another isolate by `carrier`. If that throws, the slice has not left. */
export function departSlice(slice: Slice, carrier: Carrier): void {
  departOf(slice, carrier)
}
