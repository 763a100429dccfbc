import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { whenCollected } from '../native/acquired.js'
import { cork, heldBy, uncork } from '../ring/sockets/socket-write.js'
import { bufferOf, copyInto, copyOf, lengthOf, offsetOf, partOf } from '../support/arguments.js'
import { FramePoolError } from '../support/errors.js'
import { isSocket, whenClosed } from '../support/streams.js'
import { errorText, type Failure } from '../support/thrown.js'
import { nextTick, queueMicrotask } from '../support/timers.js'
import { type WaitOptions, WaitQueue } from '../support/wait.js'

/** Size of the memory that small pieces are gathered in, in bytes. */
const SCRATCH = 16_384
/** The longest piece that is gathered, in bytes. */
const SMALL = SCRATCH / 4
/** The most pieces of it that are kept for later. */
const MOST_SCRATCHES = 64
const scratches: Uint8Array<ArrayBuffer>[] = []

/** Number of gathered bytes at which they go out at once. */
const ENOUGH = 65_536

/** Bytes that go out, and a function to be called when the socket has taken them. */
interface Piece {
  bytes: Uint8Array
  readonly done: (() => void) | null
}

/** Bytes that one call of `flush()` has written, or that `close()` drops. */
interface Flight {
  readonly pieces: readonly Piece[]
  readonly length: number
  over: boolean
}

/**
 * Gathers what goes out to a socket without a pause, and writes it in one call. What promise callbacks send after the code that Node called
 * goes out in another. Memory goes back when the socket has taken it.
 */
export class Outgoing {
  readonly socket: Socket | Duplex
  /** Whether the bytes go out as they lie. A socket is done with them when it calls back. Another stream may keep them. */
  readonly #inPlace: boolean
  /** Bytes that the socket has not taken. */
  pending = 0
  #pieces: Piece[] = []
  #length = 0
  /** Memory that small pieces are gathered in. */
  #scratch: Uint8Array<ArrayBuffer> | null = null
  /** Bytes of `#scratch` that are used. */
  #used = 0
  #failure: Failure | null = null
  #closed = false
  readonly #waiting = new WaitQueue()
  /** Ends the listening for the close of the socket, while `drained()` waits. */
  #stopListening: (() => void) | null = null
  /** Gives back what was lent, piece by piece. It must not lead to this object. */
  readonly #lent = new Set<() => void>()

