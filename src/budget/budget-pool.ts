import { acquired, released } from '../native/acquired.js'
import {
  allocateBudget,
  allocateBudgetSync,
  budgetPoolReport,
  closeBudgetPool,
  createBudgetPool,
  endBudgetPool,
  tryAllocateBudget,
} from '../native/budget.js'
import { replyHandle } from '../native/call.js'
import type { Handle } from '../native/handle.js'
import { depart, makeTicket } from '../native/transfer.js'
import { nativeWait } from '../native/wait.js'
import { Kind } from '../native/words.js'
import { booleanArgument, integerArgument, optionsArgument } from '../support/arguments.js'
import { FramePoolError, outOfRange } from '../support/errors.js'
import type { AllocateOptions, WaitOptions } from '../support/wait.js'
import { MAX_TIMEOUT_MS, waitOptions } from '../support/wait.js'
import type { Ticket } from '../threads/ticket.js'
import { allocationKey, BudgetAllocation } from './budget-allocation.js'

/** Size of one buffer of a `BudgetPool`, in bytes. */
export type BufferSize = 8 | 16 | 32 | 64 | 128 | 256 | 512 | 1024 | 2048 | 4096 | 8192 | 16384

/** Figures of a budget pool: see `BudgetPool.stats()`. */
export interface BudgetPoolStats {
  /** What is granted and not yet released. */
  allocatedBytes: number
  /** Allocations that are not yet released. */
  liveAllocations: number
  /** Requests for which the budget has no room yet. */
  waiting: number
  /** The most that was ever allocated at once. */
  peakBytes: number
}

const BUFFER_SIZES: readonly number[] = [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384]

/** The most buffers of one allocation: frozen_core's own limit. */
const MAX_COUNT = 0xffff

/** A pool of another isolate that has arrived in this one. */
export class SharedBudget {
  readonly handle: Handle
  readonly bufferSize: BufferSize
  readonly maxMemory: number

  constructor(handle: Handle, bufferSize: number, maxMemory: number) {
    this.handle = handle
    this.bufferSize = bufferSize as BufferSize
    this.maxMemory = maxMemory
  }
}

/**
 * frozen_core's `BufPool`: equal buffers, allocated as they are asked for, that together never exceed `maxMemory`.
 * A request for more than is left waits. Requests that wait are served in the order in which they came.
 */
export class BudgetPool implements AsyncDisposable {
  readonly #bufferSize: BufferSize
  readonly #maxMemory: number
  readonly #handle: Handle
  readonly #maxCount: number
  #closing: Promise<void> | null = null
  /** The last report of a pool whose native part is gone. */
  #final: BudgetPoolStats | null = null

  /**
   * Makes a pool.
   *
   * @param config `bufferSize`: bytes, a power of two from 8 to 16,384; `maxMemory`: bytes, more than `bufferSize`, at most
   *   2^53 − 1. Anything else: `ERR_OUT_OF_RANGE`. Nothing is allocated yet.
   */
  constructor(config: { bufferSize: BufferSize; maxMemory: number }) {
    const { bufferSize, maxMemory } = optionsArgument(config, 'config')
    integerArgument(bufferSize, 'bufferSize', 8, 16384)
    if (!BUFFER_SIZES.includes(bufferSize as number)) {
      throw outOfRange(`bufferSize must be a power of two from 8 to 16384, not ${bufferSize}`)
    }
    this.#bufferSize = bufferSize as BufferSize
    this.#maxMemory = integerArgument(maxMemory, 'maxMemory', this.#bufferSize + 1, Number.MAX_SAFE_INTEGER)
    this.#maxCount = Math.min(MAX_COUNT, Math.floor(this.#maxMemory / this.#bufferSize))
    this.#handle = config instanceof SharedBudget ? config.handle : createBudgetPool(this.#bufferSize, this.#maxMemory)
    acquired(this, 'budget-pool', this.#handle, freePool(this.#handle))
  }

  /** In bytes. */
  get bufferSize(): BufferSize {
    return this.#bufferSize
  }

  /** In bytes. */
  get maxMemory(): number {
    return this.#maxMemory
  }

  /**
   * `count` buffers now; null if the budget has no room, or while others wait. `count` is 1 to 65,535 and no more than
   * `maxMemory`, else `ERR_OUT_OF_RANGE`; `ERR_NO_MEMORY` when the system has no memory.
   */
  tryAllocate(count: number, options?: AllocateOptions): BudgetAllocation | null {
    this.#checkCount(count)
    const zero = options !== undefined && zeroArgument(options)
    this.#checkOpen()
    const allowed = tryAllocateBudget(this.#handle, count, zero)
    return allowed ? this.#claim(count) : null
  }

  /** `count` buffers when it is this request's turn. Promises settle in the order asked. What is wrong rejects. */
  allocate(count: number, options?: WaitOptions & AllocateOptions): Promise<BudgetAllocation> {
    let zero = false
    return nativeWait(
      () => {
        const given = waitOptions(options)
        zero = options !== undefined && zeroArgument(options)
        return given
      },
      (settled) => {
        this.#checkCount(count)
        this.#checkOpen()
        return allocateBudget(this.#handle, count, zero, settled)
      },
      () => this.#claim(count),
    )
  }

  /**
   * Allocates as `allocate()` does, but blocks this thread and its event loop for at most `timeoutMs` (0 to 2^31 − 1). Throws
   * `ERR_TIMEOUT` after that. Only another thread can make room meanwhile.
   */
  allocateSync(count: number, options: { timeoutMs: number } & AllocateOptions): BudgetAllocation {
    const timeoutMs = integerArgument(optionsArgument(options, 'options').timeoutMs, 'timeoutMs', 0, MAX_TIMEOUT_MS)
    this.#checkCount(count)
    const zero = zeroArgument(options)
    this.#checkOpen()
    allocateBudgetSync(this.#handle, count, zero, timeoutMs)
    return this.#claim(count)
  }

  /** Exact at any time, also while the pool is closing and after. */
  stats(): BudgetPoolStats {
    const { allocatedBytes, liveAllocations, waiting, peakBytes } = this.#final ?? budgetPoolReport(this.#handle)
    return { allocatedBytes, liveAllocations, waiting, peakBytes }
  }

  /**
   * A ticket with which another isolate of this process can `adopt()` the pool, which is then one pool with one budget and one
   * queue. `ERR_CLOSED` once it is closed.
   */
  share(): Ticket<BudgetPool> {
    this.#checkOpen()
    return { framepool: makeTicket((carrier) => depart(Kind.BudgetPool, this.#handle, carrier)) }
  }

  /**
   * Refuses new requests and those that wait with `ERR_CLOSED`, and resolves when the last allocation is released; until
   * then it keeps the process alive. It never blocks. Idempotent. It closes the pool for all isolates that share it, and
   * revokes its tickets that nobody has adopted.
   */
  close(): Promise<void> {
    this.#closing ??= nativeWait(
      () => ({}),
      (settled) => closeBudgetPool(this.#handle, settled),
      () => {
        this.#final = endBudgetPool(this.#handle)
        released(this)
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

  #claim(count: number): BudgetAllocation {
    return new BudgetAllocation(allocationKey, replyHandle(), count, this.#bufferSize)
  }
}

function freePool(handle: Handle): () => void {
  return () => {
    endBudgetPool(handle)
  }
}

function zeroArgument(options: AllocateOptions): boolean {
  const { zero = false } = optionsArgument(options, 'options')
  return booleanArgument(zero, 'zero')
}
