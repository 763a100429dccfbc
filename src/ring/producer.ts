import type { Writable } from 'node:stream'
import { makeTicket } from '../native/travel.js'
import type { Write } from '../slot/buffer.js'
import { bytesArgument, functionArgument, integerArgument, lengthOf, optionsArgument } from '../support/arguments.js'
import { FramePoolError, invalidArgType, outOfRange } from '../support/errors.js'
import { uncloneable } from '../support/inspectable.js'
import type { Ticket } from '../support/ticket.js'
import type { WaitOptions } from '../support/wait.js'
import { timeoutArgument } from '../support/wait.js'
import { descriptorArgument } from './descriptor.js'
import type { HalfCore } from './half.js'
import type { RingHalf } from './ring-half.js'
import { type OnRead, OnReadIntake } from './sockets/onread.js'
import { checkFree, checkIdle, ioSlices, ioSlicesAsync } from './source.js'
import type { RingWritableOptions } from './streams/options.js'
import { webWritable } from './streams/web.js'
import { makeRingWritable } from './streams/writable.js'

/** Key of the constructor: only this module has it. */
const producerKey = Symbol('framepool.producer')

const UNCLONEABLE = Symbol('a Producer is not cloned: post what its move() returns')

/**
 * The half of a byte ring that writes. Once it is released, every member but `size`, `position` and `release()` throws
 * `ERR_RELEASED`. (`bytering::Producer`)
 */
export class Producer implements RingHalf, Write {
  readonly #half: HalfCore
  /** The intake by which a socket reads into the ring, once there is one. */
  #intake: OnReadIntake | null = null

  /** @internal */
  constructor(key: symbol, half: HalfCore) {
    if (key !== producerKey) throw invalidArgType('a Producer comes from ByteRing.intoParts()')
    this.#half = half
    uncloneable(this, UNCLONEABLE)
  }

  /** Size of the ring, in bytes. */
  get size(): number {
    return this.#half.size
  }

  /** Bytes ever written, modulo 2^64. */
  get position(): bigint {
    return this.#half.position
  }

  /** Room to write, in bytes. */
  get available(): number {
    this.#live.checkAlive()
    return this.#half.available
  }

  /** True when nothing is in the ring. */
  get isEmpty(): boolean {
    return this.available === this.size
  }

  /** True when the consumer has ended or was released: nothing that is written from here on will be read. */
  get ended(): boolean {
    this.#live.checkAlive()
    return this.#half.otherEnded
  }

