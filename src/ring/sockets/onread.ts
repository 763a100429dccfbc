import type { Socket } from 'node:net'
import { integerArgument } from '../../support/arguments.js'
import { isSocket } from '../../support/streams.js'
import { callSafely, errorOfThrown } from '../../support/thrown.js'
import type { HalfCore } from '../half.js'
import { hasRead } from './latest-reader.js'
import { ReadTarget } from './read-target.js'

/** Option `onread` of `net.connect()` and `new net.Socket()`. */
export interface OnRead {
  /** Returns the memory that Node reads into next. */
  buffer: () => Uint8Array
  /** Called when Node has read `n` bytes into the start of `buf`. Returns false to pause the socket. */
  callback: (n: number, buf: Uint8Array) => boolean
}

/** The memory that a socket reads into when its bytes are not needed any more. */
const nowhere = new Uint8Array(1024)

/** Reads a socket into a ring: see `Producer.onread()`. */
export class OnReadIntake {
  readonly #half: HalfCore
  readonly #target: ReadTarget
  readonly #onData: ((bytes: number) => void) | undefined
  /** The socket that reads. */
  #reader: WeakRef<Socket> | null = null
  /** Whether a read waits for room. */
  #waiting = false
  /** Whether the half ends once everything that came is in the ring. */
  #ended = false
  /** Whether the half is released once everything that came is in the ring. */
  #released = false

  constructor(half: HalfCore, onData: ((bytes: number) => void) | undefined) {
    this.#half = half
    this.#target = new ReadTarget(half)
    this.#onData = onData
  }

  get options(): OnRead {
    const buffer = (): Uint8Array => {
      if (!this.#closed) {
        try {
          return this.#target.next()
        } catch (error) {
          const socket = this.#reader?.deref()
          if (socket === undefined) throw error
          // The next bytes would go into the last memory, and be taken for what is in the next.
          callSafely(() => socket.destroy(errorOfThrown(error)))
        }
      }
      return nowhere
    }
    const read = (count: number, source: unknown): boolean => this.#read(count, source)
    // Node calls it on the socket, so that reading can be resumed.
    const callback = function (this: unknown, count: number): boolean {
      return read(count, this)
    }
    return { buffer, callback }
  }

  /** Whether this was released. Bytes that came may still be on their way into the ring. */
  get released(): boolean {
    return this.#released
  }

  end(): void {
    this.#ended = true
    this.#finish()
  }

  /** Releases the half once everything is in the ring. Returns true the first time, and false after that. */
  release(): boolean {
    const first = !this.#released
    this.#released = true
    this.#finish()
    return first
  }

  get #closed(): boolean {
    return this.#ended || this.#released || this.#half.closed
  }

  #read(count: number, source: unknown): boolean {
    if (this.#closed) return false
    // User code can call it, too.
    integerArgument(count, 'n', 0, this.#target.room)
    if (isSocket(source)) this.#noteRead(source)
    const more = this.#target.filled(count)
    if (!more) void this.#resumeLater(source)
    const onData = this.#onData
    // An error thrown through Node would keep Node from asking for the next view.
    if (onData !== undefined) callSafely(() => onData(count))
    return more
  }

  #noteRead(socket: Socket): void {
    if (this.#reader?.deref() !== socket) this.#reader = new WeakRef(socket)
    hasRead(this.#reader as WeakRef<Socket>)
  }

  async #resumeLater(source: unknown): Promise<void> {
    // A source that does not pause calls this again.
    if (this.#waiting) return
    this.#waiting = true
    const room = await this.#waitForRoom()
    this.#waiting = false
    if (room && !this.#closed && isSocket(source)) callSafely(() => source.resume())
  }

  /** Waits until all waiting bytes are in the ring and it has room for a read. Resolves with false if there will be no room. */
  async #waitForRoom(): Promise<boolean> {
    const target = this.#target
    try {
      for (;;) {
        const wanted = target.holding ? 1 : target.resumeAt
        const room = await this.#half.wait(wanted, undefined)
        target.settle()
        // The consumer has ended, so no reader is left for the bytes.
        if (room < wanted) target.drop()
        this.#finish()
        if (room < wanted) return false
        if (!target.holding && this.#half.available >= target.resumeAt) return true
      }
    } catch {
      // The half was ended or released.
      return false
    }
  }

  #finish(): void {
    if (this.#target.holding) return
    if (this.#ended && !this.#half.closed) this.#half.end()
    if (this.#released) this.#half.release()
  }
}
