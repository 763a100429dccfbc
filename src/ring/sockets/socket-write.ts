import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { lengthOf } from '../../support/arguments.js'
import { streamMethods, whenClosed } from '../../support/streams.js'
import type { Failure } from '../../support/thrown.js'
import { setImmediate } from '../../support/timers.js'
import { type RingSource, views } from '../source.js'

/** Begins to gather writes, by the intrinsic method: with that of the socket, bytes could stay corked forever. */
export function cork(socket: Duplex): void {
  streamMethods().cork.call(socket)
}

/** Passes on the gathered writes. */
export function uncork(socket: Duplex): void {
  streamMethods().uncork.call(socket)
}

/** Events of a write to a socket. */
export interface WriteEvents {
  /** Called when a method of the socket has thrown. The socket may hold some of the bytes all the same. */
  onThrown(error: unknown): void
  /** Called when the socket holds none of the bytes any more. */
  onDone(failure: Failure | null): void
}

/**
 * Returns the number of bytes that were written to `socket` and not yet sent. The memory that a socket holds must not be freed, whatever
 * its own getter claims.
 */
export function heldBy(socket: Duplex): number {
  return streamMethods().writableLength.call(socket)
}

/**
 * Writes everything available to `socket`, as views of the ring. They are lent until the socket holds none of them any more. Then the
 * bytes that it has sent are freed: all of them, unless the write failed.
 */
export function writeLent(source: RingSource, socket: Socket, events: WriteEvents): void {
  const length = source.available
  write(source, length, socket, {
    onThrown: (error) => events.onThrown(error),
    onDone(failure, sent) {
      source.giveBack(sent)
      events.onDone(failure)
    },
  })
}

/**
 * Writes as `writeLent()` does, and frees the views on return if the system has taken all bytes by then, which Node reports only on a
 * later tick. Returns true in that case, and does not call `onDone`.
 */
export function writeLentNow(source: RingSource, socket: Socket, events: WriteEvents): boolean {
  const length = source.available
  let over = false
  write(source, length, socket, {
    onThrown: (error) => events.onThrown(error),
    onDone(failure, sent) {
      if (over) return
      over = true
      source.giveBack(sent)
      events.onDone(failure)
    },
  })
  // A socket that has just failed holds nothing either, but is not writable any more.
  if (over || heldBy(socket) > 0 || !socket.writable) return false
  over = true
  source.giveBack(length)
  return true
}

/** Events of a write, with the number of bytes that the socket has sent. */
interface CountedEvents {
  onThrown(error: unknown): void
  onDone(failure: Failure | null, sent: number): void
}

function write(source: RingSource, length: number, socket: Socket, events: CountedEvents): void {
  const [first, second] = views(source, length)
  source.lent = true
  const writes = new Writes(socket, events)
  if (lengthOf(second) === 0) {
    writes.add(first)
  } else {
    // Both in one system call.
    cork(socket)
    writes.add(first)
    writes.add(second)
    writes.passOn()
  }
  writes.finish()
}

/** Several writes that are done together. */
class Writes {
  readonly #socket: Socket
  readonly #events: CountedEvents
  /** Number of writes that are not done, and one more until `finish()` is called. */
  #open = 1
  #failure: Failure | null = null
  #sent = 0
  #over = false
  #stopListening = (): void => {}

  constructor(socket: Socket, events: CountedEvents) {
    this.#socket = socket
    this.#events = events
  }

  add(bytes: Uint8Array): void {
    if (this.#failure !== null) return
    const socket = this.#socket
    const held = heldBy(socket)
    const length = lengthOf(bytes)
    let over = false
    const settle = (sent: number): void => {
      if (over) return
      over = true
      this.#sent += sent
      this.finish()
    }
    this.#open++
    try {
      socket.write(bytes, (error?: Error | null) => {
        if (error != null) this.#failure ??= { error }
        settle(error == null ? length : 0)
      })
    } catch (error) {
      this.#thrown(error)
      // A socket that took the bytes before it threw will call back: at once, or when it holds them no more.
      if (heldBy(socket) <= held) setImmediate(() => settle(0))
    }
  }

  /** Passes on what was gathered. */
  passOn(): void {
    try {
      uncork(this.#socket)
    } catch (error) {
      this.#thrown(error)
    }
  }

  /** Notes that a method of the socket has thrown. If it was a method that writes, Node never calls back. */
  #thrown(error: unknown): void {
    this.#failure ??= { error }
    this.#stopListening()
    this.#stopListening = whenClosed(this.#socket, () => this.#end())
    this.#events.onThrown(error)
  }

  finish(): void {
    this.#open--
    if (this.#open === 0) this.#end()
  }

  #end(): void {
    this.#stopListening()
    if (this.#over) return
    this.#over = true
    this.#events.onDone(this.#failure, this.#sent)
  }
}
