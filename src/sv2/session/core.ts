import { acquired, released } from '../../native/acquired.js'
import type { Handle } from '../../native/handle.js'
import type { ReceivedFrames } from '../../native/received.js'
import { writeOutput, writeOutputLater } from '../../native/ring-io.js'
import {
  abandonSession,
  askSession,
  closeSession,
  consumeOutput,
  forgetReplacedOutput,
  forwardFrames,
  PHASES,
  Phase,
  type ReceivedPlace,
  receiveFrames,
  type SessionPhase,
  type SessionState,
  sendFrame,
  sessionError,
  sessionOutputRegion,
  sessionReport,
  shrinkSession,
} from '../../native/session.js'
import { ShownMemory } from '../../native/shown-memory.js'
import { checkFree, type RingSource } from '../../ring/source.js'
import { backlogOf, type SlotMemory } from '../../slot/slot-memory.js'
import { ByteCount } from '../../support/byte-count.js'
import { FramePoolError } from '../../support/errors.js'
import { errorText } from '../../support/thrown.js'
import { now } from '../../support/timers.js'
import type { WaitOptions } from '../../support/wait.js'
import { leftOf, type Waiter, WaitQueue, waitOptions } from '../../support/wait.js'
import { emptyBatch, type FrameBatch, makeBatch, type Receiver } from './frame-batch.js'
import { forgetGrown, watchGrown } from './grown-outputs.js'

/** Figures of a session: see `Sv2Session.stats()`. Counts are exact up to 2^53, and rounded beyond: native code counts in 64 bits. */
export interface SessionStats {
  /** Frames received. */
  framesIn: number
  /** Frames sent or forwarded into this session. */
  framesOut: number
  /** Wire bytes received, the handshake included. */
  bytesIn: number
  /** Wire bytes written to the output, the handshake included. */
  bytesOut: number
  /** Batches that found no room in the pool. */
  heapFallbacks: number
  /** Batches retained and not yet released. */
  retainedBatches: number
  /** Native memory that the session holds, in bytes: output, partial frame, scratch. */
  memoryBytes: number
}

/** State and output of a native session in this isolate, as the last call reported them. */
export class SessionCore implements RingSource {
  readonly handle: Handle
  readonly size: number
  readonly pool: SlotMemory
  /** Where the frames lie that the last call has received. */
  readonly #place: ReceivedFrames = { frames: 0, slot: 0, heapIndex: 0, heapGeneration: 0, offset: 0, table: 0 }
  /** Written by the calls to native code. `update()` then acts on it. */
  readonly reported: SessionState = {
    phase: Phase.Handshake,
    available: 0,
    pending: 0,
    over: false,
    ring: -1,
    ringSize: 0,
  }
  memory!: ShownMemory
  memorySize!: number
  state: SessionPhase = 'handshake'
  /** Phase that native code reported last. */
  #phase = Phase.Handshake
  /** Error for which the session closed by itself, or that broke its connection. */
  error: FramePoolError | null = null
  /** Offset of the first available byte in the output's ring. */
  offset = 0
  lent = false
  readonly #passed = new ByteCount()
  /** Number of the ring that `memory` shows. */
  #ring = 0
  readonly #smallestRing: number
  /** Whether a socket or a stream drains the output. Closing then leaves the bytes of the output to it. */
  #wired = false
  /** Set by the socket that is wired to the session: called when there is output. */
  onOutput: (() => void) | null = null
  /** Set by the socket that is wired to the session: called when the session was closed. */
  onClosed: (() => void) | null = null
  /** Whether native code keeps rings that were replaced, since views of them are lent. */
  #replaced = false
  #closed = false
  /** What ended the session that this one is piped with, and so this one. */
  #cause: FramePoolError | null = null
  #heapFallbacks = 0
  /** An object of its own: a pool keeps a session's last batch, which must not keep the session. */
  readonly receiver: Receiver = { batches: 0 }
  /** The last report of a session whose native part is gone. */
  #final: SessionStats | null = null
  readonly #waiting = new WaitQueue()
  readonly #reading = new WaitQueue<number>()
  readonly #closing = new WaitQueue<FramePoolError | null>()
  #closedPromise: Promise<FramePoolError | null> | null = null
  /** Deals with the frames of an attached socket. Null while nothing does: then the socket is not read. */
  onBatch: ((batch: FrameBatch) => unknown) | null = null
  /** Set by the socket that is wired to the session: called when there is an `onBatch`. */
  onHandler: (() => void) | null = null

  constructor(handle: Handle, outputSize: number, pool: SlotMemory) {
    this.handle = handle
    this.size = outputSize
    this.pool = pool
    askSession(handle, this.reported)
    this.#takeRing()
    this.#smallestRing = this.memorySize
    acquired(this, 'sv2-session', handle, abandonSession)
  }

  /** Bytes in the output's ring. */
  get available(): number {
    return this.reported.available
  }

