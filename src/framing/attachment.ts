import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { types } from 'node:util'
import { BorrowedSocket } from '../ring/sockets/borrowed-socket.js'
import { LONGEST_READ, landingMemory } from '../ring/sockets/landing.js'
import { checkFlowing, checkReadable, closedError, streamArgument } from '../ring/sockets/socket-argument.js'
import { isAborted, reasonOf, whenAborted } from '../support/abort.js'
import { copyOf, functionArgument, lengthOf, optionsArgument, partOf, signalArgument } from '../support/arguments.js'
import { FramePoolError, invalidArgType } from '../support/errors.js'
import { tellRead, tellReading } from '../support/events.js'
import { isSocket } from '../support/streams.js'
import { callSafely, type Failure, isThenable } from '../support/thrown.js'
import { clearTimeout, setTimeout, type Timer } from '../support/timers.js'
import { checkIdleTimeout } from '../support/wait.js'
import { hasWriter } from './bound-writers.js'
import type { FramedBatch } from './framed-batch.js'
import { type LandingReserve, type LandingUser, reserveOf } from './landing-reserve.js'
import type { ReaderCore } from './reader-core.js'
import { StreamLoan } from './stream-loan.js'

/** Options of `FrameReader.attach()`. */
export interface AttachOptions {
  /** Destroys the socket when it aborts: the promise rejects with `signal.reason`. */
  signal?: AbortSignal
  /** Milliseconds without any bytes after which the socket is destroyed, 1 to 2^31 − 1. Default: no limit. */
  idleTimeoutMs?: number
}

/**
 * The shortest rest of a frame that is read straight into its place, in bytes. Such a read brings nothing else. A shorter rest comes together
 * with the frames behind it, and its copy costs less than one more read and batch.
 */
const DIRECT = 131_072

/** Reads that a reader has in turn while others wait for the reserve of their budget. Each turn costs all of them a pause. */
const READS_A_TURN = 4

/** Reads a socket with a reader: see `FrameReader.attach()`. */
export async function attach(
  core: ReaderCore,
  socket: Socket | Duplex,
  onBatch: (batch: FramedBatch) => unknown,
  options: AttachOptions | undefined,
): Promise<void> {
  streamArgument(socket, 'socket')
  functionArgument(onBatch, 'onBatch')
  const { signal, idleTimeoutMs } = optionsArgument(options, 'options')
  checkIdleTimeout(idleTimeoutMs)
  signalArgument(signal)
  core.checkFree()
  if (socket.destroyed) throw closedError('the socket is closed', socket.errored)
  if (socket.readableEnded) throw closedError('the receiving side of the socket has ended')
  if (isSocket(socket)) checkReadable(socket, 'socket')
  else if (socket.readableEncoding !== null) throw invalidArgType('socket must give bytes: no setEncoding')
  if (signal !== undefined && isAborted(signal)) throw reasonOf(signal)
  tellReading(core.source)
  try {
    await new Promise<void>((resolve, reject) => {
      new Attachment(core, socket, onBatch, idleTimeoutMs, { resolve, reject }).start(signal)
    })
  } catch (error) {
    tellRead(core.source, error)
    throw error
  }
  tellRead(core.source, null)
}

interface Settle {
  resolve(): void
  reject(reason: unknown): void
}

/** One reader on one stream. */
class Attachment implements LandingUser {
  readonly #core: ReaderCore
  readonly #socket: Socket | Duplex
  readonly #loan: BorrowedSocket | StreamLoan
  readonly #onBatch: (batch: FramedBatch) => unknown
  readonly #idleMs: number | undefined
  readonly #settle: Settle
  readonly #halfOpen: boolean
  /** Pays for the next read, if there is a budget. */
  readonly #reserve: LandingReserve | null
  /** Ends waits for the budget. */
  readonly #stop: AbortController | null
  /** Number of reasons not to read. */
  #holds = 0
  /** Chunks that came while reading was on hold. */
  #queue: Uint8Array[] = []
  #ended = false
  #over = false
  #failure: Failure | null = null
  #timer: Timer | null = null
  /** Reads since the last wait for the reserve. */
  #reads = 0
  /** Whether the next bytes go into the memory of the unfinished frame. */
  #direct = false
  #stopListening = (): void => {}

