import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { type RingSource, views } from './ring-source.js'
import type { Failure } from './thrown.js'

/** The intrinsic one: what a socket holds must not be freed, whatever it claims. */
const writableLength = Object.getOwnPropertyDescriptor(Duplex.prototype, 'writableLength')!.get!

/** Bytes that were written to `socket` and that the system has not taken yet. */
function heldBy(socket: Socket): number {
  return writableLength.call(socket)
}

/**
 * Writes all that is available to `socket`, as views of the ring. They are lent until the socket holds none of them any more;
 * then they are freed, unless it failed, and `taken` is called, perhaps at once. What its methods throw is a failure, too.
 */
export function writeLent(source: RingSource, socket: Socket, taken: (failure: Failure | null) => void): void {
  const length = source.available
  write(source, length, socket, (failure) => {
    source.giveBack(failure ? 0 : length)
    taken(failure)
  })
}

/**
 * The same, but the views are freed on return where the system has taken all of them by then, which Node tells only on a
 * later tick: then it returns true, and `taken` is not called.
 */
export function writeLentNow(source: RingSource, socket: Socket, taken: (failure: Failure | null) => void): boolean {
  const length = source.available
  let over = false
  write(source, length, socket, (failure) => {
    if (over) return
    over = true
    source.giveBack(failure ? 0 : length)
    taken(failure)
  })
  // A socket that has just failed holds nothing either, but is not writable any more.
  if (over || heldBy(socket) > 0 || !socket.writable) return false
  over = true
  source.giveBack(length)
  return true
}

/** `done` is called once, when nothing of what was written is held any more. */
function write(source: RingSource, length: number, socket: Socket, done: (failure: Failure | null) => void): void {
  const [first, second] = views(source, length)
  source.lent = true
  const writes = new Writes(socket, done)
  if (second.length === 0) {
    writes.add(first)
  } else {
    // Both in one system call.
    writes.run(() => socket.cork())
    writes.add(first)
    writes.add(second)
    writes.run(() => socket.uncork())
  }
  writes.finish()
}

/** Writes that are over together. */
class Writes {
  readonly #socket: Socket
  readonly #done: (failure: Failure | null) => void
  /** This one is over with `finish()`. */
  #open = 1
  #failure: Failure | null = null

  constructor(socket: Socket, done: (failure: Failure | null) => void) {
    this.#socket = socket
    this.#done = done
  }

  add(bytes: Uint8Array): void {
    if (this.#failure !== null) return
    const socket = this.#socket
    const held = heldBy(socket)
    let over = false
    const settle = (error?: unknown): void => {
      if (over) return
      over = true
      if (error != null) this.#failure ??= { error }
      this.finish()
    }
    this.#open++
    this.run(() => socket.write(bytes, settle))
    // If the socket has taken the bytes before something threw, it will say when it is done with them.
    if (this.#failure !== null && heldBy(socket) <= held) settle()
  }

  run(call: () => unknown): void {
    try {
      call()
    } catch (error) {
      this.#failure ??= { error }
    }
  }

  finish(): void {
    this.#open--
    if (this.#open === 0) this.#done(this.#failure)
  }
}
