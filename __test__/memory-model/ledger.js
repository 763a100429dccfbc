import { Subject } from './subject.js'

const MAX = 2 ** 21

/** A memory budget, which readers may use, and reservations of it. */
export class Ledger extends Subject {
  static make(world) {
    return new Ledger(world, new world.framepool.MemoryBudget(MAX))
  }

  #budget
  #reservations = []

  constructor(world, budget) {
    super(world)
    this.#budget = budget
  }

  get operations() {
    return ['reserve', 'reserve', 'reserveLater', 'release', 'release', 'lose', 'report', 'share', 'close']
  }

  get later() {
    return ['reserveLater']
  }

  forReaders() {
    return this.#budget
  }

  #keep(reservation) {
    this.#reservations.push(reservation)
    if (this.#reservations.length > 6) this.release()
  }

  reserve() {
    const bytes = 1 + this.world.random.below(MAX / 8)
    const reservation = this.#budget.tryReserve(bytes)
    if (reservation === null) return
    this.world.check(this.disturbed || reservation.bytes === bytes, 'a reservation has other bytes')
    this.#keep(reservation)
  }

  async reserveLater() {
    const bytes = 1 + this.world.random.below(MAX / 4)
    const reservation = this.#budget.reserve(bytes, this.world.options({ timeoutMs: 20 }))
    if (this.world.random.oneIn(2)) this.release()
    this.#keep(await reservation)
  }

  release() {
    if (this.#reservations.length === 0) return
    const [reservation] = this.#reservations.splice(this.world.random.below(this.#reservations.length), 1)
    reservation.release()
  }

  /** Forgets a reservation, which the collector gives back. */
  lose() {
    if (this.world.random.oneIn(4)) this.#reservations.pop()
  }

  report() {
    const { reservedBytes, peakBytes } = this.#budget.stats()
    const own = this.#reservations.reduce((sum, { bytes }) => sum + bytes, 0)
    this.world.check(this.disturbed || reservedBytes >= own, `${reservedBytes} bytes are reserved, not ${own}`)
    this.world.check(reservedBytes <= peakBytes && peakBytes <= MAX, `${peakBytes} bytes were reserved`)
  }

  share() {
    if (this.world.random.oneIn(4)) this.#budget = this.world.adopt(this.#budget.share())
  }

  /** Drops the budget. Readers may still use it. */
  close() {
    if (!this.world.random.oneIn(12)) return
    this.world.drop(this)
    for (const reservation of this.#reservations.splice(0)) reservation.release()
  }
}