  constructor(
    core: ReaderCore,
    socket: Socket | Duplex,
    onBatch: (batch: FramedBatch) => unknown,
    idleMs: number | undefined,
    settle: Settle,
  ) {
    this.#core = core
    this.#socket = socket
    this.#loan = isSocket(socket) ? new BorrowedSocket(socket) : new StreamLoan(socket)
    this.#onBatch = onBatch
    this.#idleMs = idleMs
    this.#settle = settle
    this.#halfOpen = socket.allowHalfOpen
    this.#reserve = core.purse === null ? null : reserveOf(core.purse.budget)
    this.#stop = core.purse === null ? null : new AbortController()
  }

  start(signal: AbortSignal | undefined): void {
    const loan = this.#loan
    try {
      loan.onClosed(() => this.#closed())
      loan.on('error', (error: unknown) => {
        this.#failure ??= { error }
      })
      loan.on('end', () => {
        this.#ended = true
        this.#finishIfDone()
      })
      loan.borrow()
      this.#core.onDispose = () => this.#fail(new FramePoolError('ERR_CLOSED', 'the reader was disposed of'))
      this.#stopListening = whenAborted(signal, (reason) => this.#fail(reason))
      this.#startTimer()
      this.#reserve?.join(this)
      this.#read()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Begins to read. */
  #read(): void {
    const socket = this.#socket
    if (!this.#readsDirectly()) {
      try {
        checkFlowing(socket)
      } catch (error) {
        this.#refuse(error)
        return
      }
      this.#loan.on('data', (chunk: unknown) => {
        try {
          if (!types.isUint8Array(chunk))
            throw invalidArgType('socket must give bytes: no setEncoding, and no other objects')
          this.#came(chunk)
        } catch (error) {
          this.#fail(error)
        }
      })
    }
    this.#prepare()
    if (this.#holds === 0) socket.resume()
  }

  #readsDirectly(): boolean {
    const loan = this.#loan
    // Node emits what it has read by now as `data`.
    if (!(loan instanceof BorrowedSocket) || this.#socket.readableLength > 0) return false
    const memory = landingMemory()
    if (memory === null) return false
    return loan.readDirectly({
      next: () => this.#next(memory),
      filled: (count) => {
        if (this.#direct) this.#filled(count)
        else this.#came(partOf(memory, 0, count))
        return this.#holds === 0
      },
      failed: (error) => this.#fail(error),
    })
  }

  /** Returns the memory for the next bytes. While reading is on hold it is asked again before it goes on. */
  #next(memory: Uint8Array<ArrayBuffer>): Uint8Array {
    const room = this.#holds === 0 && !this.#over ? this.#core.room(DIRECT) : null
    this.#direct = room !== null
    if (room !== null) return room
    const bytes = Math.min(this.#core.longestRead, this.#payable)
    return bytes < LONGEST_READ ? partOf(memory, 0, bytes) : memory
  }

  /** Bytes that the next read may bring, at least 1. */
  get #payable(): number {
    const reserve = this.#reserve
    if (reserve === null) return Number.POSITIVE_INFINITY
    const own = Math.max(1, this.#secured)
    return reserve.ready ? Math.max(own, reserve.bytes) : own
  }

  /** Bytes that the purse has for the next reads. */
  get #secured(): number {
    const { purse, pending } = this.#core
    return purse!.bytes - pending
  }

  /** Takes a chunk that has come. */
  #came(chunk: Uint8Array): void {
    this.#timer?.refresh()
    if (this.#over || this.#failure !== null) return
    if (this.#holds > 0 || this.#queue.length > 0) {
      // Other code has resumed the socket, or it gives what it had. The landing is needed for the next read.
      this.#queue.push(copyOf(chunk))
      this.#pause()
      return
    }
    this.#take(chunk)
  }

  #take(chunk: Uint8Array): void {
    const core = this.#core
    const length = lengthOf(chunk)
    const { purse } = core
    try {
      if (purse !== null && !this.#pay(core.pending + length)) {
        // A stream that gives chunks of its own gives more than was reserved.
        this.#split(chunk, purse.limit - core.pending)
        return
      }
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#deliver(() => core.receive(chunk, Number.POSITIVE_INFINITY))
  }

  /** Makes sure that the purse has `bytes`, with the reserve if need be. Returns false if that is not enough. */
  #pay(bytes: number): boolean {
    const purse = this.#core.purse!
    if (purse.tryHave(bytes)) return true
    return this.#reserve!.pay(purse, this) && purse.tryHave(bytes)
  }

