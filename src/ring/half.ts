import { acquired, released } from '../native/acquired.js'
import type { Handle } from '../native/handle.js'
import {
  abandonRingHalf,
  advanceRing,
  askRing,
  endRingHalf,
  type RingState,
  releaseRingHalf,
  ringHalfView,
  waitForRing,
  waitForRingSync,
} from '../native/ring.js'
import { type Transfer, transferLater, transferNow } from '../native/ring-io.js'
import { isShown, ShownMemory } from '../native/shown-memory.js'
import { type ArrivedHalf, type Carrier, departRingHalf } from '../native/travel.js'
import { copyInto, firstOf, lengthOf, partOf } from '../support/arguments.js'
import { FramePoolError } from '../support/errors.js'
import type { WaitOptions } from '../support/wait.js'
import { waitOptions } from '../support/wait.js'
import { checkFree, checkIdle, type OwnedHalf, type RingSource } from './source.js'

/** One half of a byte ring, as this isolate knows it. */
export class HalfCore implements RingSource, OwnedHalf {
  readonly handle: Handle
  readonly #side: 'producer' | 'consumer'
  readonly size: number
  readonly memory: ShownMemory
  /** The latest answer of native code. */
  readonly #state: RingState = { available: 0, otherEnded: false }
  /** Times that this half has come back to the start of the ring. */
  #rounds = 0
  /** Position at the start of the first of these rounds. */
  #start = 0n
  offset = 0
  lent = false
  /** Whether Node has views of the ring that it may still write to. Until it drops them they must not be detached. */
  keepShown = false
  /** The other half, if it is in this isolate. Then each tells the other what it has done, so that neither need ask. */
  #other: HalfCore | null = null
  /** A lower bound of the available bytes or room. Only this half reduces it. */
  #known: number
  /** Whether `#known` is exact, as it is while native code moves neither half. */
  #exact = false
  /** Bytes that this half has written or read, and that native code has not been told of. */
  #untold = 0
  /** Number of bytes that may be untold: for a producer, the room that native code knows of. */
  #tellable: number
  /** Waits and transfers for which native code looks at this half or moves it. */
  #native = 0
  #ended = false
  #released = false
  /** A view of the whole ring, to copy into. */
  #whole: Uint8Array | null = null

  constructor(handle: Handle, side: 'producer' | 'consumer', size: number, available: number) {
    this.handle = handle
    this.#side = side
    this.size = size
    this.#known = available
    this.#tellable = size
    this.memory = new ShownMemory(() => ringHalfView(handle))
    acquired(this, side, handle, abandonRingHalf)
  }

  /** Makes the half that has arrived from another isolate. */
  static arrived({ kind, handle, size, available, position, ended }: ArrivedHalf): HalfCore {
    const half = new HalfCore(handle, kind, size, available)
    half.offset = Number(position & BigInt(size - 1))
    half.#start = position - BigInt(half.offset)
    half.#ended = ended
    return half
  }

  /** Makes both halves of a new ring. */
  static pair(producer: Handle, consumer: Handle, size: number): { producer: HalfCore; consumer: HalfCore } {
    const halves = {
      producer: new HalfCore(producer, 'producer', size, size),
      consumer: new HalfCore(consumer, 'consumer', size, 0),
    }
    halves.producer.#other = halves.consumer
    halves.consumer.#other = halves.producer
    halves.producer.#exact = halves.consumer.#exact = true
    return halves
  }

  get owned(): OwnedHalf {
    return this
  }

  get memorySize(): number {
    return this.size
  }

