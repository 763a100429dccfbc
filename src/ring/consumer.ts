import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { makeTicket } from '../native/transfer.js'
import { bytesArgument, functionArgument, integerArgument, optionsArgument } from '../support/arguments.js'
import { invalidArgType } from '../support/errors.js'
import type { WaitOptions } from '../support/wait.js'
import { MAX_TIMEOUT_MS } from '../support/wait.js'
import type { Ticket } from '../threads/ticket.js'
import { copyOut } from './copy.js'
import { descriptorArgument } from './descriptor.js'
import type { RingHalf } from './ring-half.js'
import { pipeToSocket } from './sockets/pipe-to-socket.js'
import { checkFree, checkIdle, ioSlices, ioSlicesAsync, type RingSource, ringKey } from './source.js'
import type { RingReadableOptions } from './streams/options.js'
import { RingReadable } from './streams/readable.js'
import { webReadable } from './streams/web.js'

/** The reading half of a byte ring, or a session's output. (bytering `Consumer`) */
export class Consumer implements RingHalf {
  readonly #source: RingSource

  /** @internal */
  constructor(key: symbol, source: RingSource) {
    if (key !== ringKey) throw invalidArgType('a Consumer comes with what it reads from')
    this.#source = source
  }

  /** The ring's, in bytes. Of a session's output its `outputSize`: the memory grows up to it as it is needed. */
  get size(): number {
    return this.#source.size
  }

  /** Bytes ever read, modulo 2^64. */
  get position(): bigint {
    return this.#source.position
  }

  /** Bytes to read. Throws `ERR_RELEASED` once released, as everything here but `size`, `position`, `release()`. */
  get available(): number {
    return this.#source.available
  }

  /** True when nothing is in the ring. */
  get isEmpty(): boolean {
    return this.available === 0
  }

  /** The producer has ended or was released: when what is there has been read, that was all. */
  get ended(): boolean {
    return this.#source.otherEnded
  }

