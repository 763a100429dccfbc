import type { Socket } from 'node:net'
import { closeHandle, removeListener, streamMethods } from '../../support/streams.js'
import { callSafely, errorOfThrown } from '../../support/thrown.js'
import { setImmediate } from '../../support/timers.js'
import { type DirectRead, type DirectTarget, readDirectly } from './direct-read.js'
import { symbolOf } from './socket-symbols.js'
import { guardDestroy, watchMethod } from './watch-method.js'

/** The sockets that are borrowed now: each by one session or relay. */
const borrowed = new WeakSet<Socket>()

/** Returns whether a session or a relay has `socket`. */
export function isBorrowed(socket: Socket): boolean {
  return borrowed.has(socket)
}

/**
 * A socket that is borrowed until it is closed. Then the borrowed listeners are removed and its settings are restored, so the object can
 * be used for another connection as if nothing had happened.
 *
 * The other connection may begin as soon as the socket is destroyed, before the `error` and the `close` of this one. So the settings are
 * restored when the socket is destroyed, and after that nothing here may touch a socket that is connected again.
 */
export class BorrowedSocket {
  readonly socket: Socket
  readonly #allowHalfOpen: boolean
  readonly #noDelay: boolean
  readonly #flowing: boolean | null
  readonly #listeners: [event: string, listener: (...args: never[]) => void][] = []
  #changedDelay = false
  #directly: DirectRead | null = null
  /** Whether the socket was destroyed, or given back. */
  #left = false
  /** Whether the socket was destroyed with an error, which it emits. */
  #broken = false
  /** Ends the watching of methods. */
  readonly #unwatch: (() => void)[] = []

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
    this.#watchDestroy()
    // Otherwise Node ends the sending side with the receiving one, before everything has gone out.
    socket.allowHalfOpen = true
    for (const event of ['end', 'finish']) this.on(event, () => this.#destroyWhenDone())
    // Bytes are passed on in the pieces in which they come: waiting to fill packets would only delay them.
    socket.setNoDelay(true)
    this.#changedDelay = !this.#noDelay
  }

  /** Whether the connection is over: the socket was destroyed, and may be connected again by now. */
  get over(): boolean {
    return this.#left || this.socket.destroyed
  }

  /**
   * Adds `listener` before the present ones, which could throw and so keep it from being called. It is not called for a connection that
   * the socket has made since.
   */
  on(event: string, listener: (...args: never[]) => void): void {
    const own = (...args: never[]): void => {
      if (!this.#left || this.socket.destroyed || event === 'close' || (event === 'error' && this.#broken)) {
        listener(...args)
      }
    }
    this.#listeners.push([event, own])
    this.socket.prependListener(event, own as () => void)
    if (event !== 'data') return
    // Only `on()` makes a stream flow, unless it was paused.
    this.#listeners.push([event, ignore])
    this.socket.on(event, ignore)
  }

  /** Calls `listener` when the connection is over. */
  onClosed(listener: () => void): void {
    // Anybody can emit the event, and while the socket is open Node may still write into the memory that it reads into.
    this.on('close', () => {
      if (this.over) listener()
    })
  }

  /**
   * Leaves the socket when it is destroyed: no event tells that soon enough. A socket whose own methods throw when it is to be destroyed
   * would stay open, and never emit `close`: Node's methods destroy it then.
   */
  #watchDestroy(): void {
    const { socket } = this
    // Without that, the settings are restored at the close.
    const close = watchMethod(socket, '_destroy', (call, [error, callback]) => {
      this.#broken = error != null
      const done = (failure?: unknown): void => {
        this.#broken ||= failure != null
        ;(callback as typeof done)(failure)
      }
      try {
        call([error, done])
      } catch (thrown) {
        this.#broken = true
        closeHandle(socket)
        throw thrown
      } finally {
        // Now that the socket has no handle, a setting costs no system call.
        this.#leave()
      }
    })
    this.#unwatch.push(close)
    // A getter of the user may throw.
    this.#unwatch.push(guardDestroy(socket, () => this.over))
  }

  /** Makes the socket read into `target`: see `readDirectly()`. Returns false if that cannot be done. */
  readDirectly(target: DirectTarget): boolean {
    this.#directly = readDirectly(this.socket, target)
    return this.#directly !== null
  }

  /** Directs the next bytes of a socket that reads directly to the present place of its target. The socket must be paused. */
  aim(): void {
    if (!this.over) this.#directly?.aim()
  }

  /** Destroys the socket, even if its own method for that throws. */
  destroy(error?: Error): void {
    if (this.over) return
    try {
      this.socket.destroy(error)
    } catch {
      if (!this.over) streamMethods().destroy.call(this.socket, error)
    }
  }

  /** Destroys a socket that is done. Node does not if a listener of the user has thrown. */
  #destroyWhenDone(): void {
    if (!this.#isDone()) return
    setImmediate(() => {
      if (this.#isDone() && !this.socket.destroyed) callSafely(() => this.destroy())
    })
  }

  /** Returns whether the socket has ended both sides. One whose own getters throw is destroyed: it would never be done. */
  #isDone(): boolean {
    if (this.#left) return false
    try {
      return this.socket.readableEnded && this.socket.writableFinished
    } catch (error) {
      this.destroy(errorOfThrown(error))
      return false
    }
  }

  /** Removes the listeners and restores the settings. */
  giveBack(): void {
    this.#leave()
    this.#removeListeners(() => true)
  }

  /** Restores the settings, and stops reading. */
  #leave(): void {
    if (this.#left) return
    this.#left = true
    const { socket } = this
    borrowed.delete(socket)
    for (const end of this.#unwatch) callSafely(end)
    this.#directly?.restore()
    this.#removeListeners((event) => event === 'data')
    callSafely(() => {
      socket.allowHalfOpen = this.#allowHalfOpen
    })
    callSafely(() => {
      if (this.#changedDelay) socket.setNoDelay(false)
    })
    callSafely(() => this.#flowAsBefore())
  }

  #removeListeners(isMeant: (event: string) => boolean): void {
    for (const [event, listener] of this.#listeners) {
      if (isMeant(event)) callSafely(() => removeListener(this.socket, event, listener))
    }
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
