import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { BuddyBuffer, isBuddyBuffer, takeBuddyBuffer } from '../buddy/buddy-buffer.js'
import { BudgetAllocation, isAllocation, takeAllocation } from '../budget/budget-allocation.js'
import { streamArgument } from '../ring/sockets/socket-argument.js'
import { isSlice, Slice, type TakenBytes, takeSlice } from '../slice/slice.js'
import {
  bytesArgument,
  copyInto,
  firstOf,
  integerArgument,
  lengthOf,
  MAX_BYTES,
  optionsArgument,
  partOf,
} from '../support/arguments.js'
import { FramePoolError, invalidArgType, invalidArgValue, outOfRange } from '../support/errors.js'
import { uncloneable } from '../support/inspectable.js'
import type { WaitOptions } from '../support/wait.js'
import { bindWriter } from './bound-writers.js'
import { type FramedBatch, framesOf, isFramedBatch, passFramedBatch, pinFramedBatch } from './framed-batch.js'
import {
  type DelimitedOptions,
  delimiterOf,
  type LengthDelimitedOptions,
  type LengthField,
  lengthField,
  maxFrameLength,
} from './layout.js'
import { Outgoing, owned } from './outgoing.js'

/** Options of every `FrameWriter`, besides those of the reader of the same frames. A writer does not use `pool` and `budget`. */
export interface WriterOptions {
  /** Number of bytes, 1 to 2^32 − 1: when this many wait to be sent, `write()` and `forward()` return false. Default 65,536. */
  highWaterMark?: number
}

const DEFAULT_HIGH_WATER_MARK = 65_536

/** Key that the constructor asks for. */
const writerKey = Symbol('framepool.frame-writer')

let outgoingOf: (writer: FrameWriter) => Outgoing

/** Makes the bytes before and behind a payload. */
interface Envelope {
  /** Returns the header of a payload, which may be empty. Throws the documented error for one that cannot be sent. */
  header(payload: Uint8Array): Uint8Array
  readonly trailer: Uint8Array
}

const UNCLONEABLE = Symbol('a FrameWriter stays in its thread: move() what it is to write')

/**
 * Writes frames to a socket. Frames that are written without a pause leave in one vectored write. If code that Node called has written
 * frames, those that promise callbacks write after it leave in another. Bytes in slices are not copied, and go back when the socket has
 * taken them. A `Duplex` that is not a `net.Socket` gets copies, since it may keep what is written.
 */
export class FrameWriter implements Disposable {
  readonly #out: Outgoing
  readonly #envelope: Envelope
  readonly #highWaterMark: number

  /** @internal */
  constructor(key: symbol, socket: Socket | Duplex, envelope: Envelope, highWaterMark: number) {
    if (key !== writerKey) throw invalidArgType('a FrameWriter comes from lengthDelimited() or delimited()')
    this.#out = new Outgoing(socket)
    this.#envelope = envelope
    this.#highWaterMark = highWaterMark
    bindWriter(socket)
    uncloneable(this, UNCLONEABLE)
  }

  static {
    outgoingOf = (writer) => writer.#out
  }

  /**
   * Makes a writer of frames with their length in a header. Other bytes of the header are 0. Throws `ERR_INVALID_ARG_TYPE` unless `socket` is
   * a stream, and the errors that `FrameReader.lengthDelimited()` throws for a wrong option.
   */
  static lengthDelimited(socket: Socket | Duplex, options: LengthDelimitedOptions & WriterOptions): FrameWriter {
    const given = optionsArgument(options, 'options') as LengthDelimitedOptions & WriterOptions
    return create(socket, given, lengthEnvelope(lengthField(given), maxFrameLength(given)))
  }

  /** Makes a writer of frames that end with a delimiter. Throws as `lengthDelimited()` does. */
  static delimited(socket: Socket | Duplex, options: DelimitedOptions & WriterOptions): FrameWriter {
    const given = optionsArgument(options, 'options') as DelimitedOptions & WriterOptions
    return create(socket, given, delimitedEnvelope(delimiterOf(given), maxFrameLength(given)))
  }

