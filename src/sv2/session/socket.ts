import { Socket } from 'node:net'
import { BorrowedSocket } from '../../ring/sockets/borrowed-socket.js'
import { writeLent } from '../../ring/sockets/socket-write.js'
import { invalidArgType } from '../../support/errors.js'
import { callSafely, errorOfThrown, type Failure } from '../../support/thrown.js'
import { queueMicrotask, setImmediate } from '../../support/timers.js'
import type { SessionCore } from './core.js'
import type { FrameBatch } from './frame-batch.js'

/**
 * Where the sockets of this isolate read to. One for all: a session takes in what has come before its socket's read returns, so
 * that an idle connection needs no memory of its own to read into, and no read makes any. As large as Node's own reads.
 */
let chunkMemory: Uint8Array<ArrayBuffer> | undefined
const CHUNK = 65_536

/** On Windows the system writes into what a socket was given while others read: it would have to be each socket's own. */
const CAN_SHARE = process.platform !== 'win32'

/** What happens on a wired socket besides frames. */
export interface SocketEvents {
  /** What has come while the handshake is not done, before the session looks at it. */
  onHandshake?(chunk: Uint8Array): void
  /** The handshake is done. */
  onTransport(): void
  onBatch(batch: FrameBatch): void
  /** What was read has been dealt with: after the other two. */
  onRead?(): void
  /** The peer sends no more; everything before has been through `onBatch`. */
  onEnd(): void
  /** The socket is closed. `error`: what broke it, be it the session or the socket. */
  onClose(error: Error | null): void
}

/**
 * One session on one socket. Output goes out as views of the ring, without copying: they are pinned until the socket
 * has taken them, and what is encrypted meanwhile waits for the next write.
 */
export class SessionSocket {
  readonly #core: SessionCore
  readonly #socket: Socket
  readonly #loan: BorrowedSocket
  readonly #events: SocketEvents
  /** The most that the next read may bring, in bytes: at least 1. */
  quota: number
  /** Reasons not to read: reading goes on when there are none. */
  #holds = 0
  /** What comes in is thrown away. */
  #ignoring = false
  /** The sending side ends once everything has been written. */
  #ending = false
  #failure: Error | null = null
  /** The socket is closed: what becomes of it is no business of ours any more. */
  #over = false

