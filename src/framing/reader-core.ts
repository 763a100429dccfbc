import { acquired, released, whenCollected } from '../native/acquired.js'
import { type Fault, failureOf } from '../native/fault.js'
import {
  announceFrame,
  createFrameReader,
  type FrameLayout,
  type FrameRoom,
  filledFrame,
  frameMemory,
  frameRoom,
  type ReaderReply,
  receiveFramed,
  releaseFrameReader,
  takeBackFrames,
} from '../native/framing.js'
import type { Handle } from '../native/handle.js'
import { type MemoryGrant, releaseReservation } from '../native/memory-budget.js'
import { ShownMemory } from '../native/shown-memory.js'
import type { BatchShape } from '../native/travel.js'
import { LONGEST_READ, SHORT_READ } from '../ring/sockets/landing.js'
import { backlogOf, type SlotMemory } from '../slot/slot-memory.js'
import { bufferOf, copyOf, lengthOf } from '../support/arguments.js'
import { FramePoolError } from '../support/errors.js'
import { type EventSource, tellBatch, tellFallback, tellIfRefused, tellRefused } from '../support/events.js'
import { type FramedBatch, makeFramedBatch, passFramedBatch, sharesMemory } from './framed-batch.js'
import type { HeaderScanner } from './header-scanner.js'
import type { Purse } from './purse.js'

/** A reader that may be dropped. It must not lead to the reader. */
interface Spare {
  closed: boolean
  readonly free: () => void
}

function freeSpare({ closed, free }: Spare): void {
  if (!closed) free()
}