  get position(): bigint {
    // Native code counts modulo 2^64, too.
    return BigInt.asUintN(64, this.#start + BigInt(this.#rounds) * BigInt(this.size) + BigInt(this.offset))
  }

  get available(): number {
    if (!this.#exact || this.#native > 0 || this.#other === null || this.#other.#native > 0) this.#ask()
    return this.#known
  }

  get otherEnded(): boolean {
    if (this.#other !== null) return this.#other.#ended
    this.#ask()
    return this.#state.otherEnded
  }

  /** Crosses only if fewer than `wanted` bytes are known to be available. */
  atLeast(wanted: number): number {
    return this.#known >= wanted ? this.#known : this.available
  }

  /** Copies as much of `source` into the ring as there is room for, and moves on. Returns the number of bytes. */
  fill(source: Uint8Array): number {
    const length = lengthOf(source)
    const count = Math.min(length, this.atLeast(length))
    if (count === 0) return 0
    const { size, offset } = this
    const first = Math.min(count, size - offset)
    const whole = this.#view()
    copyInto(whole, firstOf(source, first), offset)
    if (first < count) copyInto(whole, partOf(source, first, count - first), 0)
    this.advance(count)
    return count
  }

  #view(): Uint8Array {
    const whole = this.#whole
    if (isShown(whole, this.size)) return whole
    this.#whole = this.memory.view(0, this.size)
    return this.#whole
  }

  advance(count: number): void {
    const other = this.#other
    if (other === null || this.#native > 0 || other.#native > 0 || count > this.#known) {
      this.#tell()
      this.#learn(advanceRing(this.handle, count))
    } else {
      if (this.#untold + count > this.#tellable) this.#tell()
      this.#untold += count
      this.#known -= count
    }
    this.#moveOn(count)
    if (other !== null) other.#known += count
  }

  /** Tells native code what both halves have done, before it looks at either. */
  #tell(): void {
    const other = this.#other
    if (other === null) return
    const [producer, consumer] = this.#side === 'producer' ? [this, other] : [other, this]
    // In this order: bytes are written before they are read.
    producer.#tellOwn()
    consumer.#tellOwn()
    producer.#tellable = producer.#known
  }

  #tellOwn(): void {
    if (this.#untold === 0) return
    advanceRing(this.handle, this.#untold)
    this.#untold = 0
  }

  /** Asks native code for its state. */
  #ask(): void {
    this.#tell()
    askRing(this.handle, this.#state)
    this.#learn(this.#state.available)
  }

  /** Takes over what native code, which has been told everything, says is available. */
  #learn(available: number): void {
    this.#known = available
    if (this.#side === 'producer') this.#tellable = available
    this.#exact = this.#other === null || this.#other.#native === 0
  }

  #moveOn(count: number): void {
    const end = this.offset + count
    if (end >= this.size) this.#rounds++
    // The size is a power of two, at most 2^30, so the low bits of the sum are the place.
    this.offset = end & (this.size - 1)
  }

  takeOver(): void {
    checkFree(this)
    this.lent = true
  }

  giveUp(): void {
    this.lent = false
    this.release()
  }

  giveBack(count: number): void {
    this.lent = false
    if (count > 0) this.advance(count)
  }

  async wait(bytes: number, options: WaitOptions | undefined): Promise<number> {
    const given = waitOptions(options)
    this.checkUsable()
    this.#tell()
    this.#native++
    try {
      return await waitForRing(this.handle, bytes, given, (available) => {
        this.#learn(available)
        return available
      })
    } finally {
      this.#native--
    }
  }

  waitSync(bytes: number, timeoutMs: number): number {
    this.checkUsable()
    this.#tell()
    this.#learn(waitForRingSync(this.handle, bytes, timeoutMs))
    return this.#known
  }

  transfer(fd: number): number | null {
    checkFree(this)
    this.#tell()
    return this.#transferred(transferNow(this.handle, fd))
  }

  async transferAsync(fd: number, options: WaitOptions | undefined): Promise<number> {
    const given = waitOptions(options)
    checkFree(this)
    this.#tell()
    this.lent = true
    this.#native++
    try {
      return await transferLater(this.handle, fd, given, (transfer) => this.#transferred(transfer))
    } finally {
      this.lent = false
      this.#native--
    }
  }

  /**
   * Takes over the result of a transfer. Returns the bytes moved, or null if it was blocked. The other half is told nothing: it may
   * have asked native code before this is called, and would count the bytes twice.
   */
  #transferred({ moved, blocked, available }: Transfer): number | null {
    this.#learn(available)
    if (this.#other !== null) this.#other.#exact = false
    this.#moveOn(moved)
    return blocked ? null : moved
  }

  checkUsable(): void {
    this.checkAlive()
    if (this.#ended) throw new FramePoolError('ERR_CLOSED', 'this half of the ring has ended')
  }

  /** Whether this half has ended or was released. */
  get closed(): boolean {
    return this.#ended || this.#released
  }

  /** Throws `ERR_RELEASED` if this half was released. */
  checkAlive(): void {
    if (this.#released) throw new FramePoolError('ERR_RELEASED', 'this half of the ring was released')
  }

  end(): void {
    this.checkAlive()
    if (this.#ended) return
    this.#tell()
    endRingHalf(this.handle)
    this.#ended = true
  }

  release(): boolean {
    if (this.#released) return false
    this.#tell()
    this.#leave()
    // A socket may read into the ring once more: then its view keeps the memory.
    releaseRingHalf(this.handle, this.keepShown)
    released(this)
    return true
  }

  depart(carrier: Carrier): void {
    this.checkAlive()
    checkIdle(this)
    if (this.#native > 0) throw new FramePoolError('ERR_BUSY', 'someone waits for this half of the ring')
    this.#tell()
    departRingHalf(this.#side, this.handle, carrier)
    this.#leave()
    released(this)
  }

  /** Notes that this isolate does not have the half any more. */
  #leave(): void {
    this.#released = true
    this.#whole = null
    if (this.#other !== null) this.#other.#other = null
    // Native code answers from here on, and refuses.
    this.#other = null
  }
}
