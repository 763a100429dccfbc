import type { Socket } from 'node:net'
import { lengthOf, partOf } from './arguments.js'
import { readDirectly } from './direct-read.js'
import type { HalfCore } from './half-core.js'
import { ReadTarget } from './read-target.js'

/**
 * Reads what a socket receives into a ring, and pauses it while the ring is full. The bytes go there without a copy where
 * the socket can be given memory to read into: see `readDirectly`.
 */
export class SocketReader {
  readonly #half: HalfCore
  readonly #socket: Socket
  readonly #target: ReadTarget
  readonly #onData: () => void
  /** Came before there was room for it. */
  #backlog: Uint8Array | null
  #paused = true
  #started = false

  /**
   * `socket` gives bytes, not text; reading begins with `resume()`. `onData` is called when some have come: it may free
   * room, which is read into without a pause, and with all of the ring free it may move both halves on together.
   */
  constructor(half: HalfCore, socket: Socket, onData: () => void) {
    this.#half = half
    this.#socket = socket
    this.#target = new ReadTarget(half)
    this.#onData = onData
    // What Node has read of an accepted socket by now. Nothing more may be read before all of it is in the ring.
    this.#backlog = socket.pause().read() as Uint8Array | null
  }

  /** Something came that the ring had no room for yet. */
  get holding(): boolean {
    return this.#backlog !== null
  }

  /** Reads on if there is room enough. */
  resume(): void {
    if (!this.#paused || this.#half.available < this.#target.resumeAt) return
    this.#paused = false
    const backlog = this.#backlog
    this.#backlog = null
    if (backlog !== null) this.#copy(backlog)
    if (this.#paused) return
    if (!this.#started) this.#start()
    this.#socket.resume()
  }

  #start(): void {
    this.#started = true
    const target = this.#target
    const direct = readDirectly(this.#socket, {
      next: () => target.next(),
      filled: (count) => {
        this.#half.advance(count)
        this.#onData()
        if (!target.hasRoom) this.#paused = true
        return !this.#paused
      },
    })
    if (!direct) this.#socket.on('data', (chunk) => this.#copy(chunk))
  }

  #pause(): void {
    this.#paused = true
    this.#socket.pause()
  }

  #copy(chunk: Uint8Array): void {
    let rest: Uint8Array | null = chunk
    do {
      const length = lengthOf(rest)
      const count = this.#half.fill(rest)
      rest = count < length ? partOf(rest, count, length - count) : null
      // Before `onData`, which may ask whether this was all.
      this.#backlog = rest
      this.#onData()
    } while (rest !== null && this.#half.atLeast(1) > 0)
    // Also when all of it has just fitted: a socket that reads directly needs room to begin with.
    if (this.#half.atLeast(1) === 0) this.#pause()
  }
}
