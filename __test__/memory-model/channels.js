import { Holder } from './holders.js'
import { Subject } from './subject.js'

/** A channel with both ends in this isolate, and its contents. */
export class Channel extends Subject {
  static make(world) {
    return new Channel(world, world.framepool.SliceChannel.create(world.random.pick([64, 1024])))
  }

  #sender
  #receiver
  #holders = []

  constructor(world, { sender, receiver }) {
    super(world)
    this.#sender = sender
    this.#receiver = receiver
  }

  get operations() {
    return ['send', 'send', 'receive', 'receive', 'moveSender', 'moveReceiver', 'end']
  }

  send() {
    const holder = this.world.one(Holder)
    if (holder === undefined || holder.busy > 0) return
    if (!this.#sender.send(holder.object)) return
    this.#holders.push(holder)
    this.world.drop(holder)
    holder.left()
  }

  receive() {
    const object = this.#receiver.tryReceive()
    if (object === null) return
    const sent = this.#holders.shift()
    const Kind = sent.constructor
    const holder = this.world.add(new Kind(this.world, object, this.disturbed ? null : sent.content))
    holder.verify()
  }

  moveSender() {
    this.#sender = this.world.adopt(this.#sender.move())
  }

  moveReceiver() {
    this.#receiver = this.world.adopt(this.#receiver.move())
  }

  /** Releases the channel. Its contents go back. */
  end() {
    if (!this.world.random.oneIn(6)) return
    this.world.drop(this)
    this.#sender.end()
    for (let object = this.#receiver.tryReceive(); object !== null; object = this.#receiver.tryReceive())
      object.release()
  }

  resync() {
    this.world.drop(this)
    this.#sender.end()
  }
}
