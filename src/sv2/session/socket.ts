import type { Socket } from 'node:net'
import { BorrowedSocket } from '../../ring/sockets/borrowed-socket.js'
import { landingMemory, SHORT_READ } from '../../ring/sockets/landing.js'
import { checkFlowing } from '../../ring/sockets/socket-argument.js'
import { writeLent } from '../../ring/sockets/socket-write.js'
import { lengthOf, partOf } from '../../support/bytes.js'
import { invalidArgType } from '../../support/errors.js'
import { isPaused, pauseSocket } from '../../support/streams.js'
import { callSafely, errorOfThrown, type Failure, isThenable } from '../../support/thrown.js'
import { queueMicrotask, setImmediate } from '../../support/timers.js'
import type { SessionCore } from './core.js'
import { type FrameBatch, keepBatch, passBatch } from './frame-batch.js'

/** Events of a socket that is wired to a session. */
export interface SocketEvents {
  /** Called with the frames of a read, if there are any. */
  onBatch(batch: FrameBatch): void
  /** Called when the peer has ended its side. All its frames have been through `onBatch`. */
  onEnd(): void
}

/**
 * One session on one socket. It writes the output as views of the ring, without a copy. They are lent until the socket has sent them,
 * and what is encrypted meanwhile waits for the next write.
 */
export class SessionSocket {
  readonly #core: SessionCore
  readonly #socket: Socket
  readonly #loan: BorrowedSocket
  readonly #events: SocketEvents
  /** Number of reasons not to read. Reading goes on when there are none. */
  #holds = 0
  /** Whether the sending side ends once everything has been written. */
  #ending = false
  #failure: Error | null = null
  /** First frames of a session that has no handler yet. */
  #waiting: FrameBatch | null = null
  /** Whether the socket is closed. It then no longer belongs to this session. */
  #over = false

  constructor(core: SessionCore, socket: Socket, events: SocketEvents) {
    this.#core = core
    this.#socket = socket
    this.#loan = new BorrowedSocket(socket)
    this.#events = events
    core.wire()
    try {
      this.#takeOver()
    } catch (error) {
      this.#over = true
      this.#loan.giveBack()
      core.giveUp()
      throw error
    }
    this.flush()
  }

