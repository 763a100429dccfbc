import { handleOfBudget, type MemoryBudget } from '../memory/memory-budget.js'
import { type MemoryGrant, releaseReservation, reserveMemory, tryReserveMemory } from '../native/memory-budget.js'
import { nativeWait } from '../native/wait.js'
import { LONGEST_READ, SHORT_READ } from '../ring/sockets/landing.js'
import { setImmediate } from '../support/timers.js'
import type { Purse } from './purse.js'

/** The reserve for reads of up to 64 KiB is at most one part in this many of the budget. */
const SHARE = 4

/** A larger one is at most one part in this many: each thread has a reserve, and keeps it while its readers are idle. */
const LARGE_SHARE = 32

/** An attached reader, as the reserve of its budget sees it. */
export interface LandingUser {
  /** Notes that the reserve is spent: only bytes that the reader's own purse has may be read. */
  landingSpent(): void
  /** Notes that the reserve is there again. Called once after each `wait()`. */
  landingReady(): void
}

/**
 * Part of a budget that pays for the next read in this isolate, whichever reader it is for.
 *
 * Nobody knows which connection that will be, but one read ends before the next begins. So one reservation serves all connections, and
 * an idle connection has none. When the budget has no more, the reader that has the bytes gets the reserve, and the others read on once
 * the reserve is granted again. That request is behind the reader's own, so that at most one frame waits for the rest of its memory.
 */
export class LandingReserve {
  /** The longest read that it pays for, in bytes. */
  readonly bytes: number
  readonly #budget: MemoryBudget
  readonly #grant: MemoryGrant = { reservation: null }
  /** The users. Those that have read, or began to, less recently come first. */
  readonly #users = new Set<LandingUser>()
  /** Users that read nothing until the reserve is there, in the order of `#users`. */
  readonly #waiting = new Set<LandingUser>()
  #stop: AbortController | null = null
  /** Whether a user is being paid, which may ask for more than the reserve next. */
  #isSpending = false
  /** Number of users that wait for the budget themselves. */
  #claims = 0

  constructor(budget: MemoryBudget) {
    this.#budget = budget
    const { maxMemory } = budget
    const short = Math.min(SHORT_READ, Math.floor(maxMemory / SHARE))
    this.bytes = Math.max(1, short, Math.min(LONGEST_READ, Math.floor(maxMemory / LARGE_SHARE)))
  }

  /** Whether the reserve is there. */
  get ready(): boolean {
    return this.#grant.reservation !== null
  }

  /** Whether users wait. One that has had its turn then waits behind them, or it would always be faster: its next bytes have come by now. */
  get isAwaited(): boolean {
    return this.#waiting.size > 0
  }

  join(user: LandingUser): void {
    this.#users.add(user)
    this.refill()
  }

  leave(user: LandingUser): void {
    this.#users.delete(user)
    this.#waiting.delete(user)
    if (this.#users.size > 0) return
    this.#stop?.abort()
    const { reservation } = this.#grant
    this.#grant.reservation = null
    if (reservation !== null) releaseReservation(reservation)
  }

  /** Arranges that `landingReady()` of `user` is called. */
  wait(user: LandingUser): void {
    // A user that waits again because another was faster keeps its turn.
    if (!this.#isSpending) this.#moveToEnd(user)
    this.#waiting.add(user)
    if (this.ready) setImmediate(() => this.#wake(1))
  }

  /** Resolves when `purse` has `bytes`. The reserve is not granted before, because the purse may need all of the budget. */
  async waitFor(purse: Purse, bytes: number, signal: AbortSignal): Promise<void> {
    this.#claims++
    // If the reserve were granted first, there might never be enough for the purse. It is requested again behind the purse.
    this.#stop?.abort()
    try {
      const granted = purse.have(bytes, signal)
      this.refill()
      await granted
    } finally {
      this.#claims--
    }
  }

  /** Gives the reserve to the purse of `user`. Returns false if it is not there. */
  pay(purse: Purse, user: LandingUser): boolean {
    const { reservation } = this.#grant
    if (reservation === null) return false
    purse.add(reservation, this.bytes)
    this.#grant.reservation = null
    this.#moveToEnd(user)
    // At the latest. The user does so as soon as it has asked for what it needs itself.
    setImmediate(() => this.refill())
    this.#isSpending = true
    try {
      for (const other of this.#users) {
        if (other !== user && !this.#waiting.has(other)) other.landingSpent()
      }
    } finally {
      this.#isSpending = false
    }
    this.#order()
    return true
  }

  #moveToEnd(user: LandingUser): void {
    if (this.#users.delete(user)) this.#users.add(user)
  }

  /** Puts the users that wait in the order of `#users`. */
  #order(): void {
    const waiting = [...this.#users].filter((user) => this.#waiting.has(user))
    this.#waiting.clear()
    for (const user of waiting) this.#waiting.add(user)
  }

  /** Requests the reserve again, if it was spent, behind all who wait for the budget by now. */
  refill(): void {
    if (!this.ready && this.#stop === null && this.#users.size > 0 && !this.#isSpending) this.#fill()
  }

  #fill(): void {
    const handle = handleOfBudget(this.#budget)
    this.#grant.reservation = tryReserveMemory(handle, this.bytes)
    if (this.ready) {
      this.#wake(1)
      return
    }
    const stop = new AbortController()
    this.#stop = stop
    const grant: MemoryGrant = { reservation: null }
    nativeWait(
      () => ({ signal: stop.signal }),
      (settled) => reserveMemory(handle, this.bytes, grant, settled),
      () => {
        this.#stop = null
        if (this.#claims > 0) {
          releaseReservation(grant.reservation!)
          this.#fill()
          return
        }
        this.#grant.reservation = grant.reservation
        this.#wake(1)
      },
    ).catch(() => {
      // The last reader has left, or the system has no memory. Readers may have come since.
      this.#stop = null
      setImmediate(() => this.refill())
    })
  }

  /**
   * Lets the first `count` of those that wait read on, and twice as many in the next turn: if the budget has little, the first read may
   * spend the reserve again.
   */
  #wake(count: number): void {
    let left = count
    for (const user of this.#waiting) {
      if (!this.ready || left-- === 0) break
      this.#waiting.delete(user)
      user.landingReady()
    }
    if (this.ready && this.#waiting.size > 0) setImmediate(() => this.#wake(count * 2))
  }
}

const reserves = new WeakMap<MemoryBudget, LandingReserve>()

/** Returns the reserve of a budget in this isolate. */
export function reserveOf(budget: MemoryBudget): LandingReserve {
  let reserve = reserves.get(budget)
  if (reserve === undefined) {
    reserve = new LandingReserve(budget)
    reserves.set(budget, reserve)
  }
  return reserve
}