  /**
   * Sends a frame with `payload`. A `Slice`, a `BuddyBuffer` or a `BudgetAllocation` is the writer's from here on, and counts as released.
   * Other bytes are copied.
   *
   * Throws `ERR_FRAME_TOO_LARGE` above `maxFrameLength`, `ERR_OUT_OF_RANGE` if the length field cannot hold the length,
   * `ERR_INVALID_ARG_VALUE` for a payload that contains the delimiter, `ERR_RELEASED`, and `ERR_CLOSED` with the socket's error as `cause`
   * if the socket cannot be written to. Nothing is sent then, and the payload is still the caller's.
   *
   * @returns False when `highWaterMark` bytes or more wait: await `drained()` before you send more.
   */
  write(payload: Uint8Array | Slice | BuddyBuffer | BudgetAllocation): boolean {
    const owner = ownerOf(payload)
    const bytes = owner === null ? fixed(bytesArgument(payload, 'payload')) : owner.bytes()
    const { trailer } = this.#envelope
    const header = owned(this.#envelope.header(bytes))
    const out = this.#out
    out.checkOpen()
    // A frame goes out whole, or not at all: what can fail comes first.
    const copied = owner === null ? owned(bytes) : NOTHING
    out.makeRoom(header, copied, trailer)
    const taken = owner?.take()
    out.add(header)
    if (taken === undefined) out.add(copied)
    else out.lend(taken.bytes, () => taken.release())
    out.add(trailer)
    return this.#hasRoom
  }

  /**
   * Sends frames of a batch as they came, headers included, and without a copy: those from index `from` up to `to`, by default all. The batch
   * is released when the socket has taken them, unless it is retained. Several writers can forward it in the same turn. Throws
   * `ERR_INVALID_ARG_TYPE` or `ERR_OUT_OF_RANGE`, `ERR_RELEASED` and `ERR_CLOSED`.
   *
   * @returns False as `write()` does.
   */
  forward(batch: FramedBatch, from = 0, to?: number): boolean {
    if (typeof batch !== 'object' || batch === null || !isFramedBatch(batch)) {
      throw invalidArgType('batch must be a FramedBatch')
    }
    const bytes = framesOf(batch, from, to ?? batch.length)
    const out = this.#out
    out.checkOpen()
    const unpin = pinFramedBatch(batch)
    out.lend(bytes, () => {
      passFramedBatch(batch)
      unpin()
    })
    return this.#hasRoom
  }

  /** Resolves when at most half of `highWaterMark` waits. Rejects with `ERR_CLOSED` when the socket breaks or the writer is closed. */
  drained(options?: WaitOptions): Promise<void> {
    return this.#out.drained(Math.floor(this.#highWaterMark / 2), options)
  }

  /** Sends everything, and ends the sending side of the socket. Rejects with `ERR_CLOSED` if the socket breaks before. */
  end(): Promise<void> {
    return this.#out.end()
  }

  /** Closes the writer: frames of this turn are dropped, and nothing is sent any more. The socket stays open. Idempotent. */
  [Symbol.dispose](): void {
    this.#out.close()
  }

  get #hasRoom(): boolean {
    return this.#out.pending < this.#highWaterMark
  }
}

function create(socket: Socket | Duplex, options: WriterOptions, envelope: Envelope): FrameWriter {
  const { highWaterMark = DEFAULT_HIGH_WATER_MARK } = options
  integerArgument(highWaterMark, 'highWaterMark', 1, MAX_BYTES)
  streamArgument(socket, 'socket')
  if (socket.writableObjectMode) throw invalidArgType('socket must take bytes: no object mode')
  return new FrameWriter(writerKey, socket, envelope, highWaterMark)
}

/** The intrinsic getters: an object may have a `bytes` of its own. */
const [bytesOfSlice, bytesOfBuddy, bytesOfAllocation] = [Slice, BuddyBuffer, BudgetAllocation].map(
  ({ prototype }) => Object.getOwnPropertyDescriptor(prototype, 'bytes')!.get as () => Uint8Array,
) as [() => Uint8Array, () => Uint8Array, () => Uint8Array]

