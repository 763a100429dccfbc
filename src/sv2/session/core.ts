import { acquired, released } from '../../native/acquired.js'
import { lastFailure, reply } from '../../native/call.js'
import { writeOutput, writeOutputLater } from '../../native/descriptors.js'
import type { Handle } from '../../native/handle.js'
import {
  type BatchPlace,
  closeSession,
  consumeOutput,
  forgetReplacedOutput,
  forwardFrames,
  receiveIntoSlot,
  sendFrame,
  sessionError,
  sessionOutputRegion,
  sessionReport,
  shrinkSession,
} from '../../native/session.js'
import { ShownMemory } from '../../native/shown-memory.js'
import { nativeWait } from '../../native/wait.js'
import { Word } from '../../native/words.js'
import { checkFree, type RingSource } from '../../ring/source.js'
import { HeapMemory } from '../../slice/heap-memory.js'
import type { SlotMemory } from '../../slot/slot-memory.js'
import { ByteCount } from '../../support/byte-count.js'
import { FramePoolError } from '../../support/errors.js'
import { errorText } from '../../support/thrown.js'
import { now } from '../../support/timers.js'
import type { WaitOptions } from '../../support/wait.js'
import { leftOf, type Waiter, WaitQueue, waitOptions } from '../../support/wait.js'
import type { FrameBatch } from './frame-batch.js'
import { type BatchSlice, batchKey, EmptyBatch, ReceivedBatch } from './frame-batch.js'
import { forgetGrown, watchGrown } from './grown-outputs.js'

/** Counts are exact up to 2^53, and rounded to a number beyond: native code counts in 64 bits. */
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

/** As native code counts them. */
const STATES = ['handshake', 'transport', 'closed'] as const

/** What this isolate knows of a native session: its state and its output, as the last call reported them. */
export class SessionCore implements RingSource {
  readonly handle: Handle
  readonly size: number
  readonly pool: SlotMemory
  memory!: ShownMemory
  memorySize!: number
  state: (typeof STATES)[number] = 'handshake'
  /** Why the session closed by itself, or what broke its connection. */
  error: FramePoolError | null = null
  available = 0
  /** Where in the output's ring the first available byte lies. */
  offset = 0
  lent = false
  readonly #passed = new ByteCount()
  /** Which of the output's rings `memory` is. */
  #generation = 0
  readonly #smallestRing: number
  /** True while a socket or a stream takes the output: then closing leaves to it what the output holds. */
  #wired = false
  /** Set by what is wired to the session: there is output; the session was closed. */
  onOutput: (() => void) | null = null
  onClosed: (() => void) | null = null
  #over = false
  /** What the last call has said of the session besides. */
  readonly #reported = { generation: 0, ringSize: 0, state: 0 }
  #pending = 0
  /** Native code keeps rings that were replaced, since views of them are lent. */
  #replaced = false
  #closed = false
  #heapFallbacks = 0
  /** Apart from the session, which a pool's last batch does not keep. */
  readonly #retained = { batches: 0 }
  /** The last report of a session whose native part is gone. */
  #final: SessionStats | null = null
  /** What its last message had when its native part went. */
  #finalPartial = 0
  readonly #waiting = new WaitQueue()
  readonly #reading = new WaitQueue<number>()

  constructor(handle: Handle, outputSize: number, pool: SlotMemory) {
    this.handle = handle
    this.size = outputSize
    this.pool = pool
    sessionReport(handle)
    this.#read()
    this.#takeRing()
    this.#smallestRing = this.memorySize
    acquired(this, 'sv2-session', handle, freeSession(handle))
  }

  /** True when more is waiting in the output than the ring holds comfortably: stop sending, and await `drained`. */
  get over(): boolean {
    return this.#over
  }

  /** Bytes that wait in the output, in the ring and in the queue behind it. */
  get pending(): number {
    return this.#pending
  }