  /** Whether more waits in the output than the ring holds comfortably: stop sending, and await `drained()`. */
  get over(): boolean {
    return this.reported.over
  }

  /** Bytes that wait in the output, in the ring and in the queue behind it. */
  get pending(): number {
    return this.reported.pending
  }

  /** Whether the native part is gone. */
  get freed(): boolean {
    return this.#final !== null
  }

  get owned(): null {
    return null
  }

  get otherEnded(): boolean {
    return this.state === 'closed'
  }

  get position(): bigint {
    return this.#passed.value
  }

  atLeast(): number {
    return this.available
  }

  wait(bytes: number, options: WaitOptions | undefined): Promise<number> {
    return this.#reading.join(options, (waiter) => {
      const settled = this.available >= bytes || this.state === 'closed'
      if (settled) waiter.resolve(this.available)
      return settled
    })
  }

  /** Returns the available bytes, or throws `ERR_TIMEOUT`. It never blocks, since only this thread could fill the output. */
  waitSync(bytes: number): number {
    if (this.available >= bytes || this.state === 'closed') return this.available
    throw new FramePoolError('ERR_TIMEOUT', 'nothing can come into the output while this thread waits')
  }

  transfer(fd: number): number | null {
    checkFree(this)
    if (this.available === 0) return this.otherEnded ? 0 : null
    const written = writeOutput(this.handle, fd, this.reported)
    return written === null ? null : this.#moveOn(written)
  }

  async transferAsync(fd: number, options: WaitOptions | undefined): Promise<number> {
    const given = waitOptions(options)
    checkFree(this)
    const start = now()
    this.lent = true
    try {
      // The output is lent, so what is available stays: from here on there is something to write.
      if ((await this.wait(1, given)) === 0) return 0
      return await writeOutputLater(
        this.handle,
        fd,
        () => leftOf(given, start),
        this.reported,
        (written) => this.#moveOn(written),
      )
    } finally {
      this.giveBack(0)
    }
  }

  receive(chunk: Uint8Array): FrameBatch {
    this.checkOpen()
    const { pool } = this
    pool.checkOpen()
    if (pool.length !== 0) throw new FramePoolError('ERR_BUSY', 'the pool holds bytes that were written and not taken')
    const bytes = pool.evict(chunk)
    const place = this.#place
    const failure = receiveFrames(this.handle, backlogOf(pool), bytes, this.reported, place)
    pool.received()
    if (failure !== null || place.frames === 0) {
      this.update(failure)
      if (failure !== null) throw failure
      return emptyBatch()
    }
    const { frames, slot, heapIndex, heapGeneration, offset, table } = place
    if (slot === 0) this.#heapFallbacks++
    const memory = pool.claim(slot, heapIndex, heapGeneration, null)
    const slice = { memory, slot: memory === pool ? slot : 0, offset, table }
    const batch = makeBatch(slice, pool, frames, this.receiver)
    pool.lodge(batch, memory)
    this.update(null)
    return batch
  }

  /** Encrypts a frame into the output. Returns false if that is over its high-water mark then. */
  send(extension: number, messageType: number, payload: Uint8Array): boolean {
    this.checkOpen()
    return this.#sent(sendFrame(this.handle, extension, messageType, payload, this.reported))
  }

  /** Re-encrypts frames of a batch into the output. Returns false if that is over its high-water mark then. */
  forward(place: ReceivedPlace, first: number, count: number): boolean {
    this.checkOpen()
    return this.#sent(forwardFrames(this.handle, place, first, count, this.reported))
  }

  #sent(failure: Error | null): boolean {
    this.update(failure)
    if (failure !== null) throw failure
    this.onOutput?.()
    return !this.over
  }

  drained(options?: WaitOptions): Promise<void> {
    // To half the ring: a wait for less would wake senders for a few bytes at a time.
    return this.#waiting.join(options, (waiter) => this.#settles(waiter, this.pending <= this.size / 2))
  }

  established(options?: WaitOptions): Promise<void> {
    return this.#waiting.join(options, (waiter) => this.#settles(waiter, this.state === 'transport'))
  }

  /** Resolves when the session is closed, with the error for which it closed by itself. */
  get closed(): Promise<FramePoolError | null> {
    this.#closedPromise ??= this.#closing.join(undefined, (waiter) => {
      if (this.state !== 'closed') return false
      waiter.resolve(this.error)
      return true
    })
    return this.#closedPromise
  }

  /** Settles a waiter that need not wait: the session cannot go on, or what it waits for is there. Returns whether it did. */
  #settles(waiter: Waiter, done: boolean): boolean {
    const failure = this.#failure()
    if (failure !== null) waiter.reject(failure)
    else if (done) waiter.resolve()
    return failure !== null || done
  }

  stats(): SessionStats {
    if (this.#final !== null) return { ...this.#final, retainedBatches: this.receiver.batches }
    const { framesIn, framesOut, bytesIn, bytesOut, memoryBytes } = sessionReport(this.handle)
    const [heapFallbacks, retainedBatches] = [this.#heapFallbacks, this.receiver.batches]
    return { framesIn, framesOut, bytesIn, bytesOut, heapFallbacks, retainedBatches, memoryBytes }
  }

  /** Closes the session: nothing can be sent or received any more. `cause` is what ended the session that it is piped with. Idempotent. */
  close(cause: FramePoolError | null = null): void {
    if (this.#closed) return
    this.#closed = true
    this.#cause = cause
    this.state = 'closed'
    this.#review()
    this.#freeIfDone()
    this.onClosed?.()
  }

  /** Leaves the output to a socket or a stream. Throws `ERR_BUSY` if one has it already. */
  wire(): void {
    if (this.#wired) throw new FramePoolError('ERR_BUSY', 'a socket or a stream takes the output already')
    this.#wired = true
  }

  /** Closes the session whose socket is gone. `cause` is what broke the socket, if anything did. */
  abandon(cause: Error | null): void {
    this.#wired = false
    if (cause !== null && this.error === null && !this.#closed) {
      this.error = new FramePoolError('ERR_SV2_STATE', `the connection broke: ${errorText(cause)}`, { cause })
    }
    this.close()
    this.#freeIfDone()
  }

  giveBack(length: number): void {
    this.lent = false
    this.#forgetReplaced()
    if (length > 0 && (this.#wired || !this.#closed)) this.advance(length)
    else this.#freeIfDone()
  }

  advance(length: number): void {
    consumeOutput(this.handle, length, this.reported)
    this.#moveOn(length)
  }

  /** Moves on after a call that took `count` bytes out of the output. Returns `count`. */
  #moveOn(count: number): number {
    this.#passed.add(count)
    // The size is a power of two.
    this.offset = (this.offset + count) & (this.memorySize - 1)
    this.update()
    return count
  }

  takeOver(): void {
    checkFree(this)
    this.wire()
    this.lent = true
  }

  giveUp(): void {
    this.#wired = false
    this.giveBack(0)
  }

  /** Gives back the memory of an output that is empty and not in use. Returns the number of bytes. */
  shrink(): number {
    if (this.lent || this.available > 0) return 0
    const before = this.memorySize
    shrinkSession(this.handle, this.reported)
    this.update()
    return before - this.memorySize
  }

  /** Throws what the session failed with, or `ERR_SV2_STATE` if it is closed. */
  checkOpen(): void {
    const failure = this.#failure()
    if (failure !== null) throw failure
  }

  checkUsable(): void {
    if (this.#closed) throw closedError(this.#cause)
  }

  #failure(): FramePoolError | null {
    return this.error ?? (this.#closed ? closedError(this.#cause) : null)
  }

  /** Acts on what a call has reported. `failure` is what that call failed with. */
  update(failure: Error | null = null): void {
    const { ring, phase } = this.reported
    if (ring !== this.#ring) this.#changeRing()
    if (phase !== this.#phase) this.#changePhase(phase, failure)
    if (this.#replaced) this.#forgetReplaced()
    this.#review()
    if (this.#closed || this.error !== null) this.#freeIfDone()
  }

  #changePhase(phase: Phase, failure: Error | null): void {
    this.#phase = phase
    if (this.#closed) return
    this.state = PHASES[phase]
    if (this.state === 'closed') this.error = (failure ?? sessionError(this.handle)) as FramePoolError
  }

  #changeRing(): void {
    // Views that are lent stay right: they show what the new ring holds, too.
    this.#replaced = true
    this.#takeRing()
    if (this.memorySize > this.#smallestRing) watchGrown(this)
    else forgetGrown(this)
  }

  #forgetReplaced(): void {
    if (!this.#replaced || this.lent || this.#final !== null) return
    this.#replaced = false
    forgetReplacedOutput(this.handle)
  }

  #takeRing(): void {
    this.#ring = this.reported.ring
    // A ring that replaces another begins with what is to be read.
    this.offset = 0
    this.memorySize = this.reported.ringSize
    this.memory = new ShownMemory(() => sessionOutputRegion(this.handle))
  }

  #review(): void {
    this.#waiting.review()
    this.#reading.review()
    this.#closing.review()
  }

  /** Frees a session that is closed or failed, once its output is drained or nothing is there to drain it. */
  #freeIfDone(): void {
    const ended = this.#closed || this.error !== null
    if (!ended || this.lent || this.#final !== null) return
    const abandoned = this.#closed && !this.#wired
    if (!abandoned && this.pending > 0) return
    this.#final = { ...this.stats(), memoryBytes: 0 }
    this.reported.available = 0
    this.reported.pending = 0
    forgetGrown(this)
    closeSession(this.handle)
    released(this)
  }
}

function closedError(cause: FramePoolError | null): FramePoolError {
  if (cause === null) return new FramePoolError('ERR_SV2_STATE', 'the session is closed')
  return new FramePoolError(
    'ERR_SV2_STATE',
    `the session was closed with the one it is piped with: ${errorText(cause)}`,
    { cause },
  )
}