/** An object that owns its bytes. */
interface Owner {
  bytes(): Uint8Array
  take(): TakenBytes
}

/** Returns how to get at the bytes of `payload` if it owns them, or null. */
function ownerOf(payload: unknown): Owner | null {
  if (typeof payload !== 'object' || payload === null) return null
  if (isSlice(payload)) return { bytes: () => bytesOfSlice.call(payload), take: () => takeSlice(payload) }
  if (isBuddyBuffer(payload)) return { bytes: () => bytesOfBuddy.call(payload), take: () => takeBuddyBuffer(payload) }
  if (isAllocation(payload))
    return { bytes: () => bytesOfAllocation.call(payload), take: () => takeAllocation(payload) }
  return null
}

const NOTHING = new Uint8Array(0)

/** Returns a view of `bytes` that has a fixed length: another thread can lengthen an array over growable shared memory. */
function fixed(bytes: Uint8Array): Uint8Array {
  return firstOf(bytes, lengthOf(bytes))
}

function checkLength(length: number, max: number): void {
  if (length > max) {
    throw new FramePoolError('ERR_FRAME_TOO_LARGE', `a frame of ${length} bytes is larger than the ${max} allowed`)
  }
}

function lengthEnvelope(field: LengthField, max: number): Envelope {
  const { offset, length, littleEndian, adjustment, header } = field
  const most = 2 ** (8 * length) - 1
  // Its bytes are copied before the next call.
  const bytes = new Uint8Array(header)
  return {
    trailer: NOTHING,
    header: (payload) => {
      const total = header + lengthOf(payload)
      checkLength(total, max)
      const value = total - offset - length - adjustment
      if (value < 0 || value > most) throw outOfRange(`a length field of ${length} bytes cannot hold ${value}`)
      for (let index = 0, rest = value; index < length; index++) {
        bytes[offset + (littleEndian ? index : length - 1 - index)] = rest % 256
        rest = Math.floor(rest / 256)
      }
      return bytes
    },
  }
}

/** The method of typed arrays, which looks only at bytes. That of `Buffer` believes the `length` that a script has given a view. */
const { indexOf } = Uint8Array.prototype

function contains(bytes: Uint8Array, delimiter: Uint8Array, size: number): boolean {
  const last = lengthOf(bytes) - size
  for (let at = -1; ; ) {
    at = indexOf.call(bytes, delimiter[0]!, at + 1)
    if (at < 0 || at > last) return false
    let matching = 1
    while (matching < size && bytes[at + matching] === delimiter[matching]) matching++
    if (matching === size) return true
  }
}

/** Returns whether a delimiter ends before the one that is put behind `payload`. */
function endsEarly(payload: Uint8Array, delimiter: Uint8Array, size: number): boolean {
  const length = lengthOf(payload)
  // Views of detached memory are empty, too, and cannot be searched.
  if (length === 0) return false
  if (contains(payload, delimiter, size)) return true
  if (size === 1) return false
  // The end of the payload, and all of the delimiter but its last byte.
  const from = Math.max(0, length - size + 1)
  const end = new Uint8Array(length - from + size - 1)
  copyInto(end, partOf(payload, from, length - from), 0)
  copyInto(end, partOf(delimiter, 0, size - 1), length - from)
  return contains(end, delimiter, size)
}

function delimitedEnvelope(delimiter: Uint8Array, max: number): Envelope {
  const size = lengthOf(delimiter)
  return {
    trailer: delimiter,
    header: (payload) => {
      checkLength(lengthOf(payload) + size, max)
      if (endsEarly(payload, delimiter, size)) throw invalidArgValue('payload must not contain the delimiter')
      return NOTHING
    },
  }
}

/** Returns the number of bytes of `writer` that wait to be sent. */
export function pendingOf(writer: FrameWriter): number {
  return outgoingOf(writer).pending
}

/** Returns whether `writer` was closed, or has ended its socket. */
export function isWriterClosed(writer: FrameWriter): boolean {
  return outgoingOf(writer).closed
}
