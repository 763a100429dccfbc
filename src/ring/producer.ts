import type { Writable } from 'node:stream'
import { makeTicket } from '../native/transfer.js'
import type { Write } from '../slot/buffer.js'
import { bytesArgument, functionArgument, integerArgument, lengthOf, optionsArgument } from '../support/arguments.js'
import { FramePoolError, invalidArgType, outOfRange } from '../support/errors.js'
import type { WaitOptions } from '../support/wait.js'
import { MAX_TIMEOUT_MS } from '../support/wait.js'
import type { Ticket } from '../threads/ticket.js'
import { descriptorArgument } from './descriptor.js'
import type { HalfCore } from './half.js'
import type { RingHalf } from './ring-half.js'
import { type OnRead, OnReadIntake } from './sockets/onread.js'
import { checkFree, checkIdle, ioSlices, ioSlicesAsync, ringKey } from './source.js'
import type { RingWritableOptions } from './streams/options.js'
import { webWritable } from './streams/web.js'
import { RingWritable } from './streams/writable.js'

/** The writing half of a byte ring. (bytering `Producer`) */
export class Producer implements RingHalf, Write {
  readonly #half: HalfCore
  /** A socket reads into the ring by it. */
  #intake: OnReadIntake | null = null

  /** @internal */
  constructor(key: symbol, half: HalfCore) {
    if (key !== ringKey) throw invalidArgType('a Producer comes from ByteRing.intoParts()')
    this.#half = half
  }

  /** The ring's, in bytes. */
  get size(): number {
    return this.#half.size
  }

  /** Bytes ever written, modulo 2^64. */
  get position(): bigint {
    return this.#half.position
  }

  /** Room to write, in bytes. Throws `ERR_RELEASED` once released, as everything here but `size`, `position`, `release()`. */
  get available(): number {
    this.#live.checkAlive()
    return this.#half.available
  }

  /** True when nothing is in the ring. */
  get isEmpty(): boolean {
    return this.available === this.size
  }

  /** The consumer has ended or was released: what is written from here on nobody reads. */
  get ended(): boolean {
    this.#live.checkAlive()
    return this.#half.otherEnded
  }

