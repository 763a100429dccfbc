import { invalidArgType } from '../../support/errors.js'
import type { HalfCore } from '../half.js'
import type { BorrowedSocket } from './borrowed-socket.js'
import { ReadTarget } from './read-target.js'

/**
 * Reads what a socket receives into a ring, and pauses the socket while the ring is full. There is no copy if the socket can be given
 * memory to read into: see `readDirectly()`.
 */
export class SocketReader {
  readonly #half: HalfCore
  readonly #loan: BorrowedSocket
  readonly #target: ReadTarget
  readonly #onData: () => void
  readonly #onFailure: (error: unknown) => void
  #paused = true
  #started = false

  /**
   * Begins to read with the first `resume()`. `onData` is called when bytes have come. It may free room, which is read into without a
   * pause, and if the whole ring is free it may move both halves on together. `onFailure` is called with what cannot be read.
   */
  constructor(half: HalfCore, loan: BorrowedSocket, onData: () => void, onFailure: (error: unknown) => void) {
    this.#half = half
    this.#loan = loan
    this.#target = new ReadTarget(half)
    this.#onData = onData
    this.#onFailure = onFailure
  }

  /** Whether bytes have come that the ring had no room for yet. */
  get holding(): boolean {
    return this.#target.holding
  }

  /** Reads on if there is enough room. Bytes that have come go into the ring even when the socket is closed. */
  resume(): void {
    if (!this.#paused || this.#half.available < this.#target.resumeAt) return
    const loan = this.#loan
    this.#paused = false
    if (!this.#started && !loan.over) this.#takeBuffered()
    if (this.#target.holding) this.#settle()
    if (this.#paused || loan.over) return
    if (!this.#started) this.#start()
    loan.socket.resume()
  }

  /** Takes what Node has read by now. Nothing more may be read before all of it is in the ring. */
  #takeBuffered(): void {
    const { socket } = this.#loan
    socket.pause()
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) this.#target.put(chunk)
  }

  #start(): void {
    this.#started = true
    const target = this.#target
    const direct = this.#loan.readDirectly({
      next: () => target.next(),
      filled: (count) => {
        target.filled(count)
        this.#onData()
        if (target.holding) this.#settle()
        if (!target.hasRoom) this.#paused = true
        return !this.#paused
      },
      failed: this.#onFailure,
    })
    if (direct) return
    this.#loan.on('data', (chunk: Uint8Array | string) => {
      try {
        this.#read(chunk)
      } catch (error) {
        this.#onFailure(error)
      }
    })
  }

  #read(chunk: Uint8Array | string): void {
    if (typeof chunk === 'string') throw invalidArgType('a and b must give bytes: no setEncoding')
    this.#target.put(chunk)
    // Other code has resumed a socket that should be paused.
    if (this.#paused) this.#pause()
    else this.#settle()
  }

  #pause(): void {
    this.#paused = true
    if (!this.#loan.over) this.#loan.socket.pause()
  }

  /** Moves bytes that wait into the ring, for as long as `onData` frees room. */
  #settle(): void {
    do {
      this.#target.settle()
      this.#onData()
    } while (this.#target.holding && this.#half.atLeast(1) > 0)
    // Also if everything has just fitted: a socket that reads directly needs room to begin with.
    if (this.#half.atLeast(1) === 0) this.#pause()
  }
}
