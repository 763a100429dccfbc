import { acquired, released } from '../native/acquired.js'
import type { Handle } from '../native/handle.js'
import { releaseReservation } from '../native/memory-budget.js'
import { invalidArgType } from '../support/errors.js'
import { uncloneable } from '../support/inspectable.js'

/** Key of the constructor: only this module has it. */
const reservationKey = Symbol('framepool.reservation')

let isReleased: (reservation: Reservation) => boolean

const UNCLONEABLE = Symbol('a Reservation stays in its thread: share() its MemoryBudget')

/** Bytes of a {@link MemoryBudget} that belong to the caller until `release()`. */
export class Reservation implements Disposable {
  readonly #handle: Handle
  readonly #bytes: number
  #released = false

  /** @internal */
  constructor(key: symbol, handle: Handle, bytes: number) {
    if (key !== reservationKey) throw invalidArgType('a Reservation comes from a MemoryBudget')
    this.#handle = handle
    this.#bytes = bytes
    uncloneable(this, UNCLONEABLE)
    acquired(this, 'reservation', handle, releaseReservation)
  }

  static {
    isReleased = (reservation) => reservation.#released
  }

  /** Number of bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** Returns the bytes to the budget, which the next request that waits can have. Returns true the first time, and false after that. */
  release(): boolean {
    if (this.#released) return false
    this.#released = true
    released(this)
    releaseReservation(this.#handle)
    return true
  }

  /** Calls `release()`. */
  [Symbol.dispose](): void {
    this.release()
  }
}

/** Makes the reservation of `bytes` that `handle` names. */
export function makeReservation(handle: Handle, bytes: number): Reservation {
  return new Reservation(reservationKey, handle, bytes)
}

/** Returns whether `reservation` was released. */
export function isReservationReleased(reservation: Reservation): boolean {
  return isReleased(reservation)
}
