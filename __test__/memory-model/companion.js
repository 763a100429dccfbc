import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { Holder } from './holders.js'
import { same } from './intrinsics.js'
import { Ring } from './rings.js'
import { Subject } from './subject.js'

const WAYS = ['transfer', 'stream', 'post']
const MADE = ['slice', 'slot', 'system', 'allocation', 'buddy', 'ring', 'session']

/** Another isolate, which receives objects, makes its own, and ends in several ways. */
export class Companion extends Subject {
  static make(world) {
    return new Companion(world)
  }

  #worker = new Worker(new URL('worker.js', import.meta.url))
  #gone = new Promise((resolve) => this.#worker.on('exit', resolve))

  get operations() {
    return ['lend', 'lend', 'lendRing', 'give', 'send', 'taken', 'taken', 'end']
  }

  get later() {
    return this.operations
  }

  async #ask(message) {
    const answer = once(this.#worker, 'message')
    this.#worker.postMessage(message)
    const [{ error, taken, ticket, received }] = await answer
    if (error !== undefined) this.world.check(false, `in a worker: ${error}`)
    if (taken !== undefined) this.world.see(taken)
    return ticket ?? received
  }

  #holder() {
    const holder = this.world.one(Holder)
    if (holder === undefined || holder.busy > 0) return null
    const ticket = holder.object.move()
    holder.left()
    return { holder, ticket }
  }

  /** Lends a holder to the worker, and checks that it returns with equal bytes. */
  async lend() {
    const lent = this.#holder()
    if (lent === null) return
    const { holder } = lent
    this.world.drop(holder)
    const way = this.world.random.oneIn(2) ? this.world.random.pick(WAYS) : null
    const ticket = await this.#ask({ act: 'borrow', ticket: lent.ticket, way })
    const back = this.world.add(new holder.constructor(this.world, this.world.adopt(ticket), null))
    if (holder.content !== null)
      this.world.check(same(back.object.bytes, holder.content), 'a worker gave back other bytes')
    back.verify()
  }

  /** Lends half of a ring to the worker, which returns it. */
  async lendRing() {
    const ring = this.world.one(Ring)
    if (ring === undefined || ring.busy > 0) return
    const ticket = ring.lend()
    // No other operation can use the ring until it returns.
    this.world.drop(ring)
    const way = this.world.random.oneIn(2) ? this.world.random.pick(WAYS) : null
    const back = await this.#ask({ act: 'borrow', ticket, way })
    ring.gone = false
    this.world.add(ring).comeBack(back)
  }

  /** Sends a holder through a channel whose receiver the worker has. */
  async send() {
    const holder = this.world.one(Holder)
    if (holder === undefined || holder.busy > 0) return
    const { sender, receiver } = this.world.framepool.SliceChannel.create()
    const ticket = receiver.move()
    if (!sender.send(holder.object)) return
    this.world.drop(holder)
    holder.left()
    sender.end()
    const received = await this.#ask({ act: 'receive', ticket })
    if (holder.content !== null) this.world.check(same(received, holder.content), 'a worker received other bytes')
  }

  async give() {
    const given = this.#holder()
    if (given === null) return
    this.world.drop(given.holder)
    const way = this.world.random.oneIn(2) ? this.world.random.pick(WAYS) : null
    await this.#ask({ act: 'keep', ticket: given.ticket, way })
  }

  /** Has the worker take memory that it made, and post it here. */
  async taken() {
    const { random } = this.world
    await this.#ask({ act: 'make', kind: random.pick(MADE), way: random.pick(WAYS), keep: random.oneIn(2) })
  }

  async end() {
    if (!this.world.random.oneIn(3)) return
    this.world.drop(this)
    const way = this.world.random.pick(['terminate', 'exit', 'return', 'throw'])
    this.world.note(`(by ${way})`)
    this.#worker.on('error', () => {})
    if (way === 'terminate') void this.#worker.terminate()
    else this.#worker.postMessage({ act: way })
    await this.#gone
  }
}
