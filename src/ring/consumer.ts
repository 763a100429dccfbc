import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { makeTicket } from '../native/travel.js'
import { bytesArgument, functionArgument, integerArgument, optionsArgument } from '../support/arguments.js'
import { FramePoolError, invalidArgType } from '../support/errors.js'
import { uncloneable } from '../support/inspectable.js'
import type { Ticket } from '../support/ticket.js'
import type { WaitOptions } from '../support/wait.js'
import { timeoutArgument } from '../support/wait.js'
import { copyOut } from './copy.js'
import { descriptorArgument } from './descriptor.js'
import type { RingHalf } from './ring-half.js'
import { pipeToSocket } from './sockets/pipe-to-socket.js'
import { checkFree, checkIdle, ioSlices, ioSlicesAsync, type OwnedHalf, type RingSource } from './source.js'
import type { RingReadableOptions } from './streams/options.js'
import { makeRingReadable } from './streams/readable.js'
import { webReadable } from './streams/web.js'

/** Key of the constructor: only this module has it. */
const consumerKey = Symbol('framepool.consumer')

const UNCLONEABLE = Symbol('a Consumer is not cloned: post what its move() returns')

/**
 * The half of a byte ring that reads, or the output of an `Sv2Session`. Once it is released, every member but `size`, `position`
 * and `release()` throws `ERR_RELEASED`. (`bytering::Consumer`)
 */
export class Consumer implements RingHalf {
  readonly #source: RingSource

  /** @internal */
  constructor(key: symbol, source: RingSource) {
    if (key !== consumerKey) throw invalidArgType('a Consumer comes with what it reads from')
    this.#source = source
    uncloneable(this, UNCLONEABLE)
  }

  /** Size of the ring, in bytes. For a session's output it is `outputSize`, up to which the memory grows as it is needed. */
  get size(): number {
    return this.#source.size
  }

  /** Bytes ever read, modulo 2^64. */
  get position(): bigint {
    return this.#source.position
  }

  /** Bytes that can be read. */
  get available(): number {
    return this.#source.available
  }

  /** True when nothing is in the ring. */
  get isEmpty(): boolean {
    return this.available === 0
  }

  /** True when the producer has ended or was released: nothing will follow what is in the ring. */
  get ended(): boolean {
    return this.#source.otherEnded
  }

