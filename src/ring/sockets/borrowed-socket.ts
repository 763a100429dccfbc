import type { Socket } from 'node:net'
import { removeListener, streamMethods } from '../../support/streams.js'
import { callSafely } from '../../support/thrown.js'
import { setImmediate } from '../../support/timers.js'
import { type DirectRead, type DirectTarget, readDirectly } from './direct-read.js'
import { symbolOf } from './socket-symbols.js'

/** The sockets that are borrowed now: each by one session or relay. */
const borrowed = new WeakSet<Socket>()

/** Returns whether a session or a relay has `socket`. */
export function isBorrowed(socket: Socket): boolean {
  return borrowed.has(socket)
}

/**
 * A socket that is borrowed until it is closed. Then the borrowed listeners are removed and its settings are restored, so the object can
 * be used for another connection as if nothing had happened.
 */
export class BorrowedSocket {
  readonly socket: Socket
  readonly #allowHalfOpen: boolean
  readonly #noDelay: boolean
  readonly #flowing: boolean | null
  readonly #listeners: [event: string, listener: (...args: never[]) => void][] = []
  #changedDelay = false
  #directly: DirectRead | null = null

  /** Notes the settings of `socket`, and changes nothing yet. */
  constructor(socket: Socket) {
    this.socket = socket
    this.#allowHalfOpen = socket.allowHalfOpen
    this.#noDelay = hasNoDelay(socket)
    this.#flowing = socket.readableFlowing
  }

  /** Borrows the socket and changes its settings. */
  borrow(): void {
    const { socket } = this
    borrowed.add(socket)
    // Otherwise Node ends the sending side with the receiving one, before everything has gone out.
    socket.allowHalfOpen = true
    for (const event of ['end', 'finish']) this.on(event, () => this.#destroyWhenDone())
    // Bytes are passed on in the pieces in which they come: waiting to fill packets would only delay them.
    socket.setNoDelay(true)
    this.#changedDelay = !this.#noDelay
  }

  /** Adds `listener` before the present ones, which could throw and so keep it from being called. */
  on(event: string, listener: (...args: never[]) => void): void {
    this.#listeners.push([event, listener])
    this.socket.prependListener(event, listener as () => void)
    if (event !== 'data') return
    // Only `on()` makes a stream flow, unless it was paused.
    this.#listeners.push([event, ignore])
    this.socket.on(event, ignore)
  }

  /** Calls `listener` when the connection is over. */
  onClosed(listener: () => void): void {
    // Anybody can emit the event, and while the socket is open Node may still write into the memory that it reads into.
    this.on('close', () => {
      if (this.socket.destroyed) listener()
    })
  }

  /** Makes the socket read into `target`: see `readDirectly()`. Returns false if that cannot be done. */
  readDirectly(target: DirectTarget): boolean {
    this.#directly = readDirectly(this.socket, target)
    return this.#directly !== null
  }

  /** Directs the next bytes of a socket that reads directly to the present place of its target. The socket must be paused. */
  aim(): void {
    this.#directly?.aim()
  }

  /** Destroys the socket, even if its own method for that throws. */
  destroy(error?: Error): void {
    try {
      this.socket.destroy(error)
    } catch {
      streamMethods().destroy.call(this.socket, error)
    }
  }

  /** Destroys a socket that is done. Node does not if a listener of the user has thrown. */
  #destroyWhenDone(): void {
    const { socket } = this
    const isDone = (): boolean => borrowed.has(socket) && socket.readableEnded && socket.writableFinished
    if (!isDone()) return
    setImmediate(() => {
      if (isDone() && !socket.destroyed) callSafely(() => this.destroy())
    })
  }

  /** Removes the listeners and restores the settings. */
  giveBack(): void {
    const { socket } = this
    borrowed.delete(socket)
    this.#directly?.restore()
    for (const [event, listener] of this.#listeners) {
      callSafely(() => removeListener(socket, event, listener))
    }
    callSafely(() => {
      socket.allowHalfOpen = this.#allowHalfOpen
    })
    callSafely(() => {
      if (this.#changedDelay) socket.setNoDelay(false)
    })
    callSafely(() => this.#flowAsBefore())
  }

  /** Restores the flow: bytes of the next connection must neither be lost before a listener is added, nor wait for a `resume()`. */
  #flowAsBefore(): void {
    const { socket } = this
    if (this.#flowing !== false && socket.isPaused()) socket.resume()
    if (this.#flowing !== null || socket.listenerCount('data') > 0) return
    const { _readableState: state } = socket as unknown as { _readableState?: { flowing?: unknown } }
    if (state !== undefined && 'flowing' in state) state.flowing = null
  }
}

function ignore(): void {}

/** Returns whether Nagle's algorithm is off. Node has no public way to ask. */
function hasNoDelay(socket: Socket): boolean {
  const symbol = symbolOf(socket, 'kSetNoDelay')
  return symbol !== undefined && Boolean((socket as unknown as Record<symbol, unknown>)[symbol])
}
