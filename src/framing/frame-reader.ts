import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FrameLayout } from '../native/framing.js'
import { memoryOf } from '../slot/slot-pool.js'
import { nativeBytesArgument } from '../support/arguments.js'
import { invalidArgType, outOfRange } from '../support/errors.js'
import { eventSource } from '../support/events.js'
import { uncloneable } from '../support/inspectable.js'
import { type AttachOptions, attach } from './attachment.js'
import { defaultPool } from './default-pools.js'
import type { FramedBatch } from './framed-batch.js'
import { HeaderScanner } from './header-scanner.js'
import {
  type DelimitedOptions,
  delimitedLayout,
  type HeaderOptions,
  headerLayout,
  type LengthDelimitedOptions,
  lengthLayout,
  type ReaderOptions,
} from './layout.js'
import { Purse } from './purse.js'
import { ReaderCore } from './reader-core.js'

/** Key that the constructor asks for. */
const readerKey = Symbol('framepool.frame-reader')

let isClosed: (reader: FrameReader) => boolean

const UNCLONEABLE = Symbol('a FrameReader stays in its thread: move() its batches')

/**
 * Reads frames from one stream. Make one for each connection. All frames that a read brings lie side by side in one slice, and come as one
 * batch. The reader holds the bytes of an unfinished frame.
 */
export class FrameReader implements Disposable {
  readonly #core: ReaderCore

  /** @internal */
  constructor(key: symbol, core: ReaderCore) {
    if (key !== readerKey)
      throw invalidArgType('a FrameReader comes from lengthDelimited(), delimited() or withHeader()')
    this.#core = core
    uncloneable(this, UNCLONEABLE)
  }

  static {
    isClosed = (reader) => reader.#core.closed
  }

  /**
   * Makes a reader of frames with their length in a header. A wrong option throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` or, for another
   * `endian`, `ERR_INVALID_ARG_VALUE`. It is `ERR_OUT_OF_RANGE`, too, if `budget` has no room for `maxFrameLength` bytes.
   */
  static lengthDelimited(options: LengthDelimitedOptions): FrameReader {
    return create(options, lengthLayout(options), null)
  }

  /**
   * Makes a reader of frames that end with a delimiter, such as lines. No byte is looked at twice. A wrong option throws
   * `ERR_INVALID_ARG_TYPE` or `ERR_OUT_OF_RANGE`. It is `ERR_OUT_OF_RANGE`, too, if `budget` has no room for `maxFrameLength` bytes.
   */
  static delimited(options: DelimitedOptions): FrameReader {
    return create(options, delimitedLayout(options), null)
  }

  /**
   * Makes a reader of frames whose header JavaScript reads, for any other protocol. `receive()` throws the errors of `frameLength`, and
   * takes nothing in then. A wrong option throws `ERR_INVALID_ARG_TYPE` or `ERR_OUT_OF_RANGE`. It is `ERR_OUT_OF_RANGE`, too, if `budget` has
   * no room for `maxFrameLength` bytes.
   */
  static withHeader(options: HeaderOptions): FrameReader {
    const { layout, frameLength } = headerLayout(options)
    return create(options, layout, new HeaderScanner(layout.header, frameLength))
  }

  /**
   * Takes bytes of the stream, cut anywhere, and returns the frames that are whole, perhaps none. The batch is valid until the reader's next
   * one, unless it is retained.
   *
   * A frame that is too long (`ERR_FRAME_TOO_LARGE`), or shorter than its header (`ERR_FRAME_LENGTH`), breaks the stream: if good frames came
   * before it, this call returns them, and the next call throws. Throws `ERR_MEMORY_LIMIT` at the limit of the budget or of the pool's
   * heap, `ERR_BUSY` if the pool holds bytes that were written and not taken, and `ERR_CLOSED`. Nothing is taken in then.
   */
  receive(chunk: Uint8Array): FramedBatch {
    const bytes = nativeBytesArgument(chunk, 'chunk')
    this.#core.checkFree()
    return this.#core.receive(bytes, 0)
  }

  /** Bytes of an unfinished frame. */
  get pending(): number {
    return this.#core.pending
  }

  /**
   * Reads a socket until its peer ends its side. Frames come to `onBatch`, which may return a promise: reading waits for it. A batch goes
   * back when `onBatch` is done, unless it is retained, moved or being forwarded. A plain TCP or Unix socket reads into framepool's memory,
   * even if a server accepted it; the rest of a long frame comes straight into its place. Other streams give their chunks.
   *
   * The promise resolves at the peer's end. The sending side ends as well, unless the socket has `allowHalfOpen` or a `FrameWriter`: call
   * `end()` of that. If the stream ends or breaks within a frame, `pending` is above 0 then. The memory of that frame goes back, and the
   * reader is closed; otherwise the reader can be used for another stream.
   *
   * A failure destroys the socket. The promise then rejects with what `onBatch` threw, with the error of the stream as `receive()` throws it,
   * with `ERR_CLOSED` and the socket's error as `cause`, with `ERR_TIMEOUT`, or with `signal.reason`. If the socket cannot be used, nothing
   * changes: `ERR_CLOSED` if it is closed or has ended, `ERR_INVALID_ARG_TYPE` if it gives text, `ERR_BUSY` if something else reads it, or if
   * the reader is attached already.
   *
   * @param options `idleTimeoutMs`: milliseconds without any bytes after which the socket is destroyed, 1 to 2^31 − 1; by default never.
   *   Time in which reading waits does not count. `signal`: an abort destroys the socket.
   */
  attach(socket: Socket | Duplex, onBatch: (batch: FramedBatch) => unknown, options?: AttachOptions): Promise<void> {
    return attach(this.#core, socket, onBatch, options)
  }

  /** Ends the reader, and gives its memory back. An attached socket is destroyed. Retained batches stay. */
  [Symbol.dispose](): void {
    this.#core.dispose()
  }
}

/** Returns whether `reader` was disposed of, or its stream has ended within a frame. */
export function isReaderClosed(reader: FrameReader): boolean {
  return isClosed(reader)
}

function create(options: ReaderOptions, layout: FrameLayout, scanner: HeaderScanner | null): FrameReader {
  const { pool, budget } = options
  const memory = pool === undefined ? null : memoryOf(pool)
  const source = eventSource('frame-reader')
  const purse = budget === undefined ? null : new Purse(budget, source)
  if (purse !== null && purse.limit < layout.max) {
    throw outOfRange(`a budget of ${purse.limit} bytes has no room for a frame of ${layout.max}`)
  }
  return new FrameReader(
    readerKey,
    new ReaderCore(layout, memory === null ? defaultPool : () => memory, purse, scanner, source),
  )
}
