import type { WaitOptions } from './api.js'
import {
  advanceRing,
  endRingHalf,
  type Handle,
  releaseRingHalf,
  reply,
  ringHalfView,
  Word,
  waitForRing,
  waitForRingSync,
} from './boundary.js'
import { FramePoolError } from './errors.js'
import { nativeWait } from './native-waits.js'
import type { RingSource } from './ring-source.js'
import { ShownMemory } from './shown-memory.js'

/** One half of a byte ring, as this isolate knows it. */
export class RingHalf implements RingSource {
  readonly handle: Handle
  readonly size: number
  readonly memory: ShownMemory
  position = 0
  offset = 0
  lent = false
  /** The other half, if it is here: then each tells the other what it has done, so that neither need ask. */
  #other: RingHalf | null = null
  /** No more than is available: only this half makes that less. */
  #known: number
  #ended = false
  #released = false
  /** All of the ring, to copy into and out of. */
  #whole: Uint8Array | null = null

  constructor(handle: Handle, size: number, available: number) {
    this.handle = handle
    this.size = size
    this.#known = available
    this.memory = new ShownMemory(() => ringHalfView(handle))
  }

  /** Both halves of a new ring. */
  static pair(producer: Handle, consumer: Handle, size: number): { producer: RingHalf; consumer: RingHalf } {
    const halves = { producer: new RingHalf(producer, size, size), consumer: new RingHalf(consumer, size, 0) }
    halves.producer.#other = halves.consumer
    halves.consumer.#other = halves.producer
    return halves
  }

  get available(): number {
    this.#advance(0)
    return this.#known
  }

  get otherEnded(): boolean {
    this.#advance(0)
    return reply(Word.Ended) === 1
  }

  /** Crosses only where so much is not known to be there. */
  atLeast(wanted: number): number {
    return this.#known >= wanted ? this.#known : this.available
  }

  get whole(): Uint8Array {
    let whole = this.#whole
    // A view of another length was detached: see ShownMemory.
    if (whole === null || whole.length !== this.size) whole = this.#whole = this.memory.view(0, this.size)
    return whole
  }

  /** `count` available bytes were written, or read. */
  advance(count: number): void {
    this.#advance(count)
    this.position += count
    this.offset = (this.offset + count) & (this.size - 1)
    const other = this.#other
    if (other !== null) other.#known += count
  }

  #advance(count: number): void {
    advanceRing(this.handle, count)
    this.#known = reply(Word.Available)
  }

  giveBack(count: number): void {
    this.lent = false
    if (count > 0) this.advance(count)
  }

  async wait(bytes: number, options: WaitOptions | undefined): Promise<number> {
    this.checkUsable()
    return nativeWait(
      options,
      (settled) => waitForRing(this.handle, bytes, settled),
      () => this.#claim(),
    )
  }

  waitSync(bytes: number, timeoutMs: number): number {
    this.checkUsable()
    waitForRingSync(this.handle, bytes, timeoutMs)
    return this.#claim()
  }

  #claim(): number {
    this.#known = reply(Word.Available)
    return this.#known
  }

  checkUsable(): void {
    this.checkAlive()
    if (this.#ended) throw new FramePoolError('ERR_CLOSED', 'this half of the ring has ended')
  }

  checkAlive(): void {
    if (this.#released) throw new FramePoolError('ERR_RELEASED', 'this half of the ring was released')
  }

  end(): void {
    this.checkAlive()
    if (this.#ended) return
    endRingHalf(this.handle)
    this.#ended = true
  }

  release(): boolean {
    if (this.#released) return false
    this.#released = true
    this.#whole = null
    if (this.#other !== null) this.#other.#other = null
    releaseRingHalf(this.handle, this.memory.hide())
    return true
  }
}