  /**
   * Offers the room as two views (the second may be empty) and their total length; `fill` returns how many bytes it wrote.
   * More than offered, or no whole number: `ERR_INVALID_COUNT`, and nothing is written. What `fill` throws is passed on,
   * and nothing is written. The views are valid until `fill` returns; using this half from within is `ERR_BUSY`.
   * (`bytering::Producer::io_slices`)
   */
  ioSlices(fill: (bufs: [Uint8Array, Uint8Array], length: number) => number): number {
    return ioSlices(this.#live, functionArgument(fill, 'fill'))
  }

  /** The same with a promise: until it settles, the views are valid and this half is busy (`ERR_BUSY`). */
  async ioSlicesAsync(fill: (bufs: [Uint8Array, Uint8Array], length: number) => Promise<number>): Promise<number> {
    return ioSlicesAsync(this.#live, functionArgument(fill, 'fill'))
  }

  /** Writes as much as there is room for; returns the bytes written, 0 when the ring is full. */
  write(source: Uint8Array): number {
    const bytes = bytesArgument(source, 'source')
    checkFree(this.#live)
    return this.#live.fill(bytes)
  }

  /** Writes all of `source`, or throws `ERR_WRITE_ZERO` and writes nothing when there is not room for all. */
  writeAll(source: Uint8Array): void {
    const length = lengthOf(bytesArgument(source, 'source'))
    checkFree(this.#live)
    const room = this.#live.atLeast(length)
    if (room < length) {
      throw new FramePoolError('ERR_WRITE_ZERO', `${length} bytes do not fit into the ${room} that the ring has left`)
    }
    this.write(source)
  }

  /**
   * readv(2) of `fd` straight into the ring; returns the bytes read. 0 at the end of the file, or when the ring is full and
   * the consumer has ended. null where it would block (also on a descriptor that blocks: it is never waited for) and where
   * the ring is full. `fd` is read where it stands. It may be a file, pipe, FIFO, terminal or other device; a socket, which
   * Node may own, is refused. What the system refuses is `ERR_SYSTEM`, with `info`; a socket `ENOTSUP`, as is everything on
   * Windows. Throws `ERR_OUT_OF_RANGE` beyond 0 to 2^31 − 1.
   */
  readFrom(fd: number): number | null {
    return this.#live.transfer(descriptorArgument(fd, 'fd', 'readv'))
  }

  /**
   * The same as soon as it can be done: when the ring is full it first waits for room. Works on a duplicate, so that `fd` may
   * be closed meanwhile. Until it settles this half is busy (`ERR_BUSY`). An abort or a timeout rejects as soon as the half is
   * back, and never loses bytes: if some were read by then, it resolves with them. It keeps the process alive.
   */
  async readFromAsync(fd: number, options?: WaitOptions): Promise<number> {
    return this.#live.transferAsync(descriptorArgument(fd, 'fd', 'readv'), options)
  }

  /**
   * Waits until at least `bytes` can be written: 0 to `size`, by default 1, otherwise `ERR_OUT_OF_RANGE`. Resolves with the
   * room there is then; less than `bytes` only when the consumer has ended. Rejects with `ERR_CLOSED` when this half ends
   * and with `ERR_RELEASED` when it is released. It keeps the process alive until then.
   */
  async writable(bytes = 1, options?: WaitOptions): Promise<number> {
    return this.#live.wait(integerArgument(bytes, 'bytes', 0, this.size), options)
  }

  /** Waits as `writable()` does, but blocks this thread and its event loop. Throws `ERR_TIMEOUT` after `timeoutMs`. */
  writableSync(bytes: number, options: { timeoutMs: number }): number {
    const timeoutMs = integerArgument(optionsArgument(options, 'options').timeoutMs, 'timeoutMs', 0, MAX_TIMEOUT_MS)
    return this.#live.waitSync(integerArgument(bytes, 'bytes', 0, this.size), timeoutMs)
  }

  /**
   * What `net.connect({ onread })` takes, so that a socket's bytes land in the ring without a copy. Reading pauses while the
   * ring is nearly full, and goes on when half of it is free. What a source that does not pause (TLS gives all that it has
   * decrypted) brings to a full ring waits for room in memory of its own. `onData` is called with the bytes of each read;
   * what it throws is an uncaught exception, and reading goes on.
   *
   * The half is the socket's from here on (`ERR_BUSY`), but for `end()`, which is to be called on the socket's `'end'`, and
   * `release()`: when the socket has closed. Both leave what waits for room on its way into the ring. `createServer` has no `onread`: see `relaySockets`. A ring of one byte cannot be
   * read into: `ERR_OUT_OF_RANGE`; nor one that is full: `ERR_WRITE_ZERO`.
   */
  onread(onData?: (bytes: number) => void): OnRead {
    if (onData !== undefined) functionArgument(onData, 'onData')
    checkFree(this.#live)
    if (this.size < 2) throw outOfRange('a socket can be read into a ring of two bytes or more')
    if (this.available === 0) throw new FramePoolError('ERR_WRITE_ZERO', 'the ring has no room to begin with')
    this.#live.lent = true
    this.#live.keepShown = true
    this.#intake = new OnReadIntake(this.#live, onData)
    return this.#intake.options
  }

  /**
   * A Node stream that copies what is written into the ring, and waits while that is full. It takes this half over:
   * direct use is `ERR_BUSY`, and when the stream closes, however that comes, this half is released. The consumer cannot
   * tell an error from an end. Once it has ended, writing fails with `ERR_CLOSED`. A write that waits keeps the process alive.
   */
  toWritable(options?: RingWritableOptions): Writable {
    return new RingWritable(ringKey, this.#live, optionsArgument(options, 'options'))
  }

  /** The same as a web stream of Uint8Arrays; closing or aborting it, or an error, releases this half. */
  toWritableStream(): WritableStream<Uint8Array> {
    return webWritable(this.#live)
  }

  /** Nothing more will be written: when the consumer has read what is there, that is all. Idempotent. */
  end(): void {
    const half = this.#live
    half.checkAlive()
    if (this.#intake !== null) {
      this.#intake.end()
      return
    }
    checkIdle(half)
    half.end()
  }

  /** Ends this half and gives its share of the memory back: views of it have length 0. True the first time, false after. */
  release(): boolean {
    if (this.#intake !== null) return this.#intake.release()
    checkIdle(this.#half)
    return this.#half.release()
  }

  /**
   * A ticket with which another isolate of this process, or this one, can `adopt()` this half, as it is: with its position, and
   * what is in the ring. Here it counts as released, and views of it have length 0. `ERR_BUSY` while it is in use, by a wait,
   * a callback, a stream, a socket or native I/O.
   */
  move(): Ticket<Producer> {
    return { framepool: makeTicket((carrier) => this.#live.depart(carrier)) }
  }

  /** Calls `release()`. */
  [Symbol.dispose](): void {
    this.release()
  }

  /** The half, if it was not released. A released half may only keep what a socket has read and the ring had no room for. */
  get #live(): HalfCore {
    if (this.#intake?.released) throw new FramePoolError('ERR_RELEASED', 'this half of the ring was released')
    return this.#half
  }
}