  /**
   * Calls `drain` with what can be read as two views (the second may be empty) and their total length in bytes. `drain` returns how
   * many bytes it took. The views are valid until then; using this half from within is `ERR_BUSY`.
   *
   * Throws `ERR_INVALID_COUNT` if `drain` returns more than was offered or no whole number, and what `drain` throws. All bytes stay
   * in the ring in either case. (`bytering::Consumer::io_slices`)
   *
   * @returns What `drain` returned.
   */
  ioSlices(drain: (bufs: [Uint8Array, Uint8Array], length: number) => number): number {
    return ioSlices(this.#source, functionArgument(drain, 'drain'))
  }

  /**
   * Calls `drain` as `ioSlices()` does, and waits for the promise that it returns. Until that settles, the views are valid and this
   * half is busy (`ERR_BUSY`).
   */
  async ioSlicesAsync(drain: (bufs: [Uint8Array, Uint8Array], length: number) => Promise<number>): Promise<number> {
    return ioSlicesAsync(this.#source, functionArgument(drain, 'drain'))
  }

  /** Copies as much out of the ring as `target` holds. Returns the bytes read: 0 when there is nothing to read. */
  read(target: Uint8Array): number {
    const bytes = bytesArgument(target, 'target')
    checkFree(this.#source)
    return copyOut(this.#source, bytes)
  }

  /**
   * Writes to `fd` straight from the ring, by writev(2). `fd` is a file, which is written where it stands, or a pipe, FIFO, terminal
   * or other device. Sockets are refused, since Node may own them.
   *
   * Throws a {@link SystemError} for what the system refuses; its code is `ENOTSUP` for a socket, and for everything on
   * Windows. Throws `ERR_OUT_OF_RANGE` unless `fd` is 0 to 2^31 − 1.
   *
   * @returns The bytes written: 0 when the ring is empty and the producer has ended. Null when the write would block, even if the
   *   descriptor is a blocking one, and when the ring is empty.
   */
  writeTo(fd: number): number | null {
    return this.#source.transfer(descriptorArgument(fd, 'fd', 'writev'))
  }

  /**
   * Writes to `fd` as `writeTo()` does, as soon as that is possible. When the ring is empty it first waits for bytes. It works on a
   * duplicate, so `fd` may be closed meanwhile; for a session's output, once there are bytes to write. Until the promise settles
   * this half is busy (`ERR_BUSY`), and the process is kept alive.
   *
   * An abort or a timeout rejects as soon as the half is free again. It never loses bytes: if some were written by then, the promise
   * resolves with their number.
   */
  async writeToAsync(fd: number, options?: WaitOptions): Promise<number> {
    return this.#source.transferAsync(descriptorArgument(fd, 'fd', 'writev'), options)
  }

  /**
   * Waits until at least `bytes` can be read. Keeps the process alive until then.
   *
   * @param bytes 0 to `size`, by default 1; otherwise `ERR_OUT_OF_RANGE`.
   * @returns A promise of the bytes that can be read. That is less than `bytes` only at the end, and 0 when nothing is left. It
   *   rejects with `ERR_CLOSED` when this half ends, and with `ERR_RELEASED` when it is released.
   */
  async readable(bytes = 1, options?: WaitOptions): Promise<number> {
    return this.#source.wait(integerArgument(bytes, 'bytes', 0, this.size), options)
  }

  /**
   * Waits as `readable()` does, but blocks this thread and its event loop. `timeoutMs` is 0 to 2^31 − 1 milliseconds; after that it throws
   * `ERR_TIMEOUT`.
   */
  readableSync(bytes: number, options: { timeoutMs: number }): number {
    const timeoutMs = timeoutArgument(options)
    return this.#source.waitSync(integerArgument(bytes, 'bytes', 0, this.size), timeoutMs)
  }

  /**
   * Writes what comes into the ring to `socket` until the producer has ended and everything is written. Then it ends the sending
   * side of the socket, unless `end` is false. It writes views of the ring, without a copy, and frees them when the socket has sent
   * them. While the socket sends nothing, nothing more is written to it. Until the promise settles this half is busy (`ERR_BUSY`).
   *
   * The socket may still be connecting. The promise rejects with the error that breaks the socket, with `ERR_CLOSED` when the socket
   * is closed, and with `signal.reason` on an abort. An abort leaves the socket as it is; a write that is under way keeps the half
   * busy until it is over. The promise also rejects with `ERR_CLOSED`, with the error that broke the socket as `cause`, if the socket
   * is closed, has ended its sending side or was never connected.
   */
  async pipeTo(socket: Socket, options?: { signal?: AbortSignal; end?: boolean }): Promise<void> {
    return pipeToSocket(this.#source, socket, options)
  }

  /**
   * Returns a Node stream of copies of what is read, at most `highWaterMark` bytes each. It ends when everything has been read and
   * the producer has ended or was released. Only reading waits, and keeps the process alive while it does.
   *
   * The stream takes this half over: direct use is `ERR_BUSY`, and the half is released when the stream closes, for whatever reason.
   * A session's output goes back to its session instead. Its stream ends when the session has closed or failed, after what the
   * output still held.
   */
  toReadable(options?: RingReadableOptions): Readable {
    return makeRingReadable(this.#source, optionsArgument(options, 'options'))
  }

  /**
   * Returns a web byte stream that works as the stream of `toReadable()`. It reads into the buffers of BYOB readers. Cancelling it
   * releases this half.
   */
  toReadableStream(): ReadableStream<Uint8Array> {
    return webReadable(this.#source)
  }

  /**
   * Ends this half. It can read nothing more, and `ended` of the producer is true. Idempotent. Throws `ERR_BUSY` for a session's output:
   * close the session instead.
   */
  end(): void {
    checkIdle(this.#source)
    this.#owned.end()
  }

  /**
   * Ends this half and gives back its share of the memory: views of it have length 0. Returns true the first time, and false after that.
   * Throws `ERR_BUSY` while the half is in use, and for a session's output.
   */
  release(): boolean {
    checkIdle(this.#source)
    return this.#owned.release()
  }

  /**
   * Returns a ticket with which this isolate, or another one of the process, can `adopt()` this half with its position and with what
   * is in the ring. In this isolate the half counts as released, and views of it have length 0. Throws `ERR_RELEASED`, `ERR_BUSY` while
   * the half is in use by a wait, a callback, a stream, a socket or native I/O, and for a session's output, and
   * `ERR_NO_MEMORY` when the system has no memory.
   */
  move(): Ticket<Consumer> {
    return { framepool: makeTicket((carrier) => this.#owned.depart(carrier)) }
  }

  /** Calls `release()`. */
  [Symbol.dispose](): void {
    this.release()
  }

  get #owned(): OwnedHalf {
    const { owned } = this.#source
    if (owned === null) {
      throw new FramePoolError('ERR_BUSY', 'the output belongs to its session: close the session instead')
    }
    return owned
  }
}

/** Makes the consumer of a ring's half, or of a session's output. */
export function makeConsumer(source: RingSource): Consumer {
  return new Consumer(consumerKey, source)
}