  constructor(core: SessionCore, socket: Socket, events: SocketEvents, quota = CHUNK) {
    this.#core = core
    this.#socket = socket
    this.#loan = new BorrowedSocket(socket)
    this.#events = events
    this.quota = quota
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

  #takeOver(): void {
    const loan = this.#loan
    loan.onClosed(() => this.#closed())
    loan.on('error', (error: unknown) => {
      this.#failure ??= errorOfThrown(error)
    })
    loan.on('end', () => this.#events.onEnd())
    loan.take()
    if (!this.#readsDirectly()) this.#readData()
  }

  #closed(): void {
    this.#over = true
    this.#loan.giveBack()
    this.#core.abandon(this.#failure)
    this.#events.onClose(this.#failure)
  }

  #readData(): void {
    this.#loan.on('data', (chunk: Buffer | string) => {
      if (typeof chunk === 'string') this.destroy(invalidArgType('socket must give bytes: no setEncoding'))
      else this.#readInParts(chunk)
    })
  }

  /** For `Sv2Session.attach`: a session that answers on the socket that it reads from. */
  static attach(core: SessionCore, socket: Socket, onBatch: (batch: FrameBatch) => void): void {
    let answered = false
    const { allowHalfOpen } = socket
    const wired = new SessionSocket(core, socket, {
      onTransport: () => {},
      onBatch: (batch) => {
        answered = false
        callSafely(() => onBatch(batch))
        // Only where answers pile up: two ends that send to each other must both go on reading, or neither could drain.
        if (answered && core.over) wired.holdUntilDrained(core)
      },
      onEnd: () => {
        if (!allowHalfOpen) wired.end()
      },
      onClose: () => {},
    })
    // Frames may be sent at any time, not only in answer to others; those of one turn go out together.
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

  get core(): SessionCore {
    return this.#core
  }

  /** Reads nothing until `other`'s output has drained: what comes in must not pile up there. */
  holdUntilDrained(other: SessionCore): void {
    this.hold()
    const resume = (): void => this.resume()
    // A session that fails while others wait for it closes its own socket; here is nothing to be done about it.
    other.drained().then(resume, resume)
  }

  hold(): void {
    this.#holds++
    this.#socket.pause()
  }

  resume(): void {
    this.#holds--
    if (this.#holds === 0 && !this.#over && !this.#socket.destroyed) this.#do(() => this.#socket.resume())
  }

  /** Writes out what waits, unless a write is under way: its end goes on with it. */
  flush(): void {
    const core = this.#core
    if (core.lent || this.#over || this.#socket.destroyed) return
    if (core.available > 0) {
      writeLent(core, this.#socket, {
        onThrown: (error) => this.destroy(errorOfThrown(error)),
        onTaken: (failure) => (failure === null ? this.flush() : this.#writeFailed(failure)),
      })
    } else if (this.#ending) this.#finish()
  }

  /** Takes in nothing more. What still comes is read, for a connection closed with unread bytes loses unsent ones. */
  ignore(): void {
    this.#ignoring = true
    this.quota = CHUNK
  }

  /** Ends the connection's sending side once everything has been written. */
  end(): void {
    this.#ending = true
    this.flush()
  }

  /** Ends the sending side, unless those that waited for the output to drain have more to say. */
  #finish(): void {
    setImmediate(() => {
      if (this.#core.available === 0 && !this.#over) this.#do(() => this.#socket.end())
    })
  }

  /** Node destroys a socket only after it has told all its writes that it failed, and would tell those made meanwhile. */
  #writeFailed({ error }: Failure): void {
    setImmediate(() => {
      // A socket that breaks says itself what is wrong.
      if (!this.#over && !this.#socket.destroyed) this.destroy(errorOfThrown(error))
    })
  }

  /** What a method of the socket throws ends the connection. */
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
    // What Node has read by now comes as `data`.
    if (!CAN_SHARE || socket.readableLength > 0) return false
    chunkMemory ??= new Uint8Array(CHUNK)
    const memory = chunkMemory
    const paused = socket.readableFlowing === false
    // A method of the socket may throw: before its handle is changed, which could not be undone.
    if (paused) socket.pause()
    else socket.resume()
    const direct = this.#loan.readDirectly({
      // Asked for when the last read has been dealt with: while reading is on hold, the quota is for when it goes on.
      next: () => (this.quota < CHUNK ? memory.subarray(0, this.quota) : memory),
      filled: (count) => {
        const chunk = new Uint8Array(memory.buffer, 0, count)
        this.#read(chunk)
        // For others who listen.
        if (socket.listenerCount('data') > 0) socket.emit('data', Buffer.from(chunk))
        // `hold()` has paused the socket.
        return true
      },
    })
    // Only now that keeps a paused socket from reading.
    if (direct && paused) Socket.prototype.pause.call(socket)
    return direct
  }

  /** What Node has read may be more than the quota; what is left of it when reading is put on hold goes back. */
  #readInParts(chunk: Uint8Array): void {
    let rest = chunk
    while (rest.length > 0) {
      if (this.#holds > 0) {
        // Somebody else may have resumed it, and what goes back would come again and again.
        this.#socket.pause()
        this.#socket.unshift(rest)
        return
      }
      const part = rest.subarray(0, this.quota)
      rest = rest.subarray(part.length)
      this.#read(part)
    }
  }

  #read(chunk: Uint8Array): void {
    const core = this.#core
    if (core.otherEnded || this.#ignoring) return
    const { state } = core
    if (state === 'handshake') this.#events.onHandshake?.(chunk)
    let batch: FrameBatch
    try {
      batch = core.receive(chunk)
    } catch (error) {
      this.destroy(error as Error)
      return
    }
    if (state === 'handshake' && core.state === 'transport') this.#events.onTransport()
    if (batch.length > 0) this.#events.onBatch(batch)
    this.flush()
    if (core.error !== null) this.destroy(core.error)
    else this.#events.onRead?.()
  }
}
