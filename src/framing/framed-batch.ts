import { Fixed } from '../native/fixed.js'
import { viewOf } from '../native/shown-memory.js'
import { type BatchShape, type Carrier, departBatch, makeTicket } from '../native/travel.js'
import { HeapMemory } from '../slice/heap-memory.js'
import type { SliceMemory } from '../slice/slice-memory.js'
import { SlotMemory } from '../slot/slot-memory.js'
import { bufferOf, copyOf, integerArgument, offsetOf } from '../support/arguments.js'
import { FramePoolError, invalidArgType } from '../support/errors.js'
import { uncloneable } from '../support/inspectable.js'
import type { Ticket } from '../support/ticket.js'

/** Place of a batch: its memory, its slot there or 0, and its start in bytes. */
export interface BatchPlace {
  readonly memory: SliceMemory
  readonly slot: number
  readonly offset: number
}

/** Key of the constructor: only this module has it. */
const framedKey = Symbol('framepool.framed-batch')

// These functions open the private parts of the class to this file, and to no other code.
let isOne: (value: object) => value is FramedBatch
let departOf: (batch: FramedBatch, carrier: Carrier) => void
let checkOf: (batch: FramedBatch) => void
let bytesOf: (batch: FramedBatch, from: number, to: number) => Uint8Array
let pinOf: (batch: FramedBatch) => () => void
let passOf: (batch: FramedBatch) => void
let sharesOf: (batch: FramedBatch, buffer: ArrayBufferLike) => boolean

const UNCLONEABLE = Symbol('a FramedBatch is not cloned: post what its move() returns')

/**
 * Whole frames of one read, side by side in one slice, with a table of their places. A batch that comes from a {@link FrameReader} is valid
 * until the reader's next one, unless it is retained. After its release all members but `length` and `tag` throw `ERR_RELEASED`.
 */
export class FramedBatch implements Iterable<Uint8Array>, Disposable {
  readonly #place: BatchPlace | null
  readonly #shape: BatchShape
  /** Whether the slice takes bytes of a budget, which should be given back without delay. */
  readonly #charged: boolean
  #tag: number
  /** Shows the memory of the slice: made when first needed. */
  #buffer: ArrayBufferLike | null = null
  /** Offset of the slice in `#buffer`, in bytes. */
  #base = 0
  #ends: Uint32Array | null = null
  #released = false
  #retained = false
  /** Writes that are not done. The memory stays until they are. */
  #pins = 0

  /** @internal */
  constructor(key: symbol, place: BatchPlace | null, shape: BatchShape, charged: boolean, tag = 0) {
    if (key !== framedKey) throw invalidArgType('a FramedBatch comes from a FrameReader')
    this.#place = place
    this.#shape = shape
    this.#charged = charged
    this.#tag = tag
    uncloneable(this, UNCLONEABLE)
  }

