import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { callSafely } from '../../support/thrown.js'
import { setImmediate } from '../../support/timers.js'
import { type DirectTarget, readDirectly } from './direct-read.js'
import { symbolOf } from './socket-symbols.js'

/** Those that are borrowed now: each by one. */
const taken = new WeakSet<Socket>()

export function isTakenOver(socket: Socket): boolean {
  return taken.has(socket)
}

/**
 * A socket that is taken over until it is closed. Then its listeners are taken off and its settings put back, so that the
 * object can be used for another connection as if nothing had been.
 */
export class BorrowedSocket {
  readonly socket: Socket
  readonly #allowHalfOpen: boolean
  readonly #noDelay: boolean
  readonly #flowing: boolean | null
  readonly #listeners: [event: string, listener: (...args: never[]) => void][] = []
  #changedDelay = false
  #readAsBefore: (() => void) | null = null

  /** Changes nothing yet. */
  constructor(socket: Socket) {
    this.socket = socket
    this.#allowHalfOpen = socket.allowHalfOpen
    this.#noDelay = hasNoDelay(socket)
    this.#flowing = socket.readableFlowing
  }

  take(): void {
    const { socket } = this
    taken.add(socket)
    // Otherwise Node ends the sending side with the receiving one, before what waits has gone out.
    socket.allowHalfOpen = true
    for (const event of ['end', 'finish']) this.on(event, () => this.#destroyWhenDone())
    // What comes in pieces goes on in pieces: waiting to fill packets would only delay them.
    socket.setNoDelay(true)
    this.#changedDelay = !this.#noDelay
  }

  /** Adds `listener` before those that are there: what those throw would keep it from being called. */
  on(event: string, listener: (...args: never[]) => void): void {
    this.#listeners.push([event, listener])
    this.socket.prependListener(event, listener as () => void)
    if (event !== 'data') return
    // Only by this one a stream knows that somebody listens, and begins to flow unless it was paused.
    this.#listeners.push([event, ignore])
    this.socket.on(event, ignore)
  }

  /** Calls `listener` when the connection is over. */
  onClosed(listener: () => void): void {
    // Anybody can emit the event; while the socket is open, Node may still write into what it reads into.
    this.on('close', () => {
      if (this.socket.destroyed) listener()
    })
  }

  /** See `readDirectly`; false where it cannot be done. */
  readDirectly(target: DirectTarget): boolean {
    this.#readAsBefore = readDirectly(this.socket, target)
    return this.#readAsBefore !== null
  }

  /** Destroys the socket, also if its own method for that throws. */
  destroy(error?: Error): void {
    try {
      this.socket.destroy(error)
    } catch {
      Duplex.prototype.destroy.call(this.socket, error)
    }
  }

  /** Destroys a socket that is done, which Node leaves undone if a listener of the user's has thrown. */
  #destroyWhenDone(): void {
    const { socket } = this
    const isDone = (): boolean => taken.has(socket) && socket.readableEnded && socket.writableFinished
    if (!isDone()) return
    setImmediate(() => {
      if (isDone() && !socket.destroyed) callSafely(() => this.destroy())
    })
  }

  giveBack(): void {
    const { socket } = this
    taken.delete(socket)
    this.#readAsBefore?.()
    for (const [event, listener] of this.#listeners) {
      callSafely(() => Duplex.prototype.removeListener.call(socket, event, listener as () => void))
    }
    callSafely(() => {
      socket.allowHalfOpen = this.#allowHalfOpen
    })
    callSafely(() => {
      if (this.#changedDelay) socket.setNoDelay(false)
    })
    callSafely(() => this.#flowAsBefore())
  }

  /** Puts the flow back: what the next connection brings must neither be lost before anybody listens, nor wait for a `resume()`. */
  #flowAsBefore(): void {
    const { socket } = this
    if (this.#flowing !== false && socket.isPaused()) socket.resume()
    if (this.#flowing !== null || socket.listenerCount('data') > 0) return
    const { _readableState: state } = socket as unknown as { _readableState?: { flowing?: unknown } }
    if (state !== undefined && 'flowing' in state) state.flowing = null
  }
}

function ignore(): void {}

/** Returns whether Nagle's algorithm is off, which Node tells only here. */
function hasNoDelay(socket: Socket): boolean {
  const symbol = symbolOf(socket, 'kSetNoDelay')
  return symbol !== undefined && Boolean((socket as unknown as Record<symbol, unknown>)[symbol])
}
