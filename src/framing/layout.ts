import type { MemoryBudget } from '../memory/memory-budget.js'
import { Fixed } from '../native/fixed.js'
import type { FrameLayout } from '../native/framing.js'
import type { SlotPool } from '../slot/slot-pool.js'
import {
  bytesArgument,
  copyOf,
  functionArgument,
  integerArgument,
  lengthOf,
  optionsArgument,
} from '../support/arguments.js'
import { invalidArgValue, outOfRange } from '../support/errors.js'

/** Options of every `FrameReader`. */
export interface ReaderOptions {
  /**
   * Longest frame in bytes, header and delimiter included: 1 to 2^30. A longer one is `ERR_FRAME_TOO_LARGE` as soon as its header has come,
   * before its bytes are held. There is no safe default.
   */
  maxFrameLength: number
  /** Pool that batches lie in. Default: up to eight of 1 MiB and 32 slots, which all readers of the isolate share. */
  pool?: SlotPool
  /**
   * Budget for unreleased batches and unfinished frames. Other readers and pools may share it. At the limit `attach()` stops reading until
   * it is its turn, and `receive()` throws `ERR_MEMORY_LIMIT`. Default: no limit.
   */
  budget?: MemoryBudget
}

/** Options of `FrameReader.lengthDelimited()`, by the names that Netty and tokio-util use. Sizes are in bytes. */
export interface LengthDelimitedOptions extends ReaderOptions {
  /** Offset of the length field in the frame, in bytes: 0 to 65,536. Default 0. */
  lengthFieldOffset?: number
  /** Length of the length field in bytes. Default 4. */
  lengthFieldLength?: 1 | 2 | 3 | 4 | 8
  /** Byte order of the length field. Default `'big'`. */
  endian?: 'big' | 'little'
  /** Number that is added to the length field, −2^31 to 2^31 − 1. Default 0: the field counts the bytes that follow it. */
  lengthAdjustment?: number
  /** Length of the header in bytes: from the end of the length field to 65,536. Default: it ends with the length field. */
  headerLength?: number
}

/** Options of `FrameReader.delimited()`. */
export interface DelimitedOptions extends ReaderOptions {
  /** Byte, or 1 to 16 bytes, that end each frame. Default `0x0a`, a line feed. */
  delimiter?: number | Uint8Array
}

/** Options of `FrameReader.withHeader()`. */
export interface HeaderOptions extends ReaderOptions {
  /** Length of the header in bytes: 1 to 65,536. */
  headerLength: number
  /** Returns the length of a frame in bytes, its header included. Called once for each frame, when its header has come. */
  frameLength(header: Uint8Array): number
}

const LENGTHS: readonly unknown[] = [1, 2, 3, 4, 8]

/** A length field, with its defaults. */
export interface LengthField {
  readonly offset: number
  readonly length: number
  readonly littleEndian: boolean
  readonly adjustment: number
  readonly header: number
}

/** Reads `options`. Throws the documented error if one is wrong. */
export function maxFrameLength(options: ReaderOptions): number {
  return integerArgument(options.maxFrameLength, 'maxFrameLength', 1, Fixed.MaxFrame)
}

/** Reads the options of a length field. */
export function lengthField(options: LengthDelimitedOptions): LengthField {
  const { lengthFieldOffset = 0, lengthFieldLength = 4, endian = 'big', lengthAdjustment = 0, headerLength } = options
  const offset = integerArgument(lengthFieldOffset, 'lengthFieldOffset', 0, Fixed.MaxHeader)
  const length = integerArgument(lengthFieldLength, 'lengthFieldLength', 1, 8)
  if (!LENGTHS.includes(length)) throw outOfRange(`lengthFieldLength must be 1, 2, 3, 4 or 8, not ${length}`)
  if (endian !== 'big' && endian !== 'little') throw invalidArgValue("endian must be 'big' or 'little'")
  const adjustment = integerArgument(lengthAdjustment, 'lengthAdjustment', -(2 ** 31), 2 ** 31 - 1)
  const end = offset + length
  const header = headerLength === undefined ? end : integerArgument(headerLength, 'headerLength', end, Fixed.MaxHeader)
  return { offset, length, littleEndian: endian === 'little', adjustment, header }
}

/** Reads the option `delimiter`, and returns a copy of its bytes. */
export function delimiterOf({ delimiter = 0x0a }: DelimitedOptions): Uint8Array {
  if (typeof delimiter === 'number') return Uint8Array.of(integerArgument(delimiter, 'delimiter', 0, 255))
  const bytes = bytesArgument(delimiter, 'delimiter')
  if (lengthOf(bytes) === 0 || lengthOf(bytes) > Fixed.MaxDelimiter) {
    throw outOfRange(`delimiter must have 1 to ${Fixed.MaxDelimiter} bytes`)
  }
  return copyOf(bytes)
}

const NO_FIELD = { header: 0, fieldOffset: 0, littleEndian: false, adjustment: 0 }

/** Returns the layout of a stream of length-delimited frames. */
export function lengthLayout(options: LengthDelimitedOptions): FrameLayout {
  const given = optionsArgument(options, 'options') as LengthDelimitedOptions
  const { offset, length, littleEndian, adjustment, header } = lengthField(given)
  return { max: maxFrameLength(given), header, fieldLength: length, fieldOffset: offset, littleEndian, adjustment }
}

/** Returns the layout of a stream of delimited frames. */
export function delimitedLayout(options: DelimitedOptions): FrameLayout {
  const given = optionsArgument(options, 'options') as DelimitedOptions
  return { ...NO_FIELD, delimiter: delimiterOf(given), max: maxFrameLength(given) }
}

/** Returns the layout of a stream whose headers JavaScript reads, and what reads them. */
export function headerLayout(options: HeaderOptions): {
  layout: FrameLayout
  frameLength: (header: Uint8Array) => number
} {
  const given = optionsArgument(options, 'options') as HeaderOptions
  const header = integerArgument(given.headerLength, 'headerLength', 1, Fixed.MaxHeader)
  const { frameLength } = given
  functionArgument(frameLength, 'frameLength')
  return { layout: { ...NO_FIELD, header, max: maxFrameLength(given) }, frameLength }
}
