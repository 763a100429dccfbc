import { copied, difference, filled, lengthOf, same } from './intrinsics.js'
import { size, source } from './sources.js'
import { Subject } from './subject.js'
import { HUGE } from './world.js'

const DEBUG = process.env.FRAMEPOOL_DEBUG === '1'
/** Most views that a holder remembers. */
const MOST_VIEWS = 8

/** A slice, an allocation or a buddy buffer, and its expected bytes. */
export class Holder extends Subject {
  object
  content
  #views = []

  /** With `content` null, the current bytes are the expected ones. */
  constructor(world, object, content) {
    super(world)
    this.object = object
    this.content = content === null ? null : copied(content)
  }

  get operations() {
    return ['look', 'look', 'write', 'write', 'tamper', 'take', 'take', 'mark', 'release', 'moveHome', 'lose', 'part']
  }

  /** True if releasing or moving the object empties its views. */
  get detaches() {
    return DEBUG
  }

  show() {
    const view = this.saw(this.object.bytes)
    if (this.#views.length === MOST_VIEWS) this.#views.shift()
    this.#views.push(view)
    return view
  }

  look() {
    this.verify()
    return this.show()
  }

  write() {
    const { random } = this.world
    const view = this.look()
    const length = lengthOf(this.content)
    // Code that ran inside the call may have given the memory away.
    if (this.gone || this.disturbed || lengthOf(view) !== length) return
    const from = random.below(length + 1)
    const to = from + random.below(length - from + 1)
    const byte = random.below(256)
    filled(view, byte, from, to)
    filled(this.content, byte, from, to)
  }

  /** Makes views of parts of the object, or a copy. */
  part() {}

  verify() {
    if (this.gone) return
    const { bytes } = this.object
    this.content ??= copied(bytes)
    if (!this.disturbed && !same(bytes, this.content))
      this.world.check(false, `it has other bytes: ${difference(bytes, this.content)}`)
  }

  resync() {
    if (this.object.length > HUGE) {
      this.world.drop(this)
      this.object.release()
      return
    }
    try {
      this.content = copied(this.object.bytes)
    } catch (error) {
      if (error?.code !== 'ERR_RELEASED') throw error
      this.world.drop(this)
    }
  }

  release() {
    if (this.world.random.oneIn(2)) this.verify()
    this.world.drop(this)
    const released = this.object.release()
    this.world.check(released || this.disturbed || this.world.interfered, 'release() of a live object gave false')
    this.left()
  }

  /** Notes that the object has left this isolate. */
  left() {
    if (!this.detaches || this.excused || this.disturbed || this.world.interfered) return
    this.world.check(
      this.#views.every((view) => lengthOf(view) === 0),
      'a view is not empty although its object has gone',
    )
    this.#views = []
  }

  /** Moves the object and loses its ticket. */
  lose() {
    if (!this.world.random.oneIn(8)) return
    this.object.move()
    this.world.drop(this)
    this.left()
  }

  moveHome() {
    const ticket = this.object.move()
    this.left()
    this.#views = []
    this.object = this.world.adopt(ticket)
  }
}

export class SliceHolder extends Holder {
  static make(world) {
    const { bytes, honest } = source(world, size(world.random))
    return new SliceHolder(world, world.framepool.Slice.from(bytes), honest ? copied(bytes) : null)
  }

  get detaches() {
    return super.detaches || this.object.slot === null
  }

  part() {
    const copy = this.object.copy()
    if (!this.disturbed && this.content) this.world.check(same(copy, this.content), 'the copy has other bytes')
  }
}

export class AllocationHolder extends Holder {
  static make(world, pool) {
    const allocation = pool.tryAllocate(1 + world.random.below(6), world.options({ zero: world.random.oneIn(2) }))
    return allocation === null ? null : new AllocationHolder(world, allocation, null)
  }

  get detaches() {
    return true
  }

  part() {
    this.saw(this.object.first())
    this.saw(this.object.at(-1))
    for (const each of this.object) this.saw(each)
  }
}

export class BuddyHolder extends Holder {
  static make(world, pool) {
    const length = size(world.random, world.random.oneIn(20) ? 2 ** 20 : 20_000) + 1
    const buffer = pool.tryAllocate(length, world.options({ zero: world.random.oneIn(2) }))
    return buffer === null ? null : new this(world, buffer, null)
  }

  part() {
    const { random } = this.world
    if (random.oneIn(2)) {
      this.object.setLength(random.below(Math.min(this.object.capacity, 20_000) + 1))
      this.content = null
    } else {
      this.object.extendFromSlice(source(this.world, random.below(100)).bytes)
      this.content = null
    }
    this.verify()
  }
}

/** A buddy buffer in memory of a script, whose views stay. */
export class LentBuddyHolder extends BuddyHolder {
  get detaches() {
    return false
  }
}
