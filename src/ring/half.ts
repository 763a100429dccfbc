import { acquired, released } from '../native/acquired.js'
import { reply, replyHandle, replyPosition } from '../native/call.js'
import { endTransfer, transferLater, transferNow } from '../native/descriptors.js'
import type { Handle } from '../native/handle.js'
import {
  advanceRing,
  endRingHalf,
  releaseRingHalf,
  ringHalfView,
  waitForRing,
  waitForRingSync,
} from '../native/ring.js'
import { ShownMemory } from '../native/shown-memory.js'
import { type Carrier, depart } from '../native/transfer.js'
import { nativeOperation, nativeWait } from '../native/wait.js'
import { Kind, Word } from '../native/words.js'
import { copyInto, firstOf, isDetached, lengthOf, partOf } from '../support/arguments.js'
import { FramePoolError } from '../support/errors.js'
import type { WaitOptions } from '../support/wait.js'
import { waitOptions } from '../support/wait.js'
import { checkFree, checkIdle, type RingSource } from './source.js'

/** One half of a byte ring, as this isolate knows it. */
export class HalfCore implements RingSource {
  readonly handle: Handle
  readonly #kind: Kind.Producer | Kind.Consumer
  readonly size: number
  readonly memory: ShownMemory
  /** How often this half has come back to the start of the ring. */
  #rounds = 0
  /** The position at the start of the first of these rounds. */
  #start = 0n
  offset = 0
  lent = false
  /** Node has views of the ring that it may write to, until it drops them: they must not be detached. */
  keepShown = false
  /** The other half, if it is in this isolate: then each tells the other what it has done, so that neither need ask. */
  #other: HalfCore | null = null
  /** No more than is available: only this half makes that less. */
  #known: number
  /** Whether `#known` is all that is available, as long as native code moves neither half. */
  #exact = false
  /** Bytes that this half has written, or read, and native code has not been told of. */
  #untold = 0
  /** How many bytes may be untold: of a producer, the room that native code knows of. */
  #tellable: number
  /** Waits and transfers for which native code looks at this half, or moves it. */
  #native = 0
  #ended = false
  #released = false
  /** All of the ring, to copy into and out of. */
  #whole: Uint8Array | null = null

  constructor(handle: Handle, kind: Kind.Producer | Kind.Consumer, size: number, available: number) {
    this.handle = handle
    this.#kind = kind
    this.size = size
    this.#known = available
    this.#tellable = size
    this.memory = new ShownMemory(() => ringHalfView(handle))
    acquired(this, kind === Kind.Producer ? 'producer' : 'consumer', handle, freeHalf(handle))
  }

  /** The one that the last call gave: it has arrived from another isolate. */
  static arrived(kind: Kind.Producer | Kind.Consumer): HalfCore {
    const position = replyPosition()
    const ended = reply(Word.Ended) === 1
    const half = new HalfCore(replyHandle(), kind, reply(Word.Size), reply(Word.Available))
    half.offset = Number(position & BigInt(half.size - 1))
    half.#start = position - BigInt(half.offset)
    half.#ended = ended
    return half
  }

  /** Both halves of a new ring. */
  static pair(producer: Handle, consumer: Handle, size: number): { producer: HalfCore; consumer: HalfCore } {
    const halves = {
      producer: new HalfCore(producer, Kind.Producer, size, size),
      consumer: new HalfCore(consumer, Kind.Consumer, size, 0),
    }
    halves.producer.#other = halves.consumer
    halves.consumer.#other = halves.producer
    halves.producer.#exact = halves.consumer.#exact = true
    return halves
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
    return reply(Word.Ended) === 1
  }

  /** Crosses only where so much is not known to be there. */
  atLeast(wanted: number): number {
    return this.#known >= wanted ? this.#known : this.available
  }

  /** Writes as much of `source` as there is room for; returns how much. */
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
    let whole = this.#whole
    if (whole === null || isDetached(whole)) whole = this.#whole = this.memory.view(0, this.size)
    return whole
  }

  advance(count: number): void {
    const other = this.#other
    if (other === null || this.#native > 0 || other.#native > 0 || count > this.#known) {
      this.#tell()
      advanceRing(this.handle, count)
      this.#learn()
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
    const [producer, consumer] = this.#kind === Kind.Producer ? [this, other] : [other, this]
    // In this order: what was read had been written.
    producer.#tellOwn()
    consumer.#tellOwn()
    producer.#tellable = producer.#known
  }

  #tellOwn(): void {
    if (this.#untold === 0) return
    advanceRing(this.handle, this.#untold)
    this.#untold = 0
  }

  /** Asks native code what is available. */
  #ask(): void {
    this.#tell()
    advanceRing(this.handle, 0)
    this.#learn()
  }

  /** Takes over what the last call said is available. Native code must have been told of all. */
  #learn(): void {
    this.#known = reply(Word.Available)
    if (this.#kind === Kind.Producer) this.#tellable = this.#known
    this.#exact = this.#other === null || this.#other.#native === 0
  }

  #moveOn(count: number): void {
    const end = this.offset + count
    if (end >= this.size) this.#rounds++
    // The size is a power of two, at most 2^30, so that the sum's low bits are the place.
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
      return await nativeWait(
        () => given,
        (settled) => waitForRing(this.handle, bytes, settled),
        () => this.#claim(),
      )
    } finally {
      this.#native--
    }
  }

  waitSync(bytes: number, timeoutMs: number): number {
    this.checkUsable()
    this.#tell()
    waitForRingSync(this.handle, bytes, timeoutMs)
    return this.#claim()
  }

  transfer(fd: number): number | null {
    checkFree(this)
    this.#tell()
    transferNow(this.handle, fd)
    return this.#transferred()
  }

  async transferAsync(fd: number, options: WaitOptions | undefined): Promise<number> {
    const given = waitOptions(options)
    checkFree(this)
    this.#tell()
    this.lent = true
    this.#native++
    try {
      return await nativeOperation(
        () => given,
        (settled) => transferLater(this.handle, fd, settled),
        () => endTransfer(this.handle),
        () => this.#transferred(),
      )
    } finally {
      this.lent = false
      this.#native--
    }
  }

  /** NB: the other half is told nothing. It may have asked natively before this is called, and would count it twice. */
  #transferred(): number | null {
    this.#learn()
    if (this.#other !== null) this.#other.#exact = false
    const count = reply(Word.Length)
    this.#moveOn(count)
    return reply(Word.Blocked) === 1 ? null : count
  }

  #claim(): number {
    this.#learn()
    return this.#known
  }

  checkUsable(): void {
    this.checkAlive()
    if (this.#ended) throw new FramePoolError('ERR_CLOSED', 'this half of the ring has ended')
  }

  /** Ended or released. */
  get closed(): boolean {
    return this.#ended || this.#released
  }

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
    depart(this.#kind, this.handle, carrier)
    this.#leave()
    released(this)
  }

  /** This isolate has the half no more. */
  #leave(): void {
    this.#released = true
    this.#whole = null
    if (this.#other !== null) this.#other.#other = null
  }
}

function freeHalf(handle: Handle): () => void {
  return () => releaseRingHalf(handle, true)
}