  /** Whether the connection is over. The socket may be connected again by then. */
  get #isOver(): boolean {
    return this.#over || this.#loan.over
  }

  #takeOver(): void {
    const loan = this.#loan
    loan.onClosed(() => this.#closed())
    loan.on('error', (error: unknown) => {
      this.#failure ??= errorOfThrown(error)
    })
    loan.on('end', () => this.#events.onEnd())
    loan.borrow()
    if (this.#readsDirectly()) return
    checkFlowing(loan.socket)
    this.#readData()
  }

  #closed(): void {
    this.#over = true
    if (this.#waiting !== null) passBatch(this.#waiting)
    this.#loan.giveBack()
    this.#core.abandon(this.#failure)
  }

  #readData(): void {
    this.#loan.on('data', (chunk: Buffer | string) => {
      if (typeof chunk === 'string') this.destroy(invalidArgType('socket must give bytes: no setEncoding'))
      else this.#readInParts(chunk)
    })
  }

  /** Wires a session that answers on the socket that it reads from: see `Sv2Session.attach()`. */
  static attach(core: SessionCore, socket: Socket): void {
    let answered = false
    const { allowHalfOpen } = socket
    const wired = new SessionSocket(core, socket, {
      onBatch: (batch) => {
        answered = false
        callSafely(() => wired.#deal(batch))
        // Only for answers that pile up: two ends that send to each other must both read on, or neither could drain.
        if (answered && core.over) wired.holdUntilDrained(core)
      },
      onEnd: () => {
        // A handshake that is not done cannot be completed any more.
        if (!allowHalfOpen || core.state === 'handshake') wired.end()
      },
    })
    // Frames may be sent at any time, not only as answers. Those that are sent without a pause go out together.
    let scheduled = false
    core.onOutput = () => {
      answered = true
      if (scheduled) return
      scheduled = true
      queueMicrotask(() => {
        scheduled = false
        wired.flush()
      })
    }
    core.onClosed = () => wired.end()
  }

  /** Gives a batch to the handler of the session. Without one, the batch waits, and nothing more is read. */
  #deal(batch: FrameBatch): void {
    if (this.#core.onBatch !== null) {
      this.#handle(batch)
      return
    }
    keepBatch(batch)
    this.#waiting = batch
    this.hold()
    this.#core.onHandler = () => {
      let goesOn = false
      this.#waiting = null
      callSafely(() => {
        goesOn = this.#handle(batch)
      })
      if (!goesOn) passBatch(batch)
      this.resume()
    }
  }

  /** Calls the handler of the session. If it returns a promise, reading waits for that, and the batch stays. Returns whether it does. */
  #handle(batch: FrameBatch): boolean {
    const done: unknown = this.#core.onBatch?.call(undefined, batch)
    if (!isThenable(done)) return false
    keepBatch(batch)
    this.hold()
    void this.#await(done, batch)
    return true
  }

  /** Reads on once `done` has settled. `await` calls no method that a promise may have of its own. */
  async #await(done: PromiseLike<unknown>, batch: FrameBatch): Promise<void> {
    try {
      await done
    } catch (error) {
      callSafely(() => {
        throw error
      })
    }
    passBatch(batch)
    this.resume()
  }

  /** Reads nothing until the output of `other` has drained, so that nothing piles up there. */
  holdUntilDrained(other: SessionCore): void {
    this.hold()
    const resume = (): void => this.resume()
    // Also after a failure: a session that fails while others wait for it closes its own socket.
    other.drained().then(resume, resume)
  }

  /** Reads nothing until `resume()` was called as often. */
  hold(): void {
    this.#holds++
    if (!this.#isOver) this.#do(() => this.#socket.pause())
  }

  resume(): void {
    this.#holds--
    if (this.#holds === 0 && !this.#isOver) this.#do(() => this.#socket.resume())
  }

  /** Writes what waits in the output. Does nothing during a write, whose end calls it again. */
  flush(): void {
    const core = this.#core
    if (core.lent || this.#isOver) return
    if (core.available > 0) {
      const onThrown = (error: unknown): void => this.destroy(errorOfThrown(error))
      try {
        writeLent(core, this.#socket, {
          onThrown,
          onDone: (failure) => (failure === null ? this.flush() : this.#writeFailed(failure)),
        })
      } catch (error) {
        // The output cannot be shown.
        onThrown(error)
      }
    } else if (this.#ending) this.#finish()
  }

  /** Ends the connection's sending side once everything has been written. */
  end(): void {
    this.#ending = true
    this.flush()
  }

  /** Ends the sending side, unless code that waited for `drained()` has sent more by then. */
  #finish(): void {
    setImmediate(() => {
      if (this.#core.available === 0 && !this.#isOver) this.#do(() => this.#socket.end())
    })
  }

  /** Destroys the socket on a later turn: Node first fails all its writes, and would also fail writes made meanwhile. */
  #writeFailed({ error }: Failure): void {
    setImmediate(() => {
      // A socket that breaks emits the real error itself.
      if (!this.#isOver) this.destroy(errorOfThrown(error))
    })
  }

  /** Calls a method of the socket. If it throws, the connection ends. */
  #do(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.destroy(errorOfThrown(error))
    }
  }

  destroy(error?: Error): void {
    if (this.#over) return
    this.#failure ??= error ?? null
    this.#loan.destroy(error)
  }

  #readsDirectly(): boolean {
    const socket = this.#socket
    // Node emits what it has read by now as `data`.
    if (socket.readableLength > 0) return false
    const landing = landingMemory()
    if (landing === null) return false
    const memory = partOf(landing, 0, SHORT_READ)
    const paused = isPaused(socket)
    // A method of the socket may throw. The handle is changed after that, since the change could not be undone.
    if (paused) socket.pause()
    else socket.resume()
    const direct = this.#loan.readDirectly({
      next: () => memory,
      filled: (count) => {
        const chunk = partOf(memory, 0, count)
        this.#read(chunk)
        // For listeners of the user.
        if (socket.listenerCount('data') > 0) callSafely(() => socket.emit('data', Buffer.from(chunk)))
        // `hold()` has paused the socket.
        return true
      },
      failed: (error) => this.destroy(errorOfThrown(error)),
    })
    // A pause before this would not keep the socket from reading.
    if (direct && paused) pauseSocket(socket)
    return direct
  }

  /** Reads a chunk of any length, in parts. When reading is put on hold, the rest goes back to the socket. */
  #readInParts(chunk: Uint8Array): void {
    let rest = chunk
    for (let length = lengthOf(rest); length > 0; length = lengthOf(rest)) {
      if (this.#holds > 0) {
        if (this.#isOver) return
        this.#do(() => {
          // Other code may have resumed the socket, and then the rest would come again and again.
          this.#socket.pause()
          this.#socket.unshift(rest)
        })
        return
      }
      const count = Math.min(length, SHORT_READ)
      const part = partOf(rest, 0, count)
      rest = partOf(rest, count, length - count)
      this.#read(part)
    }
  }

  #read(chunk: Uint8Array): void {
    const core = this.#core
    if (core.otherEnded) return
    let batch: FrameBatch
    try {
      batch = core.receive(chunk)
    } catch (error) {
      this.destroy(error as Error)
      return
    }
    if (batch.length > 0) this.#events.onBatch(batch)
    this.flush()
    if (core.error !== null) this.destroy(core.error)
  }
}
