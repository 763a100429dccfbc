import type { WaitOptions, Write } from './api.js'
import {
  bytesArgument,
  firstOf,
  functionArgument,
  integerArgument,
  lengthOf,
  optionsArgument,
  partOf,
} from './arguments.js'
import { FramePoolError, invalidArgType } from './errors.js'
import type { RingHalf } from './ring-half.js'
import { checkFree, checkIdle, ioSlices, ioSlicesAsync, ringKey } from './ring-source.js'
import { MAX_TIMEOUT_MS } from './wait.js'

/** The writing half of a byte ring. (bytering `Producer`) */
export class Producer implements Write, Disposable {
  readonly #half: RingHalf

  /** @internal */
  constructor(key: symbol, half: RingHalf) {
    if (key !== ringKey) throw invalidArgType('a Producer comes from ByteRing.intoParts()')
    this.#half = half
  }

  /** The ring's, in bytes. */
  get size(): number {
    return this.#half.size
  }

  /** Bytes ever written. */
  get position(): bigint {
    return BigInt(this.#half.position)
  }

  /** Room to write, in bytes. Throws `ERR_RELEASED` once released, as everything here but `size`, `position`, `release()`. */
  get available(): number {
    this.#half.checkAlive()
    return this.#half.available
  }

  /** True when nothing is in the ring. */
  get isEmpty(): boolean {
    return this.available === this.size
  }

  /** The consumer has ended or was released: what is written from here on nobody reads. */
  get ended(): boolean {
    this.#half.checkAlive()
    return this.#half.otherEnded
  }

  /**
   * Offers the room as two views (the second may be empty) and their total length; `fill` returns how many bytes it wrote.
   * More than offered, or no whole number: `ERR_INVALID_COUNT`, and nothing is written. What `fill` throws is passed on,
   * and nothing is written. The views are valid until `fill` returns; using this half from within is `ERR_BUSY`.
   * (`bytering::Producer::io_slices`)
   */
  ioSlices(fill: (bufs: [Uint8Array, Uint8Array], length: number) => number): number {
    return ioSlices(this.#half, functionArgument(fill, 'fill'))
  }

  /** The same with a promise: until it settles, the views are valid and this half is busy (`ERR_BUSY`). */
  async ioSlicesAsync(fill: (bufs: [Uint8Array, Uint8Array], length: number) => Promise<number>): Promise<number> {
    return ioSlicesAsync(this.#half, functionArgument(fill, 'fill'))
  }

  /** Writes as much as there is room for; returns the bytes written, 0 when the ring is full. */
  write(source: Uint8Array): number {
    const bytes = bytesArgument(source, 'source')
    const half = this.#half
    checkFree(half)
    const length = lengthOf(bytes)
    const count = Math.min(length, half.atLeast(length))
    if (count === 0) return 0
    const { whole, offset, size } = half
    const first = Math.min(count, size - offset)
    whole.set(firstOf(bytes, first), offset)
    if (first < count) whole.set(partOf(bytes, first, count - first))
    half.advance(count)
    return count
  }

  /** Writes all of `source`, or throws `ERR_WRITE_ZERO` and writes nothing when there is not room for all. */
  writeAll(source: Uint8Array): void {
    const length = lengthOf(bytesArgument(source, 'source'))
    checkFree(this.#half)
    const room = this.#half.atLeast(length)
    if (room < length) {
      throw new FramePoolError('ERR_WRITE_ZERO', `${length} bytes do not fit into the ${room} that the ring has left`)
    }
    this.write(source)
  }

  /**
   * Waits until at least `bytes` can be written: 0 to `size`, by default 1, otherwise `ERR_OUT_OF_RANGE`. Resolves with the
   * room there is then; less than `bytes` only when the consumer has ended. Rejects with `ERR_CLOSED` when this half ends
   * and with `ERR_RELEASED` when it is released. It keeps the process alive until then.
   */
  async writable(bytes = 1, options?: WaitOptions): Promise<number> {
    return this.#half.wait(integerArgument(bytes, 'bytes', 0, this.size), options)
  }

  /** The same, blocking this thread, and with it its event loop, for at most `timeoutMs`: then `ERR_TIMEOUT`. */
  writableSync(bytes: number, options: { timeoutMs: number }): number {
    const timeoutMs = integerArgument(optionsArgument(options, 'options').timeoutMs, 'timeoutMs', 0, MAX_TIMEOUT_MS)
    return this.#half.waitSync(integerArgument(bytes, 'bytes', 0, this.size), timeoutMs)
  }

  /** Nothing more will be written: when the consumer has read what is there, that is all. Idempotent. */
  end(): void {
    checkIdle(this.#half)
    this.#half.end()
  }

  /** Ends this half and gives its share of the memory back: views of it have length 0. True the first time, false after. */
  release(): boolean {
    checkIdle(this.#half)
    return this.#half.release()
  }

  [Symbol.dispose](): void {
    this.release()
  }
}