  /** Takes a chunk when the budget allows it, in parts if it is more than the budget can ever allow. */
  #split(chunk: Uint8Array, most: number): void {
    const length = lengthOf(chunk)
    const part = Math.max(1, Math.min(length, most, LONGEST_READ))
    if (part < length) this.#queue.unshift(partOf(chunk, part, length - part))
    this.#queue.unshift(copyOf(partOf(chunk, 0, part)))
    this.#waitFor(this.#core.pending + part)
  }

  #filled(count: number): void {
    this.#timer?.refresh()
    if (this.#over || this.#failure !== null) return
    this.#deliver(() => this.#core.filled(count, Number.POSITIVE_INFINITY))
  }

  /** Passes on what a call gives. */
  #deliver(receive: () => FramedBatch): void {
    this.#reads++
    let batch: FramedBatch
    try {
      batch = receive()
    } catch (error) {
      this.#fail(error)
      return
    }
    if (batch.length > 0 && !this.#give(batch)) return
    this.#prepare()
  }

  /** Calls `onBatch`. Returns false if it has thrown. */
  #give(batch: FramedBatch): boolean {
    try {
      const answer = this.#onBatch.call(undefined, batch)
      if (isThenable(answer)) {
        this.#hold()
        void this.#await(answer, batch)
      } else {
        this.#core.pass(batch)
      }
    } catch (error) {
      this.#core.pass(batch)
      this.#fail(error)
      return false
    }
    return true
  }

  /** Reads on once `answer` has settled. `await` calls no method that a promise may have of its own. */
  async #await(answer: PromiseLike<unknown>, batch: FramedBatch): Promise<void> {
    try {
      await answer
    } catch (error) {
      this.#core.pass(batch)
      this.#fail(error)
      return
    }
    this.#core.pass(batch)
    this.#release()
  }

  /** Reserves bytes for the rest of a frame, or waits for them. Fails if the stream is broken, or if the system has no memory. */
  #prepare(): void {
    if (this.#over || this.#failure !== null) return
    try {
      // That throws what broke the stream.
      if (this.#core.broken && this.#holds === 0) this.#core.receive(new Uint8Array(0), 0)
      this.#secure()
    } catch (error) {
      this.#fail(error)
    }
  }

  #secure(): void {
    const { purse } = this.#core
    if (purse === null) return
    const needed = this.#needed()
    if (!this.#pay(needed)) {
      this.#waitFor(needed)
      return
    }
    purse.shrinkTo(needed)
    const reserve = this.#reserve!
    reserve.refill()
    if (this.#secured > 0 || this.#holds > 0) return
    if (!reserve.ready || (this.#reads >= READS_A_TURN && reserve.isAwaited)) this.#waitForLanding()
  }

  /** Returns the bytes that the purse must have before the next read: all of a frame that has begun, so that it can always be finished. */
  #needed(): number {
    const { pending, awaited, delimited, max, purse } = this.#core
    const frame = awaited > 0 ? awaited : delimited && pending > 0 ? max : pending
    return Math.min(frame, purse!.limit)
  }

  /** Reads on when the reserve is there. */
  #waitForLanding(): void {
    this.#reads = 0
    this.#hold()
    this.#reserve!.wait(this)
  }

  /** Reads on: the reserve is there again. */
  landingReady(): void {
    this.#release()
  }

  /** Reads no more than the purse has. */
  landingSpent(): void {
    // The memory of an unfinished frame was paid for.
    if (this.#over || this.#direct || this.#holds > 0) return
    if (this.#secured <= 0) {
      this.#waitForLanding()
      return
    }
    this.#hold()
    this.#release()
  }

  /** Reads on when the purse has `bytes`. */
  #waitFor(bytes: number): void {
    this.#hold()
    const { purse } = this.#core
    // Others wait for what it has and does not need yet: each would wait for the other.
    purse!.shrinkTo(this.#core.pending)
    const granted = this.#reserve!.waitFor(purse!, Math.min(bytes, purse!.limit), this.#stop!.signal)
    granted.then(
      () => this.#release(),
      (error: unknown) => {
        if (!this.#over) this.#fail(error)
      },
    )
  }

  /** Reads nothing until `#release()` was called as often. */
  #hold(): void {
    this.#holds++
    callSafely(() => this.#pause())
  }

  /** Pauses the socket, unless it was destroyed: then it may be connected again. */
  #pause(): void {
    if (!this.#loan.over) this.#socket.pause()
  }

  #release(): void {
    this.#holds--
    if (this.#holds > 0 || this.#over || this.#failure !== null) return
    this.#timer?.refresh()
    const chunk = this.#queue.shift()
    if (chunk !== undefined) this.#take(chunk)
    else this.#prepare()
    // A batch that was taken may put reading on hold again.
    if (this.#holds > 0 || this.#over || this.#failure !== null) return
    if (this.#queue.length > 0) {
      this.#hold()
      this.#release()
      return
    }
    if (this.#ended) this.#finishIfDone()
    else this.#resume()
  }

  #resume(): void {
    try {
      // A stream that is not a socket still gives what it has.
      if (this.#loan instanceof BorrowedSocket) {
        if (this.#loan.over) return
        this.#loan.aim()
      }
      this.#socket.resume()
    } catch (error) {
      this.#fail(error)
    }
  }

  #startTimer(): void {
    const idleMs = this.#idleMs
    if (idleMs === undefined) return
    this.#timer = setTimeout(() => {
      // The code that deals with the frames is slow, and not the peer.
      if (this.#holds > 0) this.#startTimer()
      else this.#fail(new FramePoolError('ERR_TIMEOUT', `nothing came from the socket for ${idleMs} ms`))
    }, idleMs)
  }

  /** Resolves at the peer's end, once all batches are dealt with. */
  #finishIfDone(): void {
    if (!this.#ended || this.#over || this.#holds > 0 || this.#queue.length > 0 || this.#failure !== null) return
    this.#finish()
    this.#core.streamEnded()
    const socket = this.#socket
    if (!this.#halfOpen && !hasWriter(socket) && !this.#loan.over) callSafely(() => socket.end())
    this.#settle.resolve()
  }

  /** Ends with `error`, and destroys the socket. */
  #fail(error: unknown): void {
    if (this.#over) return
    this.#failure ??= { error }
    this.#finish()
    this.#core.streamEnded()
    callSafely(() => this.#loan.destroy())
    this.#settle.reject(error)
  }

  /** Ends with `error` before anything was read, and leaves the socket as it was. */
  #refuse(error: unknown): void {
    this.#finish()
    this.#loan.giveBack()
    this.#settle.reject(error)
  }

  /** Notes that the socket is closed. */
  #closed(): void {
    this.#core.lent = false
    callSafely(() => this.#loan.giveBack())
    // Batches that came before the end are still handed over.
    if (this.#over || (this.#ended && this.#failure === null)) return
    const cause = this.#failure?.error
    this.#finish()
    this.#core.streamEnded()
    const message = cause === undefined ? 'the socket was closed before its end' : 'the connection broke'
    this.#settle.reject(closedError(message, cause))
  }

  #finish(): void {
    this.#over = true
    this.#queue = []
    this.#core.onDispose = null
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#stopListening()
    this.#stop?.abort()
    this.#reserve?.leave(this)
    this.#core.purse?.shrinkTo(this.#core.pending)
  }
}
