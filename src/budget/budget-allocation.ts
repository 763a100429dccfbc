import { budgetAllocationView, releaseBudgetAllocation } from '../native/budget.js'
import type { Handle } from '../native/handle.js'
import { ShownMemory } from '../native/shown-memory.js'
import { DEBUG, trace, untrace } from '../native/trace.js'
import { type Carrier, depart, makeTicket } from '../native/transfer.js'
import { Kind } from '../native/words.js'
import { isDetached } from '../support/arguments.js'
import { FramePoolError, invalidArgType } from '../support/errors.js'
import type { Ticket } from '../threads/ticket.js'

/** Only framepool makes allocations. */
export const allocationKey = Symbol('framepool.allocation')

let isOne: (value: object) => value is BudgetAllocation
let checkOf: (allocation: BudgetAllocation) => void
let departOf: (allocation: BudgetAllocation, carrier: Carrier) => void

/**
 * `length` buffers of equal size in one contiguous region, which its holder owns until `release()`. After that the memory
 * is freed: views of it have length 0, and asking for new ones throws `ERR_RELEASED`. (frozen_core `BufPoolAllocation`)
 */
export class BudgetAllocation implements Disposable, Iterable<Uint8Array> {
  #handle: Handle | null
  readonly #length: number
  readonly #bufferSize: number
  /** Most of what an ArrayBuffer over native memory costs is making it, so it is made when first asked for. */
  #shown: ShownMemory | null = null
  #view: Uint8Array | null = null

  /** @internal */
  constructor(key: symbol, handle: Handle, length: number, bufferSize: number) {
    if (key !== allocationKey) throw invalidArgType('a BudgetAllocation comes from a BudgetPool')
    this.#handle = handle
    this.#length = length
    this.#bufferSize = bufferSize
    if (DEBUG) trace(this, 'allocation', handle, freeAllocation(handle))
  }

  static {
    isOne = (value) => #handle in value
    checkOf = (allocation) => {
      allocation.#live()
    }
    departOf = (allocation, carrier) => {
      const handle = allocation.#live()
      depart(Kind.Allocation, handle, carrier)
      allocation.#forget()
      if (DEBUG) untrace(allocation)
    }
  }

  /** How many buffers. */
  get length(): number {
    return this.#length
  }

  /** `length` times the pool's buffer size. */
  get allocatedBytes(): number {
    return this.#length * this.#bufferSize
  }

  /** All of it, not copied. Not cleared unless it was allocated with `zero`. Throws `ERR_RELEASED` once released or moved. */
  get bytes(): Uint8Array {
    const length = this.#length * this.#bufferSize
    let view = this.#view
    if (view === null || isDetached(view)) view = this.#view = this.#memory().view(0, length)
    return view
  }

  /** The first buffer. */
  first(): Uint8Array {
    return this.#buffer(0)
  }

  /** The buffer at `index`, from the end if it is negative, like `Array.prototype.at`. */
  at(index: number): Uint8Array | undefined {
    if (typeof index !== 'number') throw invalidArgType(`index must be a number, not ${typeof index}`)
    const place = Math.trunc(index) || 0
    const at = place < 0 ? this.#length + place : place
    if (at < 0 || at >= this.#length) {
      this.#memory()
      return undefined
    }
    return this.#buffer(at)
  }

  /** Every buffer in turn. */
  *[Symbol.iterator](): Iterator<Uint8Array> {
    for (let index = 0; index < this.#length; index++) yield this.#buffer(index)
  }

  /** Frees the memory and lets those who wait for it have it. True the first time, false after. */
  release(): boolean {
    const handle = this.#handle
    if (handle === null) return false
    this.#forget()
    releaseBudgetAllocation(handle)
    if (DEBUG) untrace(this)
    return true
  }

  /**
   * A ticket with which another isolate of this process, or this one, can `adopt()` the allocation, without a copy. Here it
   * counts as released: views of it have length 0. It goes on counting towards its pool's budget.
   * `ERR_CLOSED` once the pool is closed, which waits for its release.
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

/** False also for what only looks like one. */
export function isAllocation(value: object): value is BudgetAllocation {
  return isOne(value)
}

/** Throws `ERR_RELEASED` if the allocation was released. */
export function checkAllocation(allocation: BudgetAllocation): void {
  checkOf(allocation)
}

/** The allocation leaves this isolate by `carrier`: for what does not travel as a ticket. */
export function departAllocation(allocation: BudgetAllocation, carrier: Carrier): void {
  departOf(allocation, carrier)
}

function freeAllocation(handle: Handle): () => void {
  return () => releaseBudgetAllocation(handle, true)
}