  static {
    isOne = (value) => #place in value
    checkOf = (batch) => batch.#live()
    departOf = (batch, carrier) => {
      batch.#live()
      if (batch.#pins > 0) throw new FramePoolError('ERR_BUSY', 'a socket has not taken all of the batch yet')
      const place = batch.#place
      if (place === null) throw new FramePoolError('ERR_INVALID_STATE', 'an empty batch has nothing to move')
      departBatch(batch.#shape, batch.#tag, () => place.memory.depart(place.slot, carrier))
      batch.#forget()
    }
    bytesOf = (batch, from, to) => {
      batch.#live()
      const { frames } = batch.#shape
      integerArgument(from, 'from', 0, frames)
      integerArgument(to, 'to', from, frames)
      if (from === to) return new Uint8Array(0)
      const start = batch.#start(from)
      return batch.#view(start, batch.#end(to - 1, start) - start)
    }
    pinOf = (batch) => {
      batch.#pins++
      return () => {
        batch.#pins--
        if (batch.#pins === 0 && batch.#released) batch.#free()
      }
    }
    passOf = (batch) => {
      if (!batch.#retained) batch.release()
    }
    sharesOf = (batch, buffer) =>
      batch.#place?.memory instanceof HeapMemory && !batch.#released && batch.#buffer === buffer
  }

  /** Number of frames. */
  get length(): number {
    return this.#shape.frames
  }

  /** A number of your choice, by default 0, which goes with the batch to another worker. */
  get tag(): number {
    return this.#tag
  }

  /** Sets the tag. Throws `ERR_INVALID_ARG_TYPE` if `tag` is not a number. */
  set tag(tag: number) {
    if (typeof tag !== 'number') throw invalidArgType(`tag must be a number, not ${typeof tag}`)
    this.#tag = tag
  }

  /**
   * Returns the payload of the frame at `index`, not copied: without its header and its delimiter. Throws `ERR_OUT_OF_RANGE` if there is no
   * such frame, and `ERR_INTERNAL` if the batch's table was overwritten.
   */
  payload(index: number): Uint8Array {
    const { header, trailer } = this.#shape
    return this.#part(index, header, trailer)
  }

  /**
   * Returns the header of the frame at `index`, not copied. Throws `ERR_OUT_OF_RANGE` if there is no such frame, and `ERR_INTERNAL` if the
   * batch's table was overwritten.
   */
  header(index: number): Uint8Array {
    const start = this.#start(this.#checked(index))
    return this.#view(start, Math.min(this.#shape.header, this.#end(index, start) - start))
  }

  /**
   * Returns the whole frame at `index`, not copied: header, payload and delimiter. Throws `ERR_OUT_OF_RANGE` if there is no such frame, and
   * `ERR_INTERNAL` if the batch's table was overwritten.
   */
  frame(index: number): Uint8Array {
    return this.#part(index, 0, 0)
  }

  /** Iterates over the payloads. */
  [Symbol.iterator](): Iterator<Uint8Array> {
    this.#live()
    const { frames, header, trailer } = this.#shape
    let index = 0
    let start = 0
    return {
      next: () => {
        if (index === frames) return { done: true, value: undefined }
        const end = this.#end(index++, start)
        const from = start + header
        start = end
        return { done: false, value: this.#view(from, end - trailer - from) }
      },
    }
  }

  /** Keeps the batch beyond the reader's next one, until `release()`. Returns the batch. */
  retain(): this {
    this.#live()
    this.#retained = true
    return this
  }

  /**
   * Gives the memory back. If sockets still send the batch, the memory comes back when they have taken it. Returns true the first time, and
   * false after that.
   */
  release(): boolean {
    if (this.#released) return false
    this.#forget()
    if (this.#pins === 0) this.#free()
    return true
  }

  /**
   * Returns a ticket with which another isolate of this process can `adopt()` the batch, with its table and its tag, and without a copy. In
   * this isolate the batch counts as released from here on. Throws `ERR_RELEASED`, `ERR_BUSY` while the batch is being forwarded,
   * `ERR_INVALID_STATE` if it has no frames, and `ERR_NO_MEMORY` when the system has no memory.
   */
  move(): Ticket<FramedBatch> {
    return { framepool: makeTicket((carrier) => departOf(this, carrier)) }
  }

  /** Calls `release()`. */
  [Symbol.dispose](): void {
    this.release()
  }

  #part(index: number, header: number, trailer: number): Uint8Array {
    const start = this.#start(this.#checked(index))
    return this.#view(start + header, this.#end(index, start) - trailer - start - header)
  }

  #checked(index: number): number {
    this.#live()
    return integerArgument(index, 'index', 0, this.#shape.frames - 1)
  }

  #start(index: number): number {
    return index === 0 ? 0 : this.#end(index - 1, 0)
  }

  /** Returns where the frame at `index`, which begins at `start`, ends in the slice. */
  #end(index: number, start: number): number {
    this.#live()
    let end = this.#ends?.[index]
    // Even if a script has detached the memory.
    end ??= this.#showEnds()[index]!
    const { header, trailer, table } = this.#shape
    // The table lies in memory that JavaScript can write: a frame must not reach into another slice.
    if (end - start < header + trailer || end > table) {
      throw new FramePoolError('ERR_INTERNAL', 'the table of the batch was overwritten')
    }
    return end
  }

  #showEnds(): Uint32Array {
    const { table, frames } = this.#shape
    const bytes = this.#view(table, frames * Fixed.FramedEntry)
    // Native code has aligned it. Only an allocator for debugging begins at odd addresses.
    const aligned = offsetOf(bytes) % Fixed.FramedEntry === 0 ? bytes : copyOf(bytes)
    this.#ends = new Uint32Array(bufferOf(aligned), offsetOf(aligned), frames)
    return this.#ends
  }

  #view(start: number, length: number): Uint8Array {
    const known = viewOf(this.#buffer, this.#base + start, length)
    if (known !== null) return known
    const { memory, offset } = this.#place!
    const view = memory.view(offset + start, length, 0)
    this.#buffer = bufferOf(view)
    this.#base = offset
    return view
  }

  #live(): void {
    if (this.#released) throw new FramePoolError('ERR_RELEASED', 'the batch was released')
  }

  #forget(): void {
    this.#released = true
    this.#ends = null
    this.#buffer = null
  }

  #free(): void {
    const place = this.#place
    if (place === null) return
    const { memory, slot } = place
    if (this.#charged && memory instanceof SlotMemory) memory.releaseNow(slot)
    else memory.release(slot)
  }
}

/** Makes a batch. `place` is null for one without frames. */
export function makeFramedBatch(
  place: BatchPlace | null,
  shape: BatchShape,
  charged: boolean,
  tag?: number,
): FramedBatch {
  return new FramedBatch(framedKey, place, shape, charged, tag)
}

/** Returns whether `value` is a batch of frames. An object that only inherits from the prototype does not count. */
export function isFramedBatch(value: object): value is FramedBatch {
  return isOne(value)
}

/** Throws `ERR_RELEASED` if `batch` was released or moved. */
export function checkFramedBatch(batch: FramedBatch): void {
  checkOf(batch)
}

/** Sends `batch` to another isolate by `carrier`. If that throws, the batch has not left. */
export function departFramedBatch(batch: FramedBatch, carrier: Carrier): void {
  departOf(batch, carrier)
}

/** Returns the bytes of the frames from `from` up to `to`, headers included. */
export function framesOf(batch: FramedBatch, from: number, to: number): Uint8Array {
  return bytesOf(batch, from, to)
}

/** Keeps the memory of `batch`, even if the batch is released. Returns a function that ends that. */
export function pinFramedBatch(batch: FramedBatch): () => void {
  return pinOf(batch)
}

/** Releases `batch` after its use, unless it is retained. */
export function passFramedBatch(batch: FramedBatch): void {
  passOf(batch)
}

/** Returns whether views of `buffer` show memory that goes when `batch` is released. */
export function sharesMemory(batch: FramedBatch, buffer: ArrayBufferLike): boolean {
  return sharesOf(batch, buffer)
}
