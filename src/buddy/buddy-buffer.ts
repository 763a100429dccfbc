import { isShown } from '../native/shown-memory.js'
import { type Carrier, makeTicket } from '../native/travel.js'
import type { TakenBytes } from '../slice/slice.js'
import { bytesArgument, copyInto, firstOf, integerArgument, lengthOf, partOf } from '../support/arguments.js'
import { FramePoolError, invalidArgType, outOfRange } from '../support/errors.js'
import type { Ticket } from '../support/ticket.js'
import type { BuddyMemory } from './buddy-memory.js'
import type { Lease } from './lease.js'

/** Key of the constructor: only this module has it. */
const buddyKey = Symbol('framepool.buddy')

let isOne: (value: object) => value is BuddyBuffer
let checkOf: (buffer: BuddyBuffer) => void
let takeOf: (buffer: BuddyBuffer) => TakenBytes
let departOf: (buffer: BuddyBuffer, carrier: Carrier) => void

const UNCLONEABLE = Symbol('a BuddyBuffer is not cloned: post what its move() returns')

/**
 * A buffer of a {@link BuddyPool}, which belongs to the caller until `release()`. After that the memory may become that of another
 * buffer, and all members but `length` and `capacity` throw `ERR_RELEASED`. (ruapc-bufpool `Buffer`)
 */
export class BuddyBuffer implements Disposable {
  /** Number with which the buffer was sent, if it has come from a channel with one: see `SliceSender.send()`. */
  declare tag?: number
  readonly #lease: Lease
  /** Null once released. */
  #memory: BuddyMemory | null
  #length: number
  /** Shows the bytes of the logical length, if they were shown since that changed. */
  #view: Uint8Array | null

  /** @internal */
  constructor(key: symbol, memory: BuddyMemory, lease: Lease, length?: number) {
    if (key !== buddyKey) throw invalidArgType('a BuddyBuffer comes from a BuddyPool')
    const { capacity } = lease
    this.#lease = lease
    this.#memory = memory
    this.#length = length ?? capacity
    this.#view = this.#length === capacity ? lease.view : null
    // As `uncloneable()` does, without a call: this runs for each buffer.
    ;(this as { uncloneable?: symbol }).uncloneable = UNCLONEABLE
  }

  static {
    isOne = (value) => #memory in value
    checkOf = (buffer) => {
      buffer.#live()
    }
    takeOf = (buffer) => {
      const [memory, lease, { bytes }] = [buffer.#live(), buffer.#lease, buffer]
      buffer.#forget()
      return { bytes, release: () => memory.release(lease) }
    }
    departOf = (buffer, carrier) => {
      buffer.#live().departBuffer(buffer.#lease, buffer.#length, carrier)
      buffer.#forget()
    }
  }

  /**
   * The bytes of the logical length, not copied: at first the whole capacity. They hold what was there before. Throws `ERR_RELEASED`
   * once the buffer is released or moved, and `ERR_INVALID_STATE` if a {@link BlockBackend} gave the block and detached it. `bytes.buffer`
   * is the whole block of 64 MiB. (ruapc_bufpool `Buffer::as_slice`, `as_mut_slice`)
   */
  get bytes(): Uint8Array {
    const view = this.#view
    return isShown(view, this.#length) ? view : this.#show()
  }

  /** Logical length in bytes. (ruapc_bufpool `Buffer::len`) */
  get length(): number {
    return this.#length
  }

  /** The most that the buffer can hold: 16, 64 or 256 KiB, 1, 4, 16 or 64 MiB, in bytes. (ruapc_bufpool `Buffer::capacity`) */
  get capacity(): number {
    return this.#lease.capacity
  }

  /**
   * Changes the logical length. Throws `ERR_OUT_OF_RANGE` beyond the capacity, and `ERR_RELEASED` once the buffer is released or moved.
   * (ruapc_bufpool `Buffer::set_len`, which panics there)
   */
  setLength(length: number): void {
    this.#live()
    this.#length = integerArgument(length, 'length', 0, this.#lease.capacity)
    this.#view = null
  }

  /**
   * Appends `source` at the logical length. Throws `ERR_OUT_OF_RANGE` beyond the capacity, and the errors of `bytes`. Nothing has changed
   * then. (ruapc_bufpool `Buffer::extend_from_slice`)
   */
  extendFromSlice(source: Uint8Array): void {
    const bytes = bytesArgument(source, 'source')
    this.#live()
    const lease = this.#lease
    const added = lengthOf(bytes)
    const length = this.#length + added
    if (length > lease.capacity) throw outOfRange(`${length} bytes do not fit into the capacity of ${lease.capacity}`)
    // A detached array has no bytes, and set() would refuse it.
    if (added > 0) copyInto(lease.show(), firstOf(bytes, added), this.#length)
    this.#length = length
    this.#view = null
  }

  /** Gives the memory back. Returns true the first time, and false after that. (Dropping a ruapc_bufpool `Buffer`) */
  release(): boolean {
    const memory = this.#memory
    if (memory === null) return false
    this.#forget()
    memory.release(this.#lease)
    return true
  }

  /**
   * Returns a ticket with which this isolate, or another of this process, can `adopt()` the buffer, without a copy and with its logical
   * length. In this isolate the buffer counts as released from here on. Views of it lie in memory that is shared: do not use them any
   * more. Throws `ERR_RELEASED` once the buffer is released or moved, `ERR_CLOSED` once the pool is closed, which waits for the release,
   * `ERR_INVALID_STATE` if the pool has a {@link BlockBackend}, and `ERR_NO_MEMORY` when the system has no memory. (`Send` of a ruapc_bufpool
   * `Buffer`)
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

  #show(): Uint8Array {
    this.#live()
    const whole = this.#lease.show()
    this.#view = this.#length === this.#lease.capacity ? whole : partOf(whole, 0, this.#length)
    return this.#view
  }

  #forget(): void {
    this.#memory = null
    this.#view = null
  }
}

/** Makes the buffer of a lease. `length` is its logical length in bytes, by default the capacity. */
export function makeBuddyBuffer(memory: BuddyMemory, lease: Lease, length?: number): BuddyBuffer {
  return new BuddyBuffer(buddyKey, memory, lease, length)
}

/** Returns whether `value` is a buddy buffer. An object that only inherits from the prototype does not count. */
export function isBuddyBuffer(value: object): value is BuddyBuffer {
  return isOne(value)
}

/** Throws `ERR_RELEASED` if `buffer` was released or moved. */
export function checkBuddyBuffer(buffer: BuddyBuffer): void {
  checkOf(buffer)
}

/** Takes the bytes out of `buffer`. Throws `ERR_RELEASED` if it was released or moved. */
export function takeBuddyBuffer(buffer: BuddyBuffer): TakenBytes {
  return takeOf(buffer)
}

/** Sends `buffer` to another isolate by `carrier`. If that throws, the buffer has not left. */
export function departBuddyBuffer(buffer: BuddyBuffer, carrier: Carrier): void {
  departOf(buffer, carrier)
}
