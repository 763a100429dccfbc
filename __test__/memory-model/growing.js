import { SliceHolder } from './holders.js'
import { bytesOf, copied, filled, joined, lengthOf, part, same } from './intrinsics.js'
import { size, source } from './sources.js'
import { Subject } from './subject.js'
import { HUGE } from './world.js'

/** A slot pool or a system memory buffer, and the bytes of its pending message. */
export class Growing extends Subject {
  buffer
  #pending = new Uint8Array(0)
  #hidden = 0

  constructor(world, buffer) {
    super(world)
    this.buffer = buffer
  }

  get operations() {
    return [
      ...[
        'writable',
        'writable',
        'writable',
        'append',
        'append',
        'hide',
        'truncate',
        'empty',
        'owned',
        'byRef',
        'look',
      ],
      ...['tamper', 'take', 'take', 'mark', 'replace'],
    ]
  }

  /** Empties or takes the pending message. */
  makeRoom() {
    if (this.gone || lengthOf(this.#pending) === 0) return
    if (this.world.random.oneIn(2)) this.empty()
    else this.owned()
  }

  writable() {
    const { random } = this.world
    const length = size(random)
    const view = this.saw(this.buffer.getWritable(length))
    this.world.check(this.disturbed || lengthOf(view) === length, 'getWritable() gave another length')
    const byte = random.below(256)
    // Code that ran inside the call may have given this memory to another message.
    if (this.disturbed) return
    filled(view, byte, 0, length)
    this.#pending = joined([this.#pending, bytesOf(length, byte)])
  }

  append() {
    const { random } = this.world
    const { bytes, honest } = source(this.world, size(random))
    const before = honest ? copied(bytes) : null
    const way = random.pick(['write', 'writeAll', 'extendFromSlice'])
    if (!honest) this.disturbed = true
    this.buffer[way](bytes)
    if (honest) this.#pending = joined([this.#pending, before])
  }

  hide() {
    const index = this.world.random.below(lengthOf(this.#pending) + 1)
    this.buffer.dangerSetStart(index)
    this.#hidden = index
  }

  truncate() {
    const length = this.world.random.below(lengthOf(this.#pending) - this.#hidden + 1)
    this.#truncateTo(length)
  }

  /** Truncates the message to nothing, hidden bytes included. */
  empty() {
    this.buffer.dangerSetStart(0)
    this.#hidden = 0
    this.#truncateTo(0)
  }

  #truncateTo(length) {
    this.buffer.truncate(length)
    this.#pending = part(this.#pending, 0, this.#hidden + length)
  }

  owned() {
    if (this.world.count(SliceHolder) > 12) return
    const slice = this.buffer.getDataOwned()
    if (slice.length > HUGE) return slice.release()
    const holder = this.world.add(new SliceHolder(this.world, slice, this.disturbed ? null : this.#pending))
    // Any interference with the message also hit the slice.
    holder.excused = this.excused
    this.excused = false
    this.shown = null
    this.#pending = new Uint8Array(0)
    this.#hidden = 0
  }

  byRef() {
    const length = this.world.random.below(lengthOf(this.#pending) + 2)
    const view = this.saw(this.buffer.getDataByRef(length))
    if (!this.disturbed) this.world.check(same(view, part(this.#pending, 0, length)), 'pending bytes have changed')
  }

  look() {
    this.verify()
    this.show()
  }

  show() {
    this.saw(this.buffer.bytes)
  }

  verify() {
    if (this.disturbed || this.gone) return
    const { buffer } = this
    this.world.check(
      buffer.length === lengthOf(this.#pending),
      `length is ${buffer.length}, not ${lengthOf(this.#pending)}`,
    )
    this.world.check(same(buffer.getDataByRef(buffer.length), this.#pending), 'pending bytes are others')
    this.world.check(same(buffer.bytes, part(this.#pending, this.#hidden)), 'the bytes that are not hidden are others')
  }

  resync() {
    const { buffer } = this
    if (buffer.length > HUGE) buffer.getDataOwned().release()
    this.#pending = copied(buffer.getDataByRef(buffer.length))
    this.#hidden = lengthOf(this.#pending) - lengthOf(buffer.bytes)
  }

  /** Drops the buffer now and then, so that a new one is made. */
  replace() {
    if (!this.world.random.oneIn(10)) return
    this.world.drop(this)
    this.buffer.close?.()
  }
}

export class GrowingPool extends Growing {
  static make(world) {
    const { random } = world
    const capacity = random.pick([0, 64, 1000, 4096, 10_000])
    const limited = random.oneIn(3) ? { heapLimit: 1 + random.below(10_000) } : {}
    return new GrowingPool(world, new world.framepool.SlotPool(capacity, limited))
  }

  get operations() {
    return [...super.operations, 'report']
  }

  report() {
    this.buffer.stats()
    String(this.buffer)
    void this.buffer.isDroppable
  }
}

export class GrowingHeap extends Growing {
  static make(world) {
    return new GrowingHeap(world, new world.framepool.SystemMemoryBuffer())
  }
}
