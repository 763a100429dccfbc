import { acquired, released } from '../native/acquired.js'
import {
  allocateBudget,
  allocateBudgetSync,
  type BudgetGrant,
  budgetPoolReport,
  closeBudgetPool,
  createBudgetPool,
  endBudgetPool,
  tryAllocateBudget,
} from '../native/budget.js'
import type { Handle } from '../native/handle.js'
import { departBudgetPool, makeTicket } from '../native/travel.js'
import { nativeWait } from '../native/wait.js'
import type { AllocateOptions } from '../support/allocate.js'
import { zeroArgument } from '../support/allocate.js'
import { integerArgument, optionsArgument } from '../support/arguments.js'
import { FramePoolError, outOfRange } from '../support/errors.js'
import { eventSource, tellClosed, tellCreated, tellOfWait, tellRefused } from '../support/events.js'
import { uncloneable } from '../support/inspectable.js'
import type { Ticket } from '../support/ticket.js'
import type { WaitOptions } from '../support/wait.js'
import { timeoutArgument, waitOptions } from '../support/wait.js'
import { type BudgetAllocation, makeAllocation } from './budget-allocation.js'

/** Size of one buffer of a `BudgetPool`, in bytes. */
export type BufferSize = 8 | 16 | 32 | 64 | 128 | 256 | 512 | 1024 | 2048 | 4096 | 8192 | 16384

/** Figures of a budget pool: see `BudgetPool.stats()`. */
export interface BudgetPoolStats {
  /** Bytes that are granted and not yet released. */
  allocatedBytes: number
  /** Allocations that are not yet released. */
  liveAllocations: number
  /** Requests for which the budget has no room yet. */
  waiting: number
  /** The most that was ever allocated at once, in bytes. */
  peakBytes: number
}

const BUFFER_SIZES: readonly number[] = [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384]

/** The most buffers of one allocation, a limit of frozen_core. */
const MAX_COUNT = 0xffff

/** Key with which the constructor makes the pool of a native pool that has arrived. */
const budgetPoolKey = Symbol('framepool.budget-pool')

type Config = ConstructorParameters<typeof BudgetPool>[0]

let isClosed: (pool: BudgetPool) => boolean

const UNCLONEABLE = Symbol('a BudgetPool is not cloned: post what its share() returns')

/**
 * A pool of equal buffers, allocated as they are requested, which together never exceed `maxMemory`. A request for more than is left
 * waits. Requests that wait are served in the order in which they came. (frozen_core `BufPool`)
 */
export class BudgetPool implements AsyncDisposable {
  readonly #bufferSize: BufferSize
  readonly #maxMemory: number
  readonly #source = eventSource('budget-pool')
  readonly #handle: Handle
  readonly #maxCount: number
  #closing: Promise<void> | null = null
  /** Last figures, once the native part is gone. */
  #final: BudgetPoolStats | null = null

