import { Fixed } from '../../native/fixed.js'
import type { ReceivedPlace } from '../../native/session.js'
import { isShown } from '../../native/shown-memory.js'
import type { OwnedMemory, ViewedMemory } from '../../slice/slice-memory.js'
import type { SlotMemory } from '../../slot/slot-memory.js'
import { lengthOf, placeArgument } from '../../support/arguments.js'
import { FramePoolError, invalidArgType } from '../../support/errors.js'
import { inspectable, shownIf, uncloneable } from '../../support/inspectable.js'
import { CHANNEL_BIT, frameKey } from '../messages/frame-type.js'

/** The frames that one `receive()` decrypted, in order. */
export interface FrameBatch extends Iterable<Frame> {
  /** Number of frames. */
  readonly length: number
  /** Returns the frame at `index`, from the end if it is negative, or undefined if there is none, as `Array.prototype.at()` does. */
  at(index: number): Frame | undefined
  /** Gives the memory back. Returns true the first time, and false after that. */
  release(): boolean
  /** Keeps the frames beyond the next `receive()`, until `release()`. Returns the batch. */
  retain(): FrameBatch & Disposable
}

/** One frame of a batch. Once the batch is released, its members throw `ERR_RELEASED`. */
export interface Frame {
  /** Message type, 0 to 255. */
  readonly messageType: number
  /** Extension type without the channel bit, 0 to 32,767. */
  readonly extensionType: number
  /** True when the channel bit of the header is set. */
  readonly channelMessage: boolean
  /** First u32 of the payload, or null if the frame is not a channel message or its payload is shorter. */
  readonly channelId: number | null
  /** Decrypted payload, not copied. */
  readonly payload: Uint8Array
}

/** The place where the core has put the frames. */
export interface BatchSlice {
  readonly memory: ViewedMemory & Pick<OwnedMemory, 'owner'>
  readonly slot: number
  readonly offset: number
  readonly table: number
}

/** Frames to be forwarded: a range of a batch, and the place of the batch. */
export interface FramesPlace {
  /** Identity of the session that has received them. */
  receiver: object
  place: ReceivedPlace
  first: number
  count: number
}

/** Key of the constructors of batches and frames: only this module has it. */
const batchKey = Symbol('framepool.batch')

// These functions open the private parts of the classes to this file, and to no other code.
let check: (batch: ReceivedBatch) => void
let placeOfBatch: (batch: object) => FramesPlace | null
let placeOfFrame: (frame: object) => FramesPlace | null
let findIn: (batch: ReceivedBatch, start: number, wanted: ReadonlySet<number>) => number
let keepOf: (batch: ReceivedBatch) => void
let passOf: (batch: ReceivedBatch) => void
let isEmptyBatch: (batch: object) => boolean
let view: (batch: ReceivedBatch, offset: number, length: number) => Uint8Array

/** Pool that keeps the last batch of a session until it is received into again. */
export type Lodging = Pick<SlotMemory, 'moveOut'>

/** Identity of a session for its batches, which must not keep the session, and the number of batches that it has retained. */
export interface Receiver {
  batches: number
}

const UNCLONEABLE = Symbol('a batch of an Sv2Session stays in its thread: post copies of its payloads')

/** A batch in one slice of a pool. The slice holds the frames side by side, and behind them the table of their places. */
class ReceivedBatch implements FrameBatch, Disposable {
  readonly #slice: BatchSlice
  readonly #pool: Lodging
  readonly #count: number
  /** Figures of the session that has received the batch. */
  readonly #receiver: Receiver
  #table: Uint8Array | null = null
  #released = false
  #retained = false

  constructor(key: symbol, slice: BatchSlice, pool: Lodging, count: number, receiver: Receiver) {
    if (key !== batchKey) throw invalidArgType('a FrameBatch comes from receive()')
    this.#slice = slice
    this.#pool = pool
    this.#count = count
    this.#receiver = receiver
    uncloneable(this, UNCLONEABLE)
  }

