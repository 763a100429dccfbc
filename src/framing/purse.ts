import { handleOfBudget, type MemoryBudget } from '../memory/memory-budget.js'
import type { Handle } from '../native/handle.js'
import {
  type MemoryGrant,
  mergeReservation,
  releaseReservation,
  reserveMemory,
  resizeReservation,
  tryReserveMemory,
} from '../native/memory-budget.js'
import { nativeWait } from '../native/wait.js'
import { type EventSource, tellOfWait } from '../support/events.js'

/** A reader's share of its budget, for bytes that have come and for those that may come next. */
export class Purse {
  /** The budget, whose handle lives as long as it. */
  readonly budget: MemoryBudget
  /** The reservation, while there is one. A record of its own, for the function that frees the purse of a collected reader. */
  readonly held: MemoryGrant = { reservation: null }
  #bytes = 0
  /** The reader that the purse belongs to, for events. */
  readonly #source: EventSource

  constructor(budget: MemoryBudget, source: EventSource) {
    handleOfBudget(budget)
    this.#source = source
    this.budget = budget
  }

  /** The whole budget, in bytes. */
  get limit(): number {
    return this.budget.maxMemory
  }

  /** Bytes that the purse has. */
  get bytes(): number {
    return this.#bytes
  }

  get reservation(): Handle | null {
    return this.held.reservation
  }

  /** Makes sure that the purse has `bytes`. Returns false if the budget does not allow that now. */
  tryHave(bytes: number): boolean {
    if (bytes <= this.#bytes) return true
    if (bytes > this.limit) return false
    const { held } = this
    if (held.reservation === null) held.reservation = tryReserveMemory(handleOfBudget(this.budget), bytes)
    else if (!resizeReservation(held.reservation, bytes)) return false
    if (held.reservation === null) return false
    this.#bytes = bytes
    return true
  }

  /** Resolves when the purse has `bytes`, which are no more than the budget. It waits its turn. */
  have(bytes: number, signal: AbortSignal): Promise<void> {
    if (bytes <= this.#bytes) return Promise.resolve()
    const grant: MemoryGrant = { reservation: null }
    const more = bytes - this.#bytes
    const granted = nativeWait(
      () => ({ signal }),
      (settled) => reserveMemory(handleOfBudget(this.budget), more, grant, settled),
      () => this.add(grant.reservation!, more),
    )
    return tellOfWait(this.#source, more, granted)
  }

  /** Adds a reservation of `bytes`, which the purse owns from here on. */
  add(reservation: Handle, bytes: number): void {
    const { held } = this
    if (held.reservation === null) held.reservation = reservation
    else mergeReservation(held.reservation, reservation)
    this.#bytes += bytes
  }

  /** Returns all but `bytes` to the budget. */
  shrinkTo(bytes: number): void {
    if (bytes >= this.#bytes || this.held.reservation === null) return
    if (bytes === 0) {
      this.release()
      return
    }
    resizeReservation(this.held.reservation, bytes)
    this.#bytes = bytes
  }

  /** Notes that a batch has taken `bytes`, or all if there were fewer. */
  spent(bytes: number): void {
    this.#bytes -= Math.min(bytes, this.#bytes)
  }

  /** Returns everything to the budget. */
  release(): void {
    const { reservation } = this.held
    this.#bytes = 0
    this.held.reservation = null
    if (reservation !== null) releaseReservation(reservation)
  }
}