  /**
   * Makes a pool. It allocates nothing yet. (frozen_core `BufPool::new`)
   *
   * @param config `bufferSize`: bytes, a power of two from 8 to 16,384. `maxMemory`: bytes, more than `bufferSize`, at most 2^53 − 1.
   *   Anything else throws `ERR_OUT_OF_RANGE`.
   */
  constructor(config: { bufferSize: BufferSize; maxMemory: number })
  constructor(config: Config, key?: symbol, arrived?: Handle) {
    const { bufferSize, maxMemory } = optionsArgument(config, 'config')
    integerArgument(bufferSize, 'bufferSize', 8, 16384)
    if (!BUFFER_SIZES.includes(bufferSize as number)) {
      throw outOfRange(`bufferSize must be a power of two from 8 to 16384, not ${bufferSize}`)
    }
    this.#bufferSize = bufferSize as BufferSize
    this.#maxMemory = integerArgument(maxMemory, 'maxMemory', this.#bufferSize + 1, Number.MAX_SAFE_INTEGER)
    this.#maxCount = Math.min(MAX_COUNT, Math.floor(this.#maxMemory / this.#bufferSize))
    this.#handle = key === budgetPoolKey ? arrived! : createBudgetPool(this.#bufferSize, this.#maxMemory)
    acquired(this, 'budget-pool', this.#handle, endBudgetPool)
    uncloneable(this, UNCLONEABLE)
    tellCreated(this.#source, this.#maxMemory)
  }

  static {
    isClosed = (pool) => pool.#closing !== null
  }

  /** Size of one buffer in bytes. (frozen_core `BufPoolCfg::buffer_size`) */
  get bufferSize(): BufferSize {
    return this.#bufferSize
  }

  /** The most that can be allocated at once, in bytes. (frozen_core `BufPoolCfg::max_memory`) */
  get maxMemory(): number {
    return this.#maxMemory
  }

  /**
   * Allocates `count` buffers now. Returns null if the budget has no room for them, or others wait. `count` is 1 to 65,535 and no more
   * than `maxMemory` allows, otherwise `ERR_OUT_OF_RANGE`. Throws `ERR_NO_MEMORY` when the system has no memory, and `ERR_CLOSED`
   * once the pool is closed. (frozen_core `BufPool::allocate`, called only when the budget has room)
   */
  tryAllocate(count: number, options?: AllocateOptions): BudgetAllocation | null {
    this.#checkCount(count)
    const zero = zeroArgument(options)
    this.#checkOpen()
    const allocation = tryAllocateBudget(this.#handle, count, zero)
    if (allocation !== null) return this.#lend(allocation, count)
    tellRefused(this.#source, count * this.#bufferSize)
    return null
  }

  /**
   * Allocates `count` buffers when it is the turn of this request. Requests settle in the order in which they were made. Rejects with
   * the errors that `tryAllocate()` throws, with `signal.reason` and with `ERR_TIMEOUT`. (frozen_core `BufPool::allocate`)
   */
  allocate(count: number, options?: WaitOptions & AllocateOptions): Promise<BudgetAllocation> {
    const grant: BudgetGrant = { allocation: null }
    let zero = false
    let waits = false
    const allocation = nativeWait(
      () => {
        const given = waitOptions(options)
        zero = zeroArgument(options)
        return given
      },
      (settled) => {
        this.#checkCount(count)
        this.#checkOpen()
        const wait = allocateBudget(this.#handle, count, zero, grant, settled)
        waits = wait !== 0
        return wait
      },
      () => this.#lend(grant.allocation!, count),
    )
    return waits ? tellOfWait(this.#source, count * this.#bufferSize, allocation) : allocation
  }

  /**
   * Allocates as `allocate()` does, but blocks this thread and its event loop for at most `timeoutMs` (0 to 2^31 − 1). Throws
   * `ERR_TIMEOUT` after that. Only another thread can make room meanwhile. (frozen_core `BufPool::allocate`, which has no timeout)
   */
  allocateSync(count: number, options: { timeoutMs: number } & AllocateOptions): BudgetAllocation {
    const timeoutMs = timeoutArgument(options)
    this.#checkCount(count)
    const zero = zeroArgument(options)
    this.#checkOpen()
    return this.#lend(allocateBudgetSync(this.#handle, count, zero, timeoutMs), count)
  }

  /** Returns the figures of the pool. They are exact at any time, even while the pool is closing and after. */
  stats(): BudgetPoolStats {
    const { allocatedBytes, liveAllocations, waiting, peakBytes } = this.#final ?? budgetPoolReport(this.#handle)
    return { allocatedBytes, liveAllocations, waiting, peakBytes }
  }

  /**
   * Returns a ticket with which another isolate of this process can `adopt()` the pool. Both then have one pool, with one budget and one
   * queue. Throws `ERR_CLOSED` once the pool is closed, and `ERR_NO_MEMORY` when the system has no memory. (`Sync` of a frozen_core
   * `BufPool`)
   */
  share(): Ticket<BudgetPool> {
    this.#checkOpen()
    return { framepool: makeTicket((carrier) => departBudgetPool(this.#handle, carrier)) }
  }

  /**
   * Closes the pool for all isolates that share it. New requests, and those that wait, fail with `ERR_CLOSED`, and tickets that were
   * not adopted are revoked. Resolves when the last allocation is released, and keeps the process alive until then. It never blocks.
   * Idempotent. (Dropping a frozen_core `BufPool`, which blocks there)
   */
  close(): Promise<void> {
    this.#closing ??= nativeWait(
      () => ({}),
      (settled) => closeBudgetPool(this.#handle, settled),
      () => {
        this.#final = endBudgetPool(this.#handle)
        released(this)
        tellClosed(this.#source)
      },
    )
    return this.#closing
  }

  /** Calls `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #checkCount(count: number): void {
    if (!Number.isInteger(count) || count < 1 || count > this.#maxCount) {
      integerArgument(count, 'count', 1, this.#maxCount)
    }
  }

  #checkOpen(): void {
    if (this.#closing !== null) throw new FramePoolError('ERR_CLOSED', 'the pool is closed')
  }

  #lend(allocation: Handle, count: number): BudgetAllocation {
    return makeAllocation(allocation, count, this.#bufferSize)
  }
}

/** Returns whether this isolate has closed `pool`. */
export function isBudgetPoolClosed(pool: BudgetPool): boolean {
  return isClosed(pool)
}

/** Returns the pool of a native pool that has arrived from another isolate. */
export function arrivedBudgetPool(handle: Handle, bufferSize: number, maxMemory: number): BudgetPool {
  const Arrived = BudgetPool as new (config: Config, key: symbol, arrived: Handle) => BudgetPool
  return new Arrived({ bufferSize: bufferSize as BufferSize, maxMemory }, budgetPoolKey, handle)
}