  /**
   * Offers what can be read as two views (the second may be empty) and their total length; `drain` returns how many
   * bytes it took. More than offered, or no whole number: `ERR_INVALID_COUNT`, and nothing is taken. What `drain` throws
   * is passed on, and nothing is taken. The views are valid until `drain` returns; using this half from within is
   * `ERR_BUSY`. (`bytering::Consumer::io_slices`)
   */
  ioSlices(drain: (bufs: [Uint8Array, Uint8Array], length: number) => number): number {
    return ioSlices(this.#source, functionArgument(drain, 'drain'))
  }

  /** The same with a promise: until it settles, the views are valid and this half is busy (`ERR_BUSY`). */
  async ioSlicesAsync(drain: (bufs: [Uint8Array, Uint8Array], length: number) => Promise<number>): Promise<number> {
    return ioSlicesAsync(this.#source, functionArgument(drain, 'drain'))
  }

  /** Copies out as much as fits; returns the bytes read, 0 when there is nothing to read. */
  read(target: Uint8Array): number {
    const bytes = bytesArgument(target, 'target')
    checkFree(this.#source)
    return copyOut(this.#source, bytes)
  }

  /**
   * writev(2) to `fd` straight from the ring; returns the bytes written. 0 when the ring is empty and the producer has ended.
   * null where it would block (also on a descriptor that blocks: it is never waited for) and where the ring is empty. `fd` may
   * be a file, which is written where it stands, a pipe, FIFO, terminal or other device; a socket, which Node may own, is
   * refused. What the system refuses is `ERR_SYSTEM`, with `info`; a socket `ENOTSUP`, as is everything on Windows. Throws
   * `ERR_OUT_OF_RANGE` beyond 0 to 2^31 − 1.
   */
  writeTo(fd: number): number | null {
    return this.#source.transfer(descriptorArgument(fd, 'fd', 'writev'))
  }

  /**
   * The same as soon as it can be done: when the ring is empty it first waits for bytes. Works on a duplicate, so that `fd`
   * may be closed meanwhile (of a session's output: once there are bytes to write). Until it settles this half is busy
   * (`ERR_BUSY`). An abort or a timeout rejects as soon as the half is back, and never loses bytes: if some were written by
   * then, it resolves with their number. It keeps the process alive.
   */
  async writeToAsync(fd: number, options?: WaitOptions): Promise<number> {
    return this.#source.transferAsync(descriptorArgument(fd, 'fd', 'writev'), options)
  }

  /**
   * Waits until at least `bytes` can be read: 0 to `size`, by default 1, otherwise `ERR_OUT_OF_RANGE`. Resolves with what
   * can be read then; less than `bytes` only at the end, 0 when nothing is left. Rejects with `ERR_CLOSED` when this half
   * ends and with `ERR_RELEASED` when it is released. It keeps the process alive until then.
   */
  async readable(bytes = 1, options?: WaitOptions): Promise<number> {
    return this.#source.wait(integerArgument(bytes, 'bytes', 0, this.size), options)
  }

  /** Waits as `readable()` does, but blocks this thread and its event loop. Throws `ERR_TIMEOUT` after `timeoutMs`. */
  readableSync(bytes: number, options: { timeoutMs: number }): number {
    const timeoutMs = integerArgument(optionsArgument(options, 'options').timeoutMs, 'timeoutMs', 0, MAX_TIMEOUT_MS)
    return this.#source.waitSync(integerArgument(bytes, 'bytes', 0, this.size), timeoutMs)
  }

  /**
   * Writes what comes to `socket` until the producer has ended and everything is written; then ends the socket's sending
   * side, unless `end` is false. Views of the ring are written, without a copy, and freed when the socket has taken them;
   * while it takes none, nothing more is written. Until then this half is busy (`ERR_BUSY`).
   *
   * Rejects with what breaks the socket, `ERR_CLOSED` when it is closed, `signal.reason` on abort, which leaves the socket
   * as it is; a write that is under way keeps the half busy until it is over. The socket may still be connecting; one that
   * is closed, has ended its sending side or was never connected is `ERR_CLOSED`, with what broke it as `cause`.
   */
  async pipeTo(socket: Socket, options?: { signal?: AbortSignal; end?: boolean }): Promise<void> {
    return pipeToSocket(this.#source, socket, options)
  }

  /**
   * A Node stream of copies of what is read, at most `highWaterMark` bytes each. It takes this half over: direct use is
   * `ERR_BUSY`, and when the stream closes, however that comes, this half is released. It ends when the producer has ended
   * or was released and everything is read. A session's output goes back to its session instead; it ends when the session
   * has closed or failed, after what it still held. Only reading waits, and keeps the process alive while it does.
   */
  toReadable(options?: RingReadableOptions): Readable {
    return new RingReadable(ringKey, this.#source, optionsArgument(options, 'options'))
  }

  /** The same as a web byte stream, which reads into the buffers of BYOB readers; cancelling it releases this half. */
  toReadableStream(): ReadableStream<Uint8Array> {
    return webReadable(this.#source)
  }

  /** Nothing more will be read: the producer hears of it. Idempotent. Of a session's output: `ERR_BUSY`, close the session. */
  end(): void {
    checkIdle(this.#source)
    this.#source.end()
  }

  /** Ends this half and gives its share of the memory back: views of it have length 0. True the first time, false after. */
  release(): boolean {
    checkIdle(this.#source)
    return this.#source.release()
  }

  /**
   * A ticket with which another isolate of this process, or this one, can `adopt()` this half, as it is: with its position, and
   * what is in the ring. Here it counts as released, and views of it have length 0. `ERR_BUSY` while it is in use, by a wait,
   * a callback, a stream, a socket or native I/O. Of a session's output: `ERR_BUSY`.
   */
  move(): Ticket<Consumer> {
    return { framepool: makeTicket((carrier) => this.#source.depart(carrier)) }
  }

  /** Calls `release()`. */
  [Symbol.dispose](): void {
    this.release()
  }
}
