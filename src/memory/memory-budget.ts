import { whenCollected } from '../native/acquired.js'
import type { Handle } from '../native/handle.js'
import {
  createMemoryBudget,
  forgetMemoryBudget,
  type MemoryGrant,
  memoryBudgetReport,
  reserveMemory,
  tryReserveMemory,
} from '../native/memory-budget.js'
import { departMemoryBudget, makeTicket } from '../native/travel.js'
import { nativeWait } from '../native/wait.js'
import { integerArgument } from '../support/arguments.js'
import { invalidArgType } from '../support/errors.js'
import { eventSource, tellCreated, tellOfWait, tellRefused } from '../support/events.js'
import { uncloneable } from '../support/inspectable.js'
import type { Ticket } from '../support/ticket.js'
import { type WaitOptions, waitOptions } from '../support/wait.js'
import { makeReservation, type Reservation } from './reservation.js'

/** Figures of a memory budget: see `MemoryBudget.stats()`. */
export interface MemoryBudgetStats {
  /** Bytes that are reserved. */
  reservedBytes: number
  /** Requests for which the budget has no room yet. */
  waiting: number
  /** The most bytes that were reserved at once. */
  peakBytes: number
}

/** Key with which the constructor makes the budget of a native budget that has arrived. */
const budgetKey = Symbol('framepool.memory-budget')

let handleOf: (budget: MemoryBudget, wrong: string) => Handle

const UNCLONEABLE = Symbol('a MemoryBudget is not cloned: post what its share() returns')

/**
 * A limit in bytes that readers, slot pools and code of your own share. It allocates nothing. A request for more than is left waits. Requests that wait are served in the order in which they came, also those of other threads.
 */
export class MemoryBudget {
  readonly #handle: Handle
  readonly #maxMemory: number
  readonly #source = eventSource('memory-budget')

  /**
   * Makes a budget.
   *
   * @param maxMemory Bytes, 1 to 2^53 − 1. Otherwise `ERR_OUT_OF_RANGE`.
   */
  constructor(maxMemory: number)
  constructor(maxMemory: number, key?: symbol, arrived?: Handle) {
    this.#maxMemory = integerArgument(maxMemory, 'maxMemory', 1, Number.MAX_SAFE_INTEGER)
    const handle = key === budgetKey ? arrived! : createMemoryBudget(maxMemory)
    this.#handle = handle
    whenCollected(this, handle, forgetMemoryBudget)
    uncloneable(this, UNCLONEABLE)
    tellCreated(this.#source, maxMemory)
  }

  static {
    handleOf = (budget, wrong) => {
      if (typeof budget !== 'object' || budget === null || !(#handle in budget)) throw invalidArgType(wrong)
      return budget.#handle
    }
  }

  /** The most bytes that can be reserved at once. */
  get maxMemory(): number {
    return this.#maxMemory
  }

  /**
   * Reserves `bytes` now. Returns null if that is more than is left, or if others wait. `bytes` is 1 to `maxMemory`, otherwise
   * `ERR_OUT_OF_RANGE`.
   */
  tryReserve(bytes: number): Reservation | null {
    const handle = tryReserveMemory(this.#handle, this.#checked(bytes))
    if (handle !== null) return makeReservation(handle, bytes)
    tellRefused(this.#source, bytes)
    return null
  }

  /**
   * Reserves `bytes` when it is the turn of this request. Rejects with the errors that `tryReserve()` throws, with `signal.reason` and with
   * `ERR_TIMEOUT`. A pending promise keeps the process alive.
   */
  reserve(bytes: number, options?: WaitOptions): Promise<Reservation> {
    const grant: MemoryGrant = { reservation: null }
    let waits = false
    const reservation = nativeWait(
      () => waitOptions(options),
      (settled) => {
        const wait = reserveMemory(this.#handle, this.#checked(bytes), grant, settled)
        waits = wait !== 0
        return wait
      },
      () => makeReservation(grant.reservation!, bytes),
    )
    return waits ? tellOfWait(this.#source, bytes, reservation) : reservation
  }

  /**
   * Returns a ticket with which another isolate of this process can `adopt()` the budget. Both then have one budget and one queue. Throws
   * `ERR_NO_MEMORY` when the system has no memory.
   */
  share(): Ticket<MemoryBudget> {
    return { framepool: makeTicket((carrier) => departMemoryBudget(this.#handle, carrier)) }
  }

  /** Returns the figures of the budget. They are exact at any time. */
  stats(): MemoryBudgetStats {
    const { reservedBytes, waiting, peakBytes } = memoryBudgetReport(this.#handle)
    return { reservedBytes, waiting, peakBytes }
  }

  #checked(bytes: number): number {
    return integerArgument(bytes, 'bytes', 1, this.#maxMemory)
  }
}

/**
 * Returns the handle of a budget, which lives as long as the budget. Throws `ERR_INVALID_ARG_TYPE` with `wrong` unless `budget` is a
 * `MemoryBudget`.
 */
export function handleOfBudget(budget: MemoryBudget, wrong = 'budget must be a MemoryBudget'): Handle {
  return handleOf(budget, wrong)
}

/** Returns the budget of a native budget that has arrived from another isolate. */
export function arrivedMemoryBudget(handle: Handle, maxMemory: number): MemoryBudget {
  const Arrived = MemoryBudget as new (maxMemory: number, key: symbol, arrived: Handle) => MemoryBudget
  return new Arrived(maxMemory, budgetKey, handle)
}
