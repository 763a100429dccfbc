import { Writable } from 'node:stream'
import { bytesOf, copied, filled, joined, lengthOf, part, same } from './intrinsics.js'
import { source } from './sources.js'
import { Subject } from './subject.js'

/** Both halves of a ring, and its expected bytes. */
export class Ring extends Subject {
  static make(world) {
    return new Ring(world, new world.framepool.ByteRing(2 ** world.random.below(15)).intoParts())
  }

  #producer
  #consumer
  #content = new Uint8Array(0)
  #views = []

  constructor(world, { producer, consumer }) {
    super(world)
    this.#producer = producer
    this.#consumer = consumer
  }

  get operations() {
    return [
      ...['write', 'fill', 'fill', 'fillLater', 'read', 'drain', 'drain', 'tamper', 'take', 'take', 'mark'],
      ...['moveProducer', 'moveConsumer', 'release', 'stream'],
    ]
  }

  get later() {
    return ['fillLater', 'stream']
  }

  #keep(view) {
    if (this.#views.length < 8) this.#views.push(view)
    return this.saw(view)
  }

  write() {
    const { bytes, honest } = source(this.world, this.world.random.below(400))
    const before = honest ? copied(bytes) : null
    if (!honest) this.disturbed = true
    const count = this.#producer.write(bytes)
    if (honest) this.#append(part(before, 0, count))
  }

  #append(bytes) {
    this.#content = joined([this.#content, bytes])
  }

  #fill(views) {
    const { random } = this.world
    const parts = views.map((view) => {
      const byte = random.below(256)
      filled(this.#keep(view), byte, 0, lengthOf(view))
      return bytesOf(lengthOf(view), byte)
    })
    const all = joined(parts)
    return part(all, 0, random.below(lengthOf(all) + 1))
  }

  fill() {
    let written = null
    const count = this.#producer.ioSlices((views) => {
      written = this.#fill(views)
      if (this.world.random.oneIn(3)) this.world.act()
      return lengthOf(written)
    })
    this.world.check(count === lengthOf(written), 'ioSlices() gave another count')
    this.#append(written)
  }

  /** Writes through `ioSlicesAsync`. Other operations may run before its promise settles. */
  async fillLater() {
    let written = null
    const done = this.#producer.ioSlicesAsync(async (views) => {
      written = this.#fill(views)
      await null
      this.world.act()
      return lengthOf(written)
    })
    this.world.act()
    await done
    this.#append(written)
  }

  read() {
    const target = new Uint8Array(this.world.random.below(400))
    const count = this.#consumer.read(target)
    this.#consume(part(target, 0, count))
  }

  #consume(bytes) {
    const expected = part(this.#content, 0, lengthOf(bytes))
    this.#content = part(this.#content, lengthOf(bytes))
    if (!this.disturbed) this.world.check(same(bytes, expected), 'other bytes came out of the ring than went in')
  }

  drain() {
    let taken = null
    this.#consumer.ioSlices((views) => {
      const all = joined(views.map((view) => copied(this.#keep(view))))
      taken = part(all, 0, this.world.random.below(lengthOf(all) + 1))
      if (this.world.random.oneIn(3)) this.world.act()
      return lengthOf(taken)
    })
    this.#consume(taken)
  }

  show() {
    this.#producer.ioSlices(([view]) => {
      this.#keep(view)
      return 0
    })
    this.#consumer.ioSlices(([view]) => {
      this.#keep(view)
      return 0
    })
  }

  moveProducer() {
    this.#producer = this.world.adopt(this.#producer.move())
  }

  moveConsumer() {
    this.#consumer = this.world.adopt(this.#consumer.move())
  }

  /** Moves the consumer away, to be lent to another isolate. */
  lend() {
    return this.#consumer.move()
  }

  comeBack(ticket) {
    this.#consumer = this.world.adopt(ticket)
    this.verify()
  }

  async stream() {
    const { random } = this.world
    if (!random.oneIn(4)) return
    this.world.drop(this)
    const web = random.oneIn(2)
    const readable = web ? this.#consumer.toReadableStream() : this.#consumer.toReadable()
    const writer = (web ? this.#producer.toWritableStream() : Writable.toWeb(this.#producer.toWritable())).getWriter()
    const bytes = bytesOf(random.below(3000), 0x5a)
    const written = writer.write(bytes).then(() => writer.close())
    const parts = []
    for await (const part of readable) parts.push(copied(this.world.see(part)))
    await written
    if (!this.disturbed) this.world.check(same(joined(parts), joined([this.#content, bytes])), 'streams changed bytes')
  }

  verify() {
    if (this.disturbed) return
    const { available } = this.#consumer
    this.world.check(
      available === lengthOf(this.#content),
      `${available} B in the ring, not ${lengthOf(this.#content)}`,
    )
  }

  /** Releases the ring, because its contents are unknown. */
  resync() {
    this.excused = true
    this.release()
  }

  release() {
    this.world.drop(this)
    this.#producer.release()
    this.#consumer.release()
    if (this.excused || this.disturbed || this.world.interfered) return
    this.world.check(
      this.#views.every((view) => lengthOf(view) === 0),
      'a view of a ring is not empty although both halves are gone',
    )
  }
}