/** State of a native reader in this isolate, as the last call reported it. */
export class ReaderCore {
  /** The reader, for events. */
  readonly source: EventSource
  readonly max: number
  readonly delimited: boolean
  readonly purse: Purse | null
  /** Length of the longest read of a socket, in bytes: no pool but a small one gets batches of more than about a quarter of it. */
  readonly longestRead: number
  /** Bytes held of an unfinished frame. */
  pending = 0
  /** Length of that frame in bytes, or 0 while that is unknown. */
  awaited = 0
  /** Whether the stream is broken. */
  broken = false
  closed = false
  /** Whether a socket may still write into the memory of the unfinished frame. */
  lent = false
  /** Set while the reader is attached to a socket: called when the reader is disposed of. */
  onDispose: (() => void) | null = null
  readonly #handle: Handle
  /** The reply of the last call. */
  readonly #reply: ReaderReply = {
    frames: 0,
    slot: 0,
    heapIndex: 0,
    heapGeneration: 0,
    offset: 0,
    table: 0,
    pending: 0,
    awaited: 0,
    broken: false,
  }
  readonly #room: FrameRoom = { offset: 0, length: 0, moved: false }
  readonly #poolFor: (bytes: number) => SlotMemory
  /** The pool of the last call. */
  #pool: SlotMemory
  readonly #scanner: HeaderScanner | null
  readonly #empty: BatchShape
  /** The batch that goes back with the next one. */
  #last: FramedBatch | null = null
  /** Shows the memory of the unfinished frame. */
  #memory: ShownMemory | null = null
  /** What frees the reader when it is collected after its first stream. */
  #spare: Spare | null = null

  constructor(
    layout: FrameLayout,
    /** Returns the pool for a batch of about `bytes` bytes. */
    poolFor: (bytes: number) => SlotMemory,
    purse: Purse | null,
    scanner: HeaderScanner | null,
    source: EventSource,
  ) {
    this.source = source
    const { handle, header, trailer } = createFrameReader(layout)
    this.#handle = handle
    this.#poolFor = poolFor
    this.#pool = poolFor(0)
    this.longestRead = Math.min(LONGEST_READ, Math.max(SHORT_READ, Math.floor(this.#pool.capacity / 4)))
    this.#scanner = scanner
    this.#empty = { table: 0, frames: 0, header, trailer }
    this.max = layout.max
    this.delimited = layout.delimiter !== undefined
    this.purse = purse
    acquired(this, 'frame-reader', handle, freeing(handle, purse?.held))
  }

  /**
   * Takes `chunk` in. Afterwards the purse keeps what is held and `spare` bytes more. Without a budget for the chunk nothing is taken in.
   */
  receive(chunk: Uint8Array, spare: number): FramedBatch {
    this.checkOpen()
    this.#pool.checkOpen()
    if (this.#pool.length !== 0) {
      throw new FramePoolError('ERR_BUSY', 'the pool holds bytes that were written and not taken')
    }
    const last = this.#last
    // The chunk may lie in the memory that is given back here.
    const bytes = last !== null && sharesMemory(last, bufferOf(chunk)) ? copyOf(chunk) : chunk
    this.#giveBackLast()
    const { purse } = this
    if (purse !== null && !purse.tryHave(this.pending + lengthOf(bytes))) {
      tellRefused(this.source, lengthOf(bytes))
      throw new FramePoolError('ERR_MEMORY_LIMIT', `the budget has no room for ${lengthOf(bytes)} bytes more`)
    }
    try {
      return this.#takeIn(bytes, spare)
    } catch (error) {
      purse?.shrinkTo(this.broken ? 0 : this.pending + spare)
      throw error
    }
  }

  /** Takes bytes in that the purse has. */
  #takeIn(bytes: Uint8Array, spare: number): FramedBatch {
    // Before the frames are announced: it may fail.
    const pool = this.#poolFor(this.pending + lengthOf(bytes))
    this.#pool = pool
    const scanned = this.#announce(bytes)
    // It may move.
    this.#memory = null
    const fault = receiveFramed(this.#handle, backlogOf(pool), this.purse?.reservation ?? null, bytes, this.#reply)
    pool.received()
    if (fault !== null && !this.#reply.broken) {
      if (scanned !== null) takeBackFrames(this.#handle)
      const failure = failureOf(fault)
      tellIfRefused(pool.source, lengthOf(bytes), failure)
      throw failure
    }
    scanned?.()
    return this.#taken(fault, spare)
  }

  /** Tells native code the lengths of the frames that begin in `chunk`. Returns a function that notes that the chunk was taken in. */
  #announce(chunk: Uint8Array): (() => void) | null {
    if (this.#scanner === null) return null
    const { lengths, moveOn } = this.#scanner.scan(chunk)
    // `frameLength` is code of the user.
    this.checkOpen()
    this.#pool.checkOpen()
    try {
      for (const length of lengths) announceFrame(this.#handle, length)
    } catch (error) {
      takeBackFrames(this.#handle)
      throw error
    }
    return moveOn
  }

  /** Returns the memory for the next bytes of an unfinished frame that needs at least `least` more, or null. */
  room(least: number): Uint8Array | null {
    if (this.closed || this.broken || this.awaited - this.pending < least) return null
    const room = this.#room
    frameRoom(this.#handle, least, room)
    if (room.length === 0) return null
    if (this.#memory === null || room.moved) this.#memory = new ShownMemory(() => frameMemory(this.#handle))
    const view = this.#memory.view(room.offset, room.length)
    this.lent = true
    return view
  }

  /** Takes in `count` bytes that have come into the memory that `room()` returned. */
  filled(count: number, spare: number): FramedBatch {
    this.checkOpen()
    this.#giveBackLast()
    const fault = filledFrame(this.#handle, this.purse?.reservation ?? null, count, this.#reply)
    if (fault !== null && !this.#reply.broken) throw failureOf(fault)
    return this.#taken(fault, spare)
  }

  #taken(fault: Fault | null, spare: number): FramedBatch {
    const { frames, slot, table, pending, awaited, broken } = this.#reply
    this.pending = pending
    this.awaited = awaited
    this.broken = broken
    // The memory is that of the batch, and the next frame gets its own.
    if (frames !== 0) this.#memory = null
    const batch = frames === 0 ? makeFramedBatch(null, this.#empty, false) : this.#batch()
    const { purse } = this
    if (purse !== null) {
      if (frames !== 0) purse.spent(table)
      purse.shrinkTo(this.broken ? 0 : this.pending + spare)
    }
    // Not before: making an error may run a script, which could use the reader.
    if (fault !== null) throw failureOf(fault)
    this.#last = batch
    if (frames !== 0) {
      this.#pool.publish()
      if (slot === 0) tellFallback(this.#pool.source, table)
      tellBatch(this.source, frames, table, this.pending)
    }
    return batch
  }

  #batch(): FramedBatch {
    const { frames, slot, offset, table, heapIndex, heapGeneration } = this.#reply
    const pool = this.#pool
    const memory = pool.claim(slot, heapIndex, heapGeneration, null)
    const { header, trailer } = this.#empty
    const place = { memory, slot: memory === pool ? slot : 0, offset }
    return makeFramedBatch(place, { table, frames, header, trailer }, this.purse !== null)
  }

  #giveBackLast(): void {
    const last = this.#last
    this.#last = null
    if (last !== null) passFramedBatch(last)
  }

  /** Releases the last batch unless it is retained. */
  pass(batch: FramedBatch): void {
    if (this.#last === batch) this.#last = null
    passFramedBatch(batch)
  }

  /** Throws unless the reader is open and reads no socket. */
  checkFree(): void {
    this.checkOpen()
    if (this.onDispose !== null) throw new FramePoolError('ERR_BUSY', 'the reader is attached to a socket')
  }

  /** Ends the reader, and the attachment if there is one. */
  dispose(): void {
    const { onDispose } = this
    this.close()
    onDispose?.()
  }

  checkOpen(): void {
    if (this.closed)
      throw new FramePoolError('ERR_CLOSED', 'the reader is closed, or its stream has ended within a frame')
  }

  /** Ends the reader, and gives everything back. Idempotent. */
  close(): void {
    this.#giveBackLast()
    this.pending = 0
    this.#end()
  }

  /**
   * Notes that the stream is over. A reader within a frame ends, since nothing will complete that: the memory and the budget of a frame that
   * was cut must not wait for a garbage collection. `pending` stays, and the last batch, which may be in use.
   */
  streamEnded(): void {
    if (this.pending > 0) {
      this.#end()
      return
    }
    this.purse?.shrinkTo(0)
    if (this.#spare !== null) return
    // The reader has served its stream and holds nothing, so that dropping it is no leak, as debug mode would say. It may read another.
    this.#spare = { closed: false, free: freeing(this.#handle, this.purse?.held) }
    released(this)
    whenCollected(this, this.#spare, freeSpare)
  }

  #end(): void {
    if (this.closed) return
    this.closed = true
    if (this.#spare !== null) this.#spare.closed = true
    this.purse?.release()
    released(this)
    // A socket may write into the memory once more: then its view keeps it.
    releaseFrameReader(this.#handle, this.lent)
  }
}

/** Makes the callback that frees a collected reader. A closure of the constructor would lead to the reader, and keep it. */
function freeing(handle: Handle, held: MemoryGrant | undefined): () => void {
  return () => {
    if (held?.reservation) releaseReservation(held.reservation)
    releaseFrameReader(handle, true)
  }
}
