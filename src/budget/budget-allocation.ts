import { abandonBudgetAllocation, budgetAllocationView, releaseBudgetAllocation } from '../native/budget.js'
import type { Handle } from '../native/handle.js'
import { isShown, ShownMemory } from '../native/shown-memory.js'
import { traceInDebugMode, untraceInDebugMode } from '../native/trace.js'
import { type Carrier, departBudgetAllocation, makeTicket } from '../native/travel.js'
import type { TakenBytes } from '../slice/slice.js'
import { placeArgument } from '../support/arguments.js'
import { FramePoolError, invalidArgType } from '../support/errors.js'
import { uncloneable } from '../support/inspectable.js'
import type { Ticket } from '../support/ticket.js'

/** Key of the constructor: only this module has it. */
const allocationKey = Symbol('framepool.allocation')

let isOne: (value: object) => value is BudgetAllocation
let checkOf: (allocation: BudgetAllocation) => void
let takeOf: (allocation: BudgetAllocation) => TakenBytes
let departOf: (allocation: BudgetAllocation, carrier: Carrier) => void

const UNCLONEABLE = Symbol('a BudgetAllocation is not cloned: post what its move() returns')

/**
 * `length` buffers of equal size in one contiguous region, which belong to the caller until `release()`. After that the memory is
 * freed: views of it have length 0, and asking for new ones throws `ERR_RELEASED`. (frozen_core `BufPoolAllocation`)
 */
export class BudgetAllocation implements Disposable, Iterable<Uint8Array> {
  /** Number with which the allocation was sent, if it has come from a channel with one: see `SliceSender.send()`. */
  declare tag?: number
  #handle: Handle | null
  readonly #length: number
  readonly #bufferSize: number
  /** Made when first asked for: an ArrayBuffer over native memory costs more than the allocation itself. */
  #shown: ShownMemory | null = null
  #view: Uint8Array | null = null

  /** @internal */
  constructor(key: symbol, handle: Handle, length: number, bufferSize: number) {
    if (key !== allocationKey) throw invalidArgType('a BudgetAllocation comes from a BudgetPool')
    this.#handle = handle
    this.#length = length
    this.#bufferSize = bufferSize
    traceInDebugMode(this, 'allocation', handle, abandonBudgetAllocation)
    uncloneable(this, UNCLONEABLE)
  }

  static {
    isOne = (value) => #handle in value
    checkOf = (allocation) => {
      allocation.#live()
    }
    takeOf = (allocation) => {
      const [handle, { bytes }] = [allocation.#live(), allocation]
      allocation.#forget()
      untraceInDebugMode(allocation)
      return { bytes, release: () => releaseBudgetAllocation(handle) }
    }
    departOf = (allocation, carrier) => {
      departBudgetAllocation(allocation.#live(), carrier)
      allocation.#forget()
      untraceInDebugMode(allocation)
    }
  }

  /** Number of buffers. (frozen_core `BufPoolAllocation::length`) */
  get length(): number {
    return this.#length
  }

  /** Size of all buffers in bytes: `length` times the buffer size of the pool. (frozen_core `BufPoolAllocation::allocated_bytes`) */
  get allocatedBytes(): number {
    return this.#length * this.#bufferSize
  }

  /**
   * The bytes of all buffers, not copied. They hold what was there before unless the memory was allocated with `zero`. Throws
   * `ERR_RELEASED` once the allocation is released or moved, and `ERR_NO_MEMORY` when the system has no memory to show them.
   */
  get bytes(): Uint8Array {
    const length = this.#length * this.#bufferSize
    let view = this.#view
    if (!isShown(view, length)) view = this.#view = this.#memory().view(0, length)
    return view
  }

  /**
   * Returns the first buffer. Throws the errors of `bytes`. (frozen_core `BufPoolAllocation::first`, a pointer there)
   */
  first(): Uint8Array {
    return this.#buffer(0)
  }

  /**
   * Returns the buffer at `index`, or undefined if there is none. A negative index counts from the end, as with
   * `Array.prototype.at`. Throws `ERR_INVALID_ARG_TYPE` if `index` is not a number, and the errors of `bytes`.
   */
  at(index: number): Uint8Array | undefined {
    const place = placeArgument(index, this.#length)
    if (place !== -1) return this.#buffer(place)
    this.#live()
    return undefined
  }

  /** Yields every buffer in turn. Throws the errors of `bytes`. (frozen_core `BufPoolAllocation::iter`) */
  *[Symbol.iterator](): Iterator<Uint8Array> {
    for (let index = 0; index < this.#length; index++) yield this.#buffer(index)
  }

  /**
   * Frees the memory, which the next request that waits can have. Returns true the first time, and false after that. (Dropping a frozen_core
   * `BufPoolAllocation`)
   */
  release(): boolean {
    const handle = this.#handle
    if (handle === null) return false
    this.#forget()
    releaseBudgetAllocation(handle)
    untraceInDebugMode(this)
    return true
  }

  /**
   * Returns a ticket with which this isolate, or another of this process, can `adopt()` the allocation, without a copy. In this isolate
   * the allocation counts as released from here on, and views of it have length 0. It counts towards the budget of its pool as
   * before. Throws `ERR_RELEASED` once the allocation is released or moved, `ERR_CLOSED` once the pool is closed, which waits for the
   * release, and `ERR_NO_MEMORY` when the system has no memory. (`Send` of a frozen_core `BufPoolAllocation`)
   */
  move(): Ticket<BudgetAllocation> {
    return { framepool: makeTicket((carrier) => departOf(this, carrier)) }
  }

  /** Calls `release()`. */
  [Symbol.dispose](): void {
    this.release()
  }

  #buffer(index: number): Uint8Array {
    return this.#memory().view(index * this.#bufferSize, this.#bufferSize)
  }

  #memory(): ShownMemory {
    const handle = this.#live()
    this.#shown ??= new ShownMemory(() => budgetAllocationView(handle))
    return this.#shown
  }

  #live(): Handle {
    if (this.#handle === null) throw new FramePoolError('ERR_RELEASED', 'the allocation was released')
    return this.#handle
  }

  #forget(): void {
    this.#handle = null
    this.#view = null
  }
}

/** Makes the allocation of `length` buffers that `handle` names. */
export function makeAllocation(handle: Handle, length: number, bufferSize: number): BudgetAllocation {
  return new BudgetAllocation(allocationKey, handle, length, bufferSize)
}

/** Returns whether `value` is an allocation. An object that only inherits from the prototype does not count. */
export function isAllocation(value: object): value is BudgetAllocation {
  return isOne(value)
}

/** Throws `ERR_RELEASED` if `allocation` was released or moved. */
export function checkAllocation(allocation: BudgetAllocation): void {
  checkOf(allocation)
}

/** Takes the bytes out of `allocation`. Throws `ERR_RELEASED` if it was released or moved. */
export function takeAllocation(allocation: BudgetAllocation): TakenBytes {
  return takeOf(allocation)
}

/** Sends `allocation` to another isolate by `carrier`. If that throws, the allocation has not left. */
export function departAllocation(allocation: BudgetAllocation, carrier: Carrier): void {
  departOf(allocation, carrier)
}