  /** True when the native part is gone. */
  get freed(): boolean {
    return this.#final !== null
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

  /** Only this thread could fill the output, so that there is nothing to wait for. */
  waitSync(bytes: number): number {
    if (this.available >= bytes || this.state === 'closed') return this.available
    throw new FramePoolError('ERR_TIMEOUT', 'nothing can come into the output while this thread waits')
  }

  transfer(fd: number): number | null {
    checkFree(this)
    if (this.available === 0) return this.otherEnded ? 0 : null
    writeOutput(this.handle, fd)
    return reply(Word.Blocked) === 1 ? null : this.#written()
  }

  async transferAsync(fd: number, options: WaitOptions | undefined): Promise<number> {
    const given = waitOptions(options)
    checkFree(this)
    const start = now()
    this.lent = true
    try {
      // What is lent stays, so that from here on there is something to write.
      if ((await this.wait(1, given)) === 0) return 0
      return await nativeWait(
        () => leftOf(given, start),
        (settled) => writeOutputLater(this.handle, fd, settled),
        () => this.#written(),
      )
    } finally {
      this.giveBack(0)
    }
  }

  #written(): number {
    const count = reply(Word.Length)
    this.#moveOn(count)
    return count
  }

  end(): void {
    throw outputError()
  }

  release(): boolean {
    throw outputError()
  }

  depart(): void {
    throw outputError()
  }

  receive(chunk: Uint8Array): FrameBatch {
    this.checkOpen()
    const { pool } = this
    pool.checkOpen()
    if (pool.length !== 0) throw new FramePoolError('ERR_BUSY', 'the pool holds bytes that were written and not taken')
    // The memory that the chunk lies in may be what is given back here.
    const bytes = pool.holds(chunk) || pool.lodgerHeap?.holds(chunk) ? new Uint8Array(chunk) : chunk
    pool.lodger?.release()
    receiveIntoSlot(this.handle, pool.backlog, bytes)
    // All of the reply is read before anything that may run a script, which could make other calls.
    this.#read()
    const count = reply(Word.Frames)
    const slot = reply(Word.Slot)
    const index = reply(Word.Heap)
    const generation = reply(Word.HeapGeneration)
    const offset = reply(Word.Offset)
    const table = reply(Word.Table)
    pool.received()
    const failure = lastFailure()
    if (failure !== null || count === 0) {
      this.#update(failure)
      if (failure !== null) throw failure
      return new EmptyBatch()
    }
    if (slot === 0) this.#heapFallbacks++
    const memory = pool.claim(slot, index, generation, null)
    const batch = this.#received(count, { memory, slot: memory === pool ? slot : 0, offset, table })
    this.#update(null)
    return batch
  }

  #received(count: number, slice: BatchSlice): FrameBatch {
    const { pool } = this
    const batch = new ReceivedBatch(batchKey, slice, pool, count, retaining(this.#retained))
    pool.lodger = batch
    pool.lodgerHeap = slice.memory instanceof HeapMemory ? slice.memory : null
    pool.publish()
    return batch
  }

  send(extension: number, messageType: number, payload: Uint8Array): boolean {
    this.checkOpen()
    sendFrame(this.handle, extension, messageType, payload)
    return this.#sent()
  }

  /** Re-encrypts frames of a batch into this session's output. */
  forward(place: BatchPlace, first: number, count: number): boolean {
    this.checkOpen()
    forwardFrames(this.handle, place, first, count)
    return this.#sent()
  }

  #sent(): boolean {
    const failure = lastFailure()
    this.#sync(failure)
    if (failure !== null) throw failure
    this.onOutput?.()
    return !this.#over
  }

  drained(options?: WaitOptions): Promise<void> {
    // Half the ring is free again then: waiting for less would wake senders for a few bytes at a time.
    return this.drainedTo(this.size / 2, options)
  }

  /** Resolves when no more than so many bytes wait in the output. */
  drainedTo(bytes: number, options?: WaitOptions): Promise<void> {
    return this.#waiting.join(options, (waiter) => this.#settles(waiter, this.#pending <= bytes))
  }

  established(options?: WaitOptions): Promise<void> {
    return this.#waiting.join(options, (waiter) => this.#settles(waiter, this.state === 'transport'))
  }

