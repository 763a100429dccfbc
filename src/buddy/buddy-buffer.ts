import { releaseBuddyBuffer } from '../native/buddy.js'
import type { Handle } from '../native/handle.js'
import { DEBUG, trace, untrace } from '../native/trace.js'
import { type Carrier, makeTicket } from '../native/transfer.js'
import {
  bytesArgument,
  copyInto,
  firstOf,
  integerArgument,
  isDetached,
  lengthOf,
  partOf,
} from '../support/arguments.js'
import { FramePoolError, invalidArgType, outOfRange } from '../support/errors.js'
import type { Ticket } from '../threads/ticket.js'
import type { BuddyMemory, Lease } from './buddy-memory.js'

/** Only framepool makes buffers. */
export const buddyKey = Symbol('framepool.buddy')

let isOne: (value: object) => value is BuddyBuffer
let checkOf: (buffer: BuddyBuffer) => void
let departOf: (buffer: BuddyBuffer, carrier: Carrier) => void

/**
 * A buffer of a {@link BuddyPool}, its holder's until `release()`. After that the memory may become another buffer's, and
 * all but `length` and `capacity` throws `ERR_RELEASED`. (ruapc-bufpool `Buffer`)
 */
export class BuddyBuffer implements Disposable {
  readonly #lease: Lease
  /** Null once released. */
  #memory: BuddyMemory | null
  /** Of the logical length's bytes, if they were asked for since it changed. */
  #view: Uint8Array | null
  #length: number

  /** @internal */
  constructor(key: symbol, memory: BuddyMemory, lease: Lease, length?: number) {
    if (key !== buddyKey) throw invalidArgType('a BuddyBuffer comes from a BuddyPool')
    this.#lease = lease
    this.#memory = memory
    this.#length = length ?? lease.capacity
    this.#view = this.#length === lease.capacity ? lease.view : null
    if (DEBUG) trace(this, 'buddy-buffer', lease.handle, freeBuffer(lease.handle))
  }

  static {
    isOne = (value) => #memory in value
    checkOf = (buffer) => {
      buffer.#live()
    }
    departOf = (buffer, carrier) => {
      buffer.#live().departBuffer(buffer.#lease, buffer.#length, carrier)
      buffer.#forget()
      if (DEBUG) untrace(buffer)
    }
  }

  /**
   * The logical length's bytes, not copied; at first all that it can hold. What they contain is what was there before.
   * Throws `ERR_RELEASED` once released or moved. `bytes.buffer` is the whole block of 64 MiB.
   */
  get bytes(): Uint8Array {
    const view = this.#view
    return view !== null && (this.#length === 0 || !isDetached(view)) ? view : this.#show()
  }

  /** The logical length in bytes. */
  get length(): number {
    return this.#length
  }

  /** What it can hold, in bytes: 16, 64 or 256 KiB, 1, 4, 16 or 64 MiB. */
  get capacity(): number {
    return this.#lease.capacity
  }

  /** Changes the logical length. Beyond the capacity: `ERR_OUT_OF_RANGE`. */
  setLength(length: number): void {
    this.#live()
    this.#length = integerArgument(length, 'length', 0, this.#lease.capacity)
    this.#view = null
  }

  /** Appends `source` at the logical length. Beyond the capacity: `ERR_OUT_OF_RANGE`, and nothing has changed. */
  extendFromSlice(source: Uint8Array): void {
    const bytes = bytesArgument(source, 'source')
    const all = this.#all(this.#live())
    const added = lengthOf(bytes)
    const length = this.#length + added
    if (length > this.capacity) throw outOfRange(`${length} bytes do not fit into the capacity of ${this.capacity}`)
    // A detached array has no bytes, and set() would refuse it.
    if (added > 0) copyInto(all, firstOf(bytes, added), this.#length)
    this.#length = length
    this.#view = null
  }

  /** Gives the memory back. True the first time, false after. */
  release(): boolean {
    const memory = this.#memory
    if (memory === null) return false
    this.#forget()
    memory.release(this.#lease)
    if (DEBUG) untrace(this)
    return true
  }

  /**
   * A ticket with which another isolate of this process, or this one, can `adopt()` the buffer, without a copy and with its
   * logical length. Here it counts as released: views of it lie in memory that is shared, and must not be used any more.
   * `ERR_CLOSED` once the pool is closed, which waits for its release.
   */
  move(): Ticket<BuddyBuffer> {
    return { framepool: makeTicket((carrier) => departOf(this, carrier)) }
  }

  /** Calls `release()`. */
  [Symbol.dispose](): void {
    this.release()
  }

  #live(): BuddyMemory {
    if (this.#memory === null) throw new FramePoolError('ERR_RELEASED', 'the buffer was released')
    return this.#memory
  }

  #forget(): void {
    this.#memory = null
    this.#view = null
  }

  #all(memory: BuddyMemory): Uint8Array {
    const lease = this.#lease
    if (isDetached(lease.view)) lease.view = memory.view(lease)
    return lease.view
  }

  #show(): Uint8Array {
    const lease = this.#lease
    const all = this.#all(this.#live())
    this.#view = this.#length === lease.capacity ? all : partOf(all, 0, this.#length)
    return this.#view
  }
}

/** False also for what only looks like one. */
export function isBuddyBuffer(value: object): value is BuddyBuffer {
  return isOne(value)
}

/** Throws `ERR_RELEASED` if the buffer was released. */
export function checkBuddyBuffer(buffer: BuddyBuffer): void {
  checkOf(buffer)
}

/** The buffer leaves this isolate by `carrier`: for what does not travel as a ticket. */
export function departBuddyBuffer(buffer: BuddyBuffer, carrier: Carrier): void {
  departOf(buffer, carrier)
}

function freeBuffer(handle: Handle): () => void {
  return () => releaseBuddyBuffer(handle, true)
}