  constructor(socket: Socket | Duplex) {
    this.socket = socket
    this.#inPlace = isSocket(socket)
    whenCollected(this, this.#lent, giveBackAll)
  }

  /** Whether this was closed, or has ended the socket. */
  get closed(): boolean {
    return this.#closed
  }

  /** Throws `ERR_CLOSED` if nothing can be written any more. */
  checkOpen(): void {
    const { socket } = this
    if (this.#closed) throw new FramePoolError('ERR_CLOSED', 'the writer is closed')
    if (this.#failure !== null || socket.destroyed) throw brokenError(this.#failure?.error ?? socket.errored)
    if (socket.writableEnded) throw new FramePoolError('ERR_CLOSED', 'the sending side of the socket has ended')
  }

  /** Makes room for the parts of a frame. After that no `add()` of them can fail for lack of memory. */
  makeRoom(header: Uint8Array, payload: Uint8Array, trailer: Uint8Array): void {
    const length = gatheredLength(header) + gatheredLength(payload) + gatheredLength(trailer)
    const scratch = this.#scratch
    if (length > 0 && (scratch === null || isDetached(scratch) || this.#used + length > SCRATCH)) this.#takeScratch()
  }

  /** Adds bytes that `owned()` returned, and for which `makeRoom()` has made room. */
  add(bytes: Uint8Array): void {
    const length = lengthOf(bytes)
    if (length === 0) return
    if (length > SMALL) this.lend(bytes, null)
    else copyInto(this.#room(length), bytes, 0)
  }

  /** Adds `length` bytes, which the caller fills at once. */
  #room(length: number): Uint8Array {
    const scratch = this.#scratch!
    const start = this.#used
    this.#used += length
    const last = this.#pieces.at(-1)
    // Bytes that lie side by side go out as one piece.
    if (last !== undefined && endsAt(last.bytes, scratch, start)) {
      last.bytes = partOf(last.bytes, 0, lengthOf(last.bytes) + length)
      this.#count(length)
    } else {
      this.#add({ bytes: partOf(scratch, start, length), done: null })
    }
    return partOf(scratch, start, length)
  }

  #takeScratch(): void {
    this.#leaveScratch()
    let scratch = scratches.pop()
    while (scratch !== undefined && isDetached(scratch)) scratch = scratches.pop()
    this.#scratch = scratch ?? new Uint8Array(SCRATCH)
    this.#used = 0
  }

  /** Lets the present scratch memory go back with the bytes in it. */
  #leaveScratch(): void {
    const scratch = this.#scratch
    this.#scratch = null
    if (scratch !== null) this.#pieces.push({ bytes: NOTHING, done: () => keepScratch(scratch) })
  }

  /** Adds `bytes` as they are. They must stay as they are until `done` is called. */
  lend(bytes: Uint8Array, done: (() => void) | null): void {
    if (done !== null) this.#lent.add(done)
    this.#add({ bytes, done })
  }

  #add(piece: Piece): void {
    this.#pieces.push(piece)
    this.#count(lengthOf(piece.bytes))
  }

  #count(length: number): void {
    const before = this.#length
    this.pending += length
    this.#length += length
    if (before < ENOUGH && this.#length >= ENOUGH) {
      // A loop of microtasks may not end.
      queueMicrotask(() => this.flush())
    } else if (before === 0) {
      // Not as a microtask: a loop over what a channel brings goes on in microtasks, and would get a write for each round.
      nextTick(() => this.flush())
    }
  }

  /** Writes the gathered pieces. */
  flush(): void {
    this.#leaveScratch()
    const pieces = this.#pieces
    if (pieces.length === 0) return
    const flight: Flight = { pieces, length: this.#length, over: false }
    this.#pieces = []
    this.#length = 0
    const { socket } = this
    if (flight.length === 0) {
      this.#land(flight, null)
      return
    }
    // After a failure bytes are missing, and the peer would take what follows for them.
    if (socket.destroyed || socket.writableEnded || this.#failure !== null) {
      this.#land(flight, { error: socket.errored ?? new FramePoolError('ERR_CLOSED', 'the socket is closed') })
      return
    }
    let chunks: readonly Uint8Array[]
    try {
      chunks = this.#chunks(flight)
    } catch (error) {
      this.#land(flight, { error })
      return
    }
    // Node reports what a destroyed socket still had to send as sent.
    const onDone = (error?: Error | null): void =>
      this.#land(flight, error == null && !socket.destroyed ? null : { error: socket.errored ?? error })
    const held = heldBy(socket)
    const fail = (error: unknown): void => {
      this.#failure ??= { error }
      // A socket that took bytes before it threw calls back, or holds them until it is closed.
      if (heldBy(socket) <= held) this.#land(flight, { error })
      else this.#landWhenClosed(flight, { error })
    }
    if (chunks.length > 1) cork(socket)
    try {
      // The socket takes the chunks in order, so the last one is enough.
      for (const [index, chunk] of chunks.entries()) {
        if (index === chunks.length - 1) socket.write(chunk, onDone)
        else socket.write(chunk)
      }
    } catch (error) {
      fail(error)
    }
    try {
      if (chunks.length > 1) uncork(socket)
    } catch (error) {
      fail(error)
    }
    // The system may have taken everything by now, which Node reports only on a later tick.
    if (heldBy(socket) === 0 && socket.writable && this.#failure === null) this.#land(flight, null)
  }

  /** Returns what the socket is to write. Throws `ERR_INVALID_STATE` if bytes are missing: the peer would take what follows for them. */
  #chunks(flight: Flight): readonly Uint8Array[] {
    const chunks: Uint8Array[] = []
    let length = 0
    for (const { bytes } of flight.pieces) {
      const count = lengthOf(bytes)
      length += count
      if (count > 0) chunks.push(this.#inPlace ? bytes : copyOf(bytes))
    }
    if (length === flight.length) return chunks
    throw new FramePoolError('ERR_INVALID_STATE', 'bytes were detached before they were given to the socket')
  }

  /** Gives back the memory of a flight when the socket is closed, at the latest: a stream that has thrown may never call back. */
  #landWhenClosed(flight: Flight, failure: Failure): void {
    const stopListening = whenClosed(this.socket, () => {
      stopListening()
      this.#land(flight, failure)
    })
    this.#waiting.review()
  }

  /** Gives back the memory of a flight that is over. */
  #land(flight: Flight, failure: Failure | null): void {
    if (flight.over) return
    flight.over = true
    this.pending -= flight.length
    if (failure !== null) this.#failure ??= failure
    for (const { done } of flight.pieces) {
      if (done === null) continue
      this.#lent.delete(done)
      done()
    }
    this.#waiting.review()
  }

  /** Resolves when at most `bytes` are pending. */
  drained(bytes: number, options: WaitOptions | undefined): Promise<void> {
    const drained = this.#waiting.join(options, (waiter) => {
      const failure = this.#failure ?? this.#broken
      if (failure !== null) waiter.reject(brokenError(failure.error))
      else if (this.#closed) waiter.reject(new FramePoolError('ERR_CLOSED', 'the writer is closed'))
      else if (this.pending <= bytes) waiter.resolve()
      else return false
      return true
    })
    if (this.#waiting.isEmpty) return drained
    // One listener for all waits: Node warns of more than ten.
    this.#stopListening ??= whenClosed(this.socket, () => this.#waiting.review())
    return drained.finally(() => {
      if (!this.#waiting.isEmpty) return
      this.#stopListening?.()
      this.#stopListening = null
    })
  }

  /** What keeps bytes from being sent: the socket is destroyed. A stream that is not a socket never calls back then. */
  get #broken(): Failure | null {
    const { socket } = this
    return this.pending > 0 && socket.destroyed ? { error: socket.errored } : null
  }

  /** Writes everything, and ends the sending side of the socket. */
  async end(): Promise<void> {
    this.checkOpen()
    this.flush()
    // What could not be written is not sent later either.
    this.checkOpen()
    this.#closed = true
    const { socket } = this
    let stopListening = (): void => {}
    try {
      await new Promise<void>((resolve, reject) => {
        const fail = (error: unknown): void => {
          this.#failure ??= { error }
          reject(brokenError(error))
        }
        stopListening = whenClosed(socket, () => fail(socket.errored))
        socket.end((error?: Error | null) => (error == null ? resolve() : fail(socket.errored ?? error)))
      })
    } finally {
      stopListening()
      this.#waiting.review()
    }
  }

  /** Drops the bytes that were not written, and gives their memory back. The socket still sends the bytes that it has. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#leaveScratch()
    const pieces = this.#pieces
    this.#pieces = []
    this.#land({ pieces, length: this.#length, over: false }, null)
    this.#length = 0
  }
}

/** Returns bytes that stay as they are until they are added: a copy of many bytes, and few bytes as they are. */
export function owned(bytes: Uint8Array): Uint8Array {
  return lengthOf(bytes) > SMALL ? copyOf(bytes) : bytes
}

function gatheredLength(bytes: Uint8Array): number {
  const length = lengthOf(bytes)
  return length > SMALL ? 0 : length
}

const NOTHING = new Uint8Array(0)

/** Returns whether code that was shown `scratch` has taken its memory away. */
function isDetached(scratch: Uint8Array): boolean {
  return lengthOf(scratch) === 0
}

/** Gives back all that was lent to a stream, which was collected before it has taken everything. */
function giveBackAll(lent: Set<() => void>): void {
  for (const done of lent) done()
}

/** Returns whether `bytes` are the bytes of `scratch` before `end`. */
function endsAt(bytes: Uint8Array, scratch: Uint8Array, end: number): boolean {
  return bufferOf(bytes) === bufferOf(scratch) && offsetOf(bytes) + lengthOf(bytes) === end
}

function keepScratch(scratch: Uint8Array<ArrayBuffer>): void {
  if (scratches.length < MOST_SCRATCHES) scratches.push(scratch)
}

function brokenError(cause: unknown): FramePoolError {
  const why = cause == null ? 'the socket is closed' : `the connection broke: ${errorText(cause)}`
  return new FramePoolError('ERR_CLOSED', why, cause == null ? undefined : { cause })
}