  /** Settles a waiter that need not wait: the session cannot go on, or what is waited for is there. */
  #settles(waiter: Waiter, done: boolean): boolean {
    const failure = this.#failure()
    if (failure !== null) waiter.reject(failure)
    else if (done) waiter.resolve()
    return failure !== null || done
  }

  stats(): SessionStats {
    if (this.#final !== null) return { ...this.#final, retainedBatches: this.#retained.batches }
    const { framesIn, framesOut, bytesIn, bytesOut, memoryBytes } = sessionReport(this.handle)
    const [heapFallbacks, retainedBatches] = [this.#heapFallbacks, this.#retained.batches]
    return { framesIn, framesOut, bytesIn, bytesOut, heapFallbacks, retainedBatches, memoryBytes }
  }

  /** Bytes that have come of a message that is not whole. */
  get partial(): number {
    return this.#final === null ? sessionReport(this.handle).partial : this.#finalPartial
  }

  /** Nothing can be sent or received any more. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.state = 'closed'
    this.#review()
    this.#freeIfDone()
    this.onClosed?.()
  }

  /** A socket or a stream takes the output from here on. */
  wire(): void {
    if (this.#wired) throw new FramePoolError('ERR_BUSY', 'a socket or a stream takes the output already')
    this.#wired = true
  }

  /** The socket is gone, so that nobody takes the output any more. `cause`: what broke it, if anything did. */
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
    consumeOutput(this.handle, length)
    this.#moveOn(length)
  }

  /** After a call that took `count` bytes out of the output. */
  #moveOn(count: number): void {
    this.#passed.add(count)
    // The size is a power of two.
    this.offset = (this.offset + count) & (this.memorySize - 1)
    this.#sync()
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

  /** Gives back the memory of an output that is empty and in nobody's use: so many bytes. */
  shrink(): number {
    if (this.lent || this.available > 0) return 0
    const before = this.memorySize
    shrinkSession(this.handle)
    this.#sync()
    return before - this.memorySize
  }

  checkOpen(): void {
    const failure = this.#failure()
    if (failure !== null) throw failure
  }

  checkUsable(): void {
    if (this.#closed) throw closedError()
  }

  #failure(): FramePoolError | null {
    return this.error ?? (this.#closed ? closedError() : null)
  }

  /** Another's call has reported of this session. */
  reported(): void {
    this.#sync()
  }

  /** Takes over what the last call reported of the session; `failure` is what that call failed with. */
  #sync(failure: Error | null = null): void {
    this.#read()
    this.#update(failure)
  }

  /** Reads the session's words before anything that may run a script. */
  #read(): void {
    this.available = reply(Word.Available)
    this.#pending = reply(Word.Pending)
    this.#over = reply(Word.Over) === 1
    this.#reported.generation = reply(Word.RingGeneration)
    this.#reported.ringSize = reply(Word.RingSize)
    this.#reported.state = reply(Word.State)
  }

  /** Acts on what was read. */
  #update(failure: Error | null): void {
    if (this.#reported.generation !== this.#generation) this.#changeRing()
    const state = STATES[this.#reported.state]!
    if (state !== this.state && !this.#closed) {
      this.state = state
      if (state === 'closed') this.error = (failure ?? sessionError(this.handle)) as FramePoolError
    }
    this.#forgetReplaced()
    this.#review()
    this.#freeIfDone()
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
    this.#generation = this.#reported.generation
    // Where a ring that takes the place of another begins with what is to be read.
    this.offset = 0
    this.memorySize = this.#reported.ringSize
    this.memory = new ShownMemory(() => sessionOutputRegion(this.handle))
  }

  #review(): void {
    this.#waiting.review()
    this.#reading.review()
  }

  /** Frees a session that is closed or failed, once its output is taken or nobody is there to take it. */
  #freeIfDone(): void {
    const ended = this.#closed || this.error !== null
    if (!ended || this.lent || this.#final !== null) return
    const abandoned = this.#closed && !this.#wired
    if (!abandoned && this.#pending > 0) return
    this.#finalPartial = this.partial
    this.#final = { ...this.stats(), memoryBytes: 0 }
    this.available = 0
    this.#pending = 0
    forgetGrown(this)
    closeSession(this.handle)
    released(this)
  }
}

function retaining(retained: { batches: number }): (change: 1 | -1) => void {
  return (change) => {
    retained.batches += change
  }
}

function freeSession(handle: Handle): () => void {
  return () => closeSession(handle, true)
}

function outputError(): FramePoolError {
  return new FramePoolError('ERR_BUSY', 'the output belongs to its session: close the session instead')
}

function closedError(): FramePoolError {
  return new FramePoolError('ERR_SV2_STATE', 'the session is closed')
}