  /**
   * Calls `fill` with the room as two views (the second may be empty) and their total length in bytes. `fill` returns how many
   * bytes it wrote. The views are valid until then; using this half from within is `ERR_BUSY`.
   *
   * Throws `ERR_INVALID_COUNT` if `fill` returns more than was offered or no whole number, and what `fill` throws. Nothing is
   * written in either case. (`bytering::Producer::io_slices`)
   *
   * @returns What `fill` returned.
   */
  ioSlices(fill: (bufs: [Uint8Array, Uint8Array], length: number) => number): number {
    return ioSlices(this.#live, functionArgument(fill, 'fill'))
  }

  /**
   * Calls `fill` as `ioSlices()` does, and waits for the promise that it returns. Until that settles, the views are valid and this
   * half is busy (`ERR_BUSY`).
   */
  async ioSlicesAsync(fill: (bufs: [Uint8Array, Uint8Array], length: number) => Promise<number>): Promise<number> {
    return ioSlicesAsync(this.#live, functionArgument(fill, 'fill'))
  }

  /** Copies as much of `source` into the ring as there is room for. Returns the bytes written: 0 when the ring is full. */
  write(source: Uint8Array): number {
    const bytes = bytesArgument(source, 'source')
    checkFree(this.#live)
    return this.#live.fill(bytes)
  }

  /** Copies all of `source` into the ring. Throws `ERR_WRITE_ZERO`, and writes nothing, if there is not room for all of it. */
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
   * Reads from `fd` straight into the ring, by readv(2). `fd` is a file, which is read where it stands, or a pipe, FIFO, terminal
   * or other device. Sockets are refused, since Node may own them.
   *
   * Throws a {@link SystemError} for what the system refuses; its code is `ENOTSUP` for a socket, and for everything on
   * Windows. Throws `ERR_OUT_OF_RANGE` unless `fd` is 0 to 2^31 − 1.
   *
   * @returns The bytes read: 0 at the end of the file, or when the ring is full and the consumer has ended. Null when the read would
   *   block, even if the descriptor is a blocking one, and when the ring is full.
   */
  readFrom(fd: number): number | null {
    return this.#live.transfer(descriptorArgument(fd, 'fd', 'readv'))
  }

  /**
   * Reads from `fd` as `readFrom()` does, as soon as that is possible. When the ring is full it first waits for room. It works on a
   * duplicate, so `fd` may be closed meanwhile. Until the promise settles this half is busy (`ERR_BUSY`), and the process is kept
   * alive.
   *
   * An abort or a timeout rejects as soon as the half is free again. It never loses bytes: if some were read by then, the promise
   * resolves with their number.
   */
  async readFromAsync(fd: number, options?: WaitOptions): Promise<number> {
    return this.#live.transferAsync(descriptorArgument(fd, 'fd', 'readv'), options)
  }

  /**
   * Waits until at least `bytes` can be written. Keeps the process alive until then.
   *
   * @param bytes 0 to `size`, by default 1; otherwise `ERR_OUT_OF_RANGE`.
   * @returns A promise of the room in bytes. That is less than `bytes` only if the consumer has ended. It rejects with `ERR_CLOSED`
   *   when this half ends, and with `ERR_RELEASED` when it is released.
   */
  async writable(bytes = 1, options?: WaitOptions): Promise<number> {
    return this.#live.wait(integerArgument(bytes, 'bytes', 0, this.size), options)
  }

  /**
   * Waits as `writable()` does, but blocks this thread and its event loop. `timeoutMs` is 0 to 2^31 − 1 milliseconds; after that it throws
   * `ERR_TIMEOUT`.
   */
  writableSync(bytes: number, options: { timeoutMs: number }): number {
    const timeoutMs = timeoutArgument(options)
    return this.#live.waitSync(integerArgument(bytes, 'bytes', 0, this.size), timeoutMs)
  }

  /**
   * Returns the option `onread` of `net.connect()`, with which the bytes of a socket land in the ring without a copy. Servers have
   * no such option: see `relaySockets()`.
   *
   * Reading pauses while the ring is nearly full, and goes on when half of it is free. Some sources do not pause: TLS delivers all bytes
   * that it has decrypted. Bytes that do not fit into the ring wait in separate memory.
   *
   * From here on the half is the socket's (`ERR_BUSY`), except for `end()`, to call on the socket's `'end'`, and `release()`, to call
   * when the socket has closed. Neither drops bytes that still wait for room in the ring.
   *
   * Throws `ERR_OUT_OF_RANGE` for a ring of one byte, and `ERR_WRITE_ZERO` for a ring that is full.
   *
   * @param onData Called with the number of bytes of each read. An exception becomes an uncaught exception, and reading continues.
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
   * Returns a Node stream that copies what is written to it into the ring, and waits while the ring is full. The stream takes this
   * half over: direct use is `ERR_BUSY`, and the half is released when the stream closes, for whatever reason. The consumer cannot
   * tell an error from an end. Once the consumer has ended, writing fails with `ERR_CLOSED`. A write that waits keeps the process
   * alive.
   */
  toWritable(options?: RingWritableOptions): Writable {
    return makeRingWritable(this.#live, optionsArgument(options, 'options'))
  }

  /**
   * Returns a web stream of Uint8Arrays that works as the stream of `toWritable()`. Closing it, aborting it or an error releases
   * this half.
   */
  toWritableStream(): WritableStream<Uint8Array> {
    return webWritable(this.#live)
  }

  /** Ends this half. The consumer can still read what is in the ring, and then learns that it was all. Idempotent. */
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

  /**
   * Ends this half and gives back its share of the memory: views of it have length 0. Returns true the first time, and false after that.
   * Throws `ERR_BUSY` while the half is in use.
   */
  release(): boolean {
    if (this.#intake !== null) return this.#intake.release()
    checkIdle(this.#half)
    return this.#half.release()
  }

  /**
   * Returns a ticket with which this isolate, or another one of the process, can `adopt()` this half with its position and with what
   * is in the ring. In this isolate the half counts as released, and views of it have length 0. Throws `ERR_RELEASED`, `ERR_BUSY` while
   * the half is in use by a wait, a callback, a stream, a socket or native I/O, and
   * `ERR_NO_MEMORY` when the system has no memory.
   */
  move(): Ticket<Producer> {
    return { framepool: makeTicket((carrier) => this.#live.depart(carrier)) }
  }

  /** Calls `release()`. */
  [Symbol.dispose](): void {
    this.release()
  }

  /** The half, if it was not released. A released half may still pass on what a socket has read and the ring had no room for. */
  get #live(): HalfCore {
    if (this.#intake?.released) throw new FramePoolError('ERR_RELEASED', 'this half of the ring was released')
    return this.#half
  }
}

/** Makes the producer of a ring's half. */
export function makeProducer(half: HalfCore): Producer {
  return new Producer(producerKey, half)
}