  static {
    check = (batch) => {
      if (batch.#released) throw new FramePoolError('ERR_RELEASED', 'the batch was released')
    }
    placeOfBatch = (batch) => {
      if (!(#slice in batch)) return null
      check(batch)
      const { memory, slot, table } = batch.#slice
      return { receiver: batch.#receiver, place: { slot, owner: memory.owner, table }, first: 0, count: batch.#count }
    }
    keepOf = (batch) => {
      batch.#pool.moveOut(batch)
    }
    passOf = (batch) => {
      if (!batch.#retained) batch.release()
    }
    findIn = (batch, start, wanted) => {
      const table = batch.#entries()
      let index = start
      for (; index < batch.#count; index++) {
        const at = index * Fixed.BatchEntry
        if (wanted.has(frameKey(table[at + 8]! | (table[at + 9]! << 8), table[at + 10]!))) break
      }
      return index
    }
    view = (batch, offset, length) => {
      check(batch)
      return batch.#slice.memory.view(batch.#slice.offset + offset, length, 0)
    }
  }

  get length(): number {
    check(this)
    return this.#count
  }

  at(index: number): Frame | undefined {
    check(this)
    const place = placeArgument(index, this.#count)
    return place === -1 ? undefined : this.#frame(place)
  }

  *[Symbol.iterator](): Iterator<Frame> {
    check(this)
    for (let index = 0; index < this.#count; index++) yield this.#frame(index)
  }

  release(): boolean {
    if (this.#released) return false
    this.#released = true
    this.#table = null
    if (this.#retained) this.#receiver.batches--
    else this.#pool.moveOut(this)
    this.#slice.memory.release(this.#slice.slot)
    return true
  }

  retain(): FrameBatch & Disposable {
    check(this)
    if (!this.#retained) {
      this.#retained = true
      this.#pool.moveOut(this)
      this.#receiver.batches++
    }
    return this
  }

  [Symbol.dispose](): void {
    this.release()
  }

  #entries(): Uint8Array {
    check(this)
    let table = this.#table
    if (!isShown(table, this.#count * Fixed.BatchEntry)) {
      table = this.#table = view(this, this.#slice.table, this.#count * Fixed.BatchEntry)
    }
    return table
  }

  #frame(index: number): Frame {
    const table = this.#entries()
    const at = index * Fixed.BatchEntry
    const offset = (table[at]! | (table[at + 1]! << 8) | (table[at + 2]! << 16) | (table[at + 3]! << 24)) >>> 0
    const length = (table[at + 4]! | (table[at + 5]! << 8) | (table[at + 6]! << 16) | (table[at + 7]! << 24)) >>> 0
    // The table lies in memory that JavaScript can write: a frame must not reach into another slice.
    if (offset + length > this.#slice.table) {
      throw new FramePoolError('ERR_INTERNAL', 'the table of the batch was overwritten')
    }
    return new ReceivedFrame(
      batchKey,
      this,
      index,
      offset,
      length,
      table[at + 8]! | (table[at + 9]! << 8),
      table[at + 10]!,
    )
  }
}

/** Makes the batch of `count` frames in a slice. `receiver` counts it while it is retained. */
export function makeBatch(slice: BatchSlice, pool: Lodging, count: number, receiver: Receiver): FrameBatch {
  return new ReceivedBatch(batchKey, slice, pool, count, receiver)
}

/**
 * Returns the index of the next frame in `wanted`, from `start` on, or the number of frames if there is none. `wanted` holds values of
 * `frameKey()`.
 */
export function findFrame(batch: FrameBatch, start: number, wanted: ReadonlySet<number>): number {
  return findIn(batch as ReceivedBatch, start, wanted)
}

class ReceivedFrame implements Frame {
  readonly #batch: ReceivedBatch
  readonly #index: number
  readonly #offset: number
  readonly #length: number
  readonly #extension: number
  readonly #messageType: number

  constructor(
    key: symbol,
    batch: ReceivedBatch,
    index: number,
    offset: number,
    length: number,
    extension: number,
    messageType: number,
  ) {
    if (key !== batchKey) throw invalidArgType('a Frame comes from a FrameBatch')
    this.#batch = batch
    this.#index = index
    this.#offset = offset
    this.#length = length
    this.#extension = extension
    this.#messageType = messageType
  }

  static {
    placeOfFrame = (frame) => {
      const found = #batch in frame ? placeOfBatch(frame.#batch) : null
      return found && { ...found, first: (frame as ReceivedFrame).#index, count: 1 }
    }
  }

  get messageType(): number {
    check(this.#batch)
    return this.#messageType
  }

  get extensionType(): number {
    check(this.#batch)
    return this.#extension & ~CHANNEL_BIT
  }

  get channelMessage(): boolean {
    check(this.#batch)
    return (this.#extension & CHANNEL_BIT) !== 0
  }

  get channelId(): number | null {
    if (!this.channelMessage || this.#length < 4) return null
    const [a, b, c, d] = view(this.#batch, this.#offset, 4) as unknown as [number, number, number, number]
    return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0
  }

  get payload(): Uint8Array {
    return view(this.#batch, this.#offset, this.#length)
  }
}

/** Makes the batch that `receive()` returns when no frame is complete. */
export function emptyBatch(): FrameBatch {
  return new EmptyBatch()
}

/** Keeps a batch beyond the next `receive()`, until `passBatch()`. */
export function keepBatch(batch: FrameBatch): void {
  if (batch.length > 0) keepOf(batch as ReceivedBatch)
}

/** Releases a batch that was kept, unless it is retained or released by now. */
export function passBatch(batch: FrameBatch): void {
  if (batch instanceof ReceivedBatch) passOf(batch)
}

/** Returns whether `frame` is a frame that `receive()` gave. */
export function isReceivedFrame(frame: object): boolean {
  return placeOfFrame(frame) !== null
}

/** Returns the place of frames to be forwarded, or null if there are none. */
export function placeOf(frames: Frame | FrameBatch): FramesPlace | null {
  if (typeof frames === 'object' && frames !== null) {
    const found = placeOfBatch(frames) ?? placeOfFrame(frames)
    if (found !== null) return found
    if (isEmptyBatch(frames)) return null
  }
  throw invalidArgType('frames must be a Frame or a FrameBatch that receive() gave')
}

/** A batch that holds nothing. */
class EmptyBatch implements FrameBatch, Disposable {
  #released = false

  constructor() {
    uncloneable(this, UNCLONEABLE)
  }

  static {
    isEmptyBatch = (batch) => #released in batch
  }

  get length(): number {
    return 0
  }

  at(): undefined {}

  *[Symbol.iterator](): Iterator<Frame> {}

  release(): boolean {
    const released = !this.#released
    this.#released = true
    return released
  }

  retain(): FrameBatch & Disposable {
    return this
  }

  [Symbol.dispose](): void {}
}

const BATCH = { name: 'FrameBatch' }

inspectable(
  ReceivedBatch,
  (batch) =>
    shownIf(
      () => check(batch),
      'released',
      () => ({ length: batch.length }),
    ),
  BATCH,
)
inspectable(EmptyBatch, ({ length }) => ({ length }), BATCH)
inspectable(
  ReceivedFrame,
  (frame) =>
    shownIf(
      () => frame.messageType,
      'released',
      () => {
        const { messageType, extensionType, channelMessage, payload } = frame
        return { messageType, extensionType, channelMessage, length: lengthOf(payload) }
      },
    ),
  { name: 'Frame' },
)
