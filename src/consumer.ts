import type { WaitOptions } from './api.js'
import { bytesArgument, functionArgument, integerArgument, lengthOf, optionsArgument } from './arguments.js'
import { invalidArgType } from './errors.js'
import { checkFree, checkIdle, ioSlices, ioSlicesAsync, type RingSource, ringKey } from './ring-source.js'
import { MAX_TIMEOUT_MS } from './wait.js'

/** The intrinsic one: an array may have another `set`. */
const setBytes = Uint8Array.prototype.set

/** The reading half of a byte ring, or a session's output. (bytering `Consumer`) */
export class Consumer implements Disposable {
  readonly #source: RingSource

  /** @internal */
  constructor(key: symbol, source: RingSource) {
    if (key !== ringKey) throw invalidArgType('a Consumer comes with what it reads from')
    this.#source = source
  }

  /** The ring's, in bytes. */
  get size(): number {
    return this.#source.size
  }

  /** Bytes ever read. */
  get position(): bigint {
    return BigInt(this.#source.position)
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
    const source = this.#source
    checkFree(source)
    const length = lengthOf(bytes)
    const count = Math.min(length, source.atLeast(length))
    if (count === 0) return 0
    const { memory, offset, size } = source
    const first = Math.min(count, size - offset)
    setBytes.call(bytes, memory.view(offset, first))
    if (first < count) setBytes.call(bytes, memory.view(0, count - first), first)
    source.giveBack(count)
    return count
  }

  /**
   * Waits until at least `bytes` can be read: 0 to `size`, by default 1, otherwise `ERR_OUT_OF_RANGE`. Resolves with what
   * can be read then; less than `bytes` only at the end, 0 when nothing is left. Rejects with `ERR_CLOSED` when this half
   * ends and with `ERR_RELEASED` when it is released. It keeps the process alive until then.
   */
  async readable(bytes = 1, options?: WaitOptions): Promise<number> {
    return this.#source.wait(integerArgument(bytes, 'bytes', 0, this.size), options)
  }

  /** The same, blocking this thread, and with it its event loop, for at most `timeoutMs`: then `ERR_TIMEOUT`. */
  readableSync(bytes: number, options: { timeoutMs: number }): number {
    const timeoutMs = integerArgument(optionsArgument(options, 'options').timeoutMs, 'timeoutMs', 0, MAX_TIMEOUT_MS)
    return this.#source.waitSync(integerArgument(bytes, 'bytes', 0, this.size), timeoutMs)
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

  [Symbol.dispose](): void {
    this.release()
  }
}
