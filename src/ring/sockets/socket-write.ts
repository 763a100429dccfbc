import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { Failure } from '../../support/thrown.js'
import { setImmediate } from '../../support/timers.js'
import { type RingSource, views } from '../source.js'

/** The intrinsic one: what a socket holds must not be freed, whatever it claims. */
const writableLength = Object.getOwnPropertyDescriptor(Duplex.prototype, 'writableLength')!.get!

/** Not those of the socket: what stays corked is held for ever. */
const { cork, uncork } = Duplex.prototype

/** What becomes of a write. */
export interface WriteEvents {
  /** A method of the socket has thrown: it may hold some of the bytes all the same. */
  onThrown(error: unknown): void
  /** The socket holds nothing any more. */
  onTaken(failure: Failure | null): void
}

/** Bytes that were written to `socket` and that the system has not taken yet. */
function heldBy(socket: Socket): number {
  return writableLength.call(socket)
}

/**
 * Writes all that is available to `socket`, as views of the ring. They are lent until the socket holds none of them any more;
 * then what it has taken is freed: all, unless it failed.
 */
export function writeLent(source: RingSource, socket: Socket, events: WriteEvents): void {
  const length = source.available
  write(source, length, socket, {
    onThrown: (error) => events.onThrown(error),
    onTaken(failure, bytes) {
      source.giveBack(bytes)
      events.onTaken(failure)
    },
  })
}

/**
 * The same, but the views are freed on return where the system has taken all of them by then, which Node tells only on a
 * later tick: then it returns true, and `onTaken` is not called.
 */
export function writeLentNow(source: RingSource, socket: Socket, events: WriteEvents): boolean {
  const length = source.available
  let over = false
  write(source, length, socket, {
    onThrown: (error) => events.onThrown(error),
    onTaken(failure, bytes) {
      if (over) return
      over = true
      source.giveBack(bytes)
      events.onTaken(failure)
    },
  })
  // A socket that has just failed holds nothing either, but is not writable any more.
  if (over || heldBy(socket) > 0 || !socket.writable) return false
  over = true
  source.giveBack(length)
  return true
}

/** Tells also how many bytes the socket has taken. */
interface Taking {
  onThrown(error: unknown): void
  onTaken(failure: Failure | null, bytes: number): void
}

function write(source: RingSource, length: number, socket: Socket, events: Taking): void {
  const [first, second] = views(source, length)
  source.lent = true
  const writes = new Writes(socket, events)
  if (second.length === 0) {
    writes.add(first)
  } else {
    // Both in one system call.
    cork.call(socket)
    writes.add(first)
    writes.add(second)
    uncork.call(socket)
  }
  writes.finish()
}

/** Writes that are over together. */
class Writes {
  readonly #socket: Socket
  readonly #events: Taking
  /** This one is over with `finish()`. */
  #open = 1
  #failure: Failure | null = null
  #taken = 0

  constructor(socket: Socket, events: Taking) {
    this.#socket = socket
    this.#events = events
  }

  add(bytes: Uint8Array): void {
    if (this.#failure !== null) return
    const socket = this.#socket
    const held = heldBy(socket)
    let over = false
    const settle = (taken: number): void => {
      if (over) return
      over = true
      this.#taken += taken
      this.finish()
    }
    this.#open++
    try {
      socket.write(bytes, (error?: Error | null) => {
        if (error != null) this.#failure ??= { error }
        settle(error == null ? bytes.length : 0)
      })
    } catch (error) {
      this.#failure = { error }
      this.#events.onThrown(error)
      // If the socket has taken the bytes before that, it will say so: at once, or when it holds them no more.
      if (heldBy(socket) <= held) setImmediate(() => settle(0))
    }
  }

  finish(): void {
    this.#open--
    if (this.#open === 0) this.#events.onTaken(this.#failure, this.#taken)
  }
}
