import { acquired, released } from '../native/acquired.js'
import { reply } from '../native/call.js'
import type { Handle } from '../native/handle.js'
import { ShownMemory } from '../native/shown-memory.js'
import {
  closeSlotPool,
  createSlotPool,
  discardSlot,
  revokeSlots,
  SLOTS,
  type SlotBacklog,
  settleSlots,
  slotPoolHeap,
  slotPoolRegion,
  takeSlot,
  truncateSlot,
  writableSlot,
} from '../native/slot.js'
import { type Carrier, departSlot } from '../native/transfer.js'
import { Word } from '../native/words.js'
import { type HeapMemory, heapMemory, type SliceCount } from '../slice/heap-memory.js'
import { type OwnedMemory, Slice, sliceKey } from '../slice/slice.js'
import { bufferOf, lengthOf, MAX_BYTES, offsetOf } from '../support/arguments.js'
import { FramePoolError } from '../support/errors.js'
import type { GrowingMemory } from './growing-buffer.js'

/** The pools of this isolate. Native code does not know all of them until they are settled. */
const pools = new Set<WeakRef<SlotMemory>>()

/** Tells native code all that it does not know of any pool. */
export function settlePools(): void {
  for (const reference of pools) {
    const pool = reference.deref()
    if (pool === undefined) pools.delete(reference)
    else pool.tell()
  }
}

/** What holds a slice of a pool only until someone else wants to write there: a session's batch. */
export interface Lodger {
  release(): boolean
}

/**
 * What this isolate knows of a native slot pool, so that a message crosses once at most.
 *
 * The next bytes go right behind the last as long as they fit there, and with nothing alive they go to the start: both can
 * be known without asking. The core decides and reports (`next`, `room`, slots) where that holds; in all other cases it is asked
 * first. So views are made and slices taken without crossing, and native code is told with the next crossing what was
 * written and taken. Releases are noted in bit masks, one bit a slot, and ride along in order with that.
 *
 * Of a message that is taken with nothing else alive, and released before native code has heard of it, native code need
 * only know that it was.
 *
 * Slices with other isolates count as alive until native code says with a crossing that they are back.
 */
export class SlotMemory implements GrowingMemory, OwnedMemory, SlotBacklog, SliceCount {
  readonly handle: Handle
  readonly owner: Handle
  readonly capacity: number
  liveHeapSlices = 0
  /** Slots that hold a slice, be it of this isolate or one that has left it. */
  live = 0
  /** Those of them whose slices have left; native code says when they are back. */
  lent = 0
  /** What native code does not know yet, in this order. Slots released: */
  released = 0
  /** How many slices came and went after that, each alone, and the bytes of the last. */
  cameAndWent = 0
  lastLength = 0
  /** Bytes of the slice that was taken after that with nothing else alive; 0 if there is none. */
  alone = 0
  /** How many slices were taken after that, behind one another: the slot and place of the first, and the bytes of each. */
  taken = 0
  takenSlot = 0
  takenStart = 0
  readonly takenLengths = Array.from({ length: SLOTS }, () => 0)
  /** Slots released since these were taken or the bytes pending now were begun. */
  releasedLater = 0
  /** Where the pending bytes begin in the region. */
  start = 0
  /** The slot that they will be taken in, if native code does not know of them; 0 if they began with nothing alive. */
  #startSlot = 0
  /** Pending bytes that native code does not know of, and those that it does. At most one of them is not 0. */
  written = 0
  known = 0
  hidden = 0
  /** The batch that goes back when the pool is next received into, and its memory if that goes with it. */
  lodger: Lodger | null = null
  lodgerHeap: HeapMemory | null = null
  closed = false
  /** As long as a slice is alive, the next message goes to this slot and begins at `#next`, if it is no longer than `#room`. */
  #slot = 1
  #next = 0
  #room: number
  /** The last slot that the messages after it may have. */
  #lastSlot = SLOTS
  /** While a message with predicted bytes grows: how long it may become. */
  #limit = 0
  protected readonly region: ShownMemory
  readonly #reference = new WeakRef<SlotMemory>(this)
  /** Set while the pending bytes lie on the heap. */
  #heap: ShownMemory | null = null

  constructor(capacity: number, debug = false) {
    this.handle = createSlotPool(capacity, debug)
    this.owner = this.handle
    this.capacity = capacity
    this.#room = capacity
    this.region = new ShownMemory(() => slotPoolRegion(this.handle))
    pools.add(this.#reference)
    if (!debug) acquired(this, 'slot-pool', this.handle, freePool(this.handle))
  }

  get length(): number {
    return this.written + this.known
  }

  view(offset: number, length: number): Uint8Array {
    // A region of 0 bytes has no address that could be shown.
    return this.capacity === 0 ? new Uint8Array(0) : this.region.view(offset, length)
  }

  pending(from: number, length: number): Uint8Array {
    if (length === 0) return new Uint8Array(0)
    return this.#heap === null ? this.view(this.start + from, length) : this.#heap.view(from, length)
  }

  writable(length: number): Uint8Array {
    // A heap buffer stays with its message even when it is truncated to nothing.
    if (this.known === 0 && this.#heap === null && !this.closed) {
      const { written } = this
      if (written === 0) {
        if (this.live === 0) {
          if (length <= this.capacity) return this.#beginAnew(length)
        } else if (length <= this.#room) {
          this.#startSlot = this.#slot
          this.start = this.#next
          this.#limit = this.#room
          this.written = length
          return this.view(this.start, length)
        }
      } else if (written + length <= this.#limit && (this.live !== 0 || this.#startSlot === 0)) {
        // With nothing alive any more the pool begins anew, and bytes that it would place elsewhere now would move.
        this.written = written + length
        return this.view(this.start + written, length)
      }
    }
    return this.ask(length)
  }

  #beginAnew(length: number): Uint8Array {
    // Told of it later, native code would place these bytes behind slices that are gone by now.
    if (this.taken !== 0 && length !== 0) this.settle()
    this.#startSlot = 0
    this.start = 0
    this.#limit = this.capacity
    this.written = length
    return this.view(0, length)
  }

  take(): Slice {
    if (this.written !== 0 && !this.closed) return this.#startSlot === 0 ? this.#takeAlone() : this.#takeBehind()
    this.checkOpen()
    try {
      takeSlot(this)
    } finally {
      // Also when nothing was taken, native code had caught up by then.
      this.caughtUp()
    }
    this.known = 0
    this.hidden = 0
    const heap = this.#heap
    this.#heap = null
    const slot = reply(Word.Slot)
    const offset = reply(Word.Offset)
    const length = reply(Word.Length)
    const memory = this.claim(slot, reply(Word.Heap), reply(Word.HeapGeneration), heap)
    return new Slice(sliceKey, memory, offset, length, slot)
  }

  #takeAlone(): Slice {
    const length = this.written
    this.written = 0
    this.hidden = 0
    this.live = 1
    this.alone = length
    this.#slot = 2
    this.#lastSlot = SLOTS
    this.#next = length
    this.#room = this.capacity - length
    return new Slice(sliceKey, this, 0, length, 1)
  }

  #takeBehind(): Slice {
    const [slot, start, length] = [this.#startSlot, this.start, this.written]
    if (this.taken === 0) {
      this.takenSlot = slot
      this.takenStart = start
    }
    this.takenLengths[this.taken++] = length
    this.written = 0
    this.hidden = 0
    this.live |= 1 << (slot - 1)
    this.#slot = slot + 1
    this.#next = start + length
    this.#room = slot < this.#lastSlot ? this.#limit - length : 0
    return new Slice(sliceKey, this, start, length, slot)
  }

  /** Where a slice that a call gave lies: in this pool or, with slot 0, on the heap, where the handle of these two numbers names it. */
  claim(slot: number, index: number, generation: number, heap: ShownMemory | null): OwnedMemory {
    if (slot === 0) return heapMemory({ index, generation }, this, heap)
    this.live |= 1 << (slot - 1)
    return this
  }

  /** A session receives into the pool: of a message of which nothing is left native code forgets that it was on the heap. */
  received(): void {
    this.#heap = null
    this.caughtUp()
  }

  /** Native code has caught up with this backlog and has said where the next message would begin. */
  caughtUp(): void {
    this.#forget()
    this.#slot = reply(Word.NextSlot)
    this.#lastSlot = reply(Word.LastSlot)
    this.#next = reply(Word.Next)
    this.#room = reply(Word.Room)
  }

  release(slot: number): void {
    const bit = 1 << (slot - 1)
    this.live &= ~bit
    if (this.length !== 0 || this.taken !== 0) {
      this.releasedLater |= bit
    } else if (this.alone !== 0) {
      this.lastLength = this.alone
      this.alone = 0
      // The count is a word of the control block.
      if (++this.cameAndWent === MAX_BYTES) this.tell()
    } else {
      this.released |= bit
    }
    if (this.closed && this.live === 0) this.free()
  }

  /** Slots or mode may have changed: of interest in debug mode. */
  publish(): void {}

  depart(slot: number, carrier: Carrier): void {
    departSlot(this, slot, carrier)
    this.known += this.written
    this.caughtUp()
    const bit = 1 << (slot - 1)
    if (this.closed) {
      // It needs the pool no more than one that left before.
      this.live &= ~bit
      if (this.live === 0) this.free()
    } else {
      this.lent |= bit
    }
  }

  /** Slices that other isolates have released are counted only when native code says so. */
  collect(): void {
    if (this.lent !== 0) this.settle()
  }

  truncate(length: number): void {
    const kept = this.hidden + length
    // With nothing pending, releases count as made before the next bytes: those noted so far must be told first.
    if (kept === 0) this.settle()
    if (this.known === 0) {
      this.written = kept
    } else {
      truncateSlot(this, this.hidden, length)
      this.known = kept
    }
  }

  holds(source: Uint8Array): boolean {
    // Also with nothing in it: growing detaches what was shown.
    if (this.#heap !== null) return this.#heap.shows(bufferOf(source))
    if (this.length === 0) return false
    const { buffer, byteOffset: start, byteLength } = this.pending(0, this.length)
    const from = offsetOf(source)
    return bufferOf(source) === buffer && from < start + byteLength && start < from + lengthOf(source)
  }

  /** Tells native code all that it does not know, so that what it reports is exact. */
  settle(): void {
    this.checkOpen()
    this.tell()
  }

  /** The same also while a closed pool has slices. */
  tell(): void {
    settleSlots(this)
    this.known += this.written
    this.caughtUp()
  }

  checkOpen(): void {
    if (this.closed) throw new FramePoolError('ERR_CLOSED', 'the pool is closed')
  }

  close(): void {
    if (this.closed) return
    this.lodger?.release()
    if (this.#heap !== null) discardSlot(this.handle)
    this.#heap = null
    this.closed = true
    this.written = 0
    this.known = 0
    if (this.lent !== 0) {
      // What has arrived elsewhere keeps the memory by itself.
      revokeSlots(this.handle)
      this.live &= ~this.lent
      this.lent = 0
    }
    if (this.live === 0) this.free()
  }

  protected ask(length: number): Uint8Array {
    this.checkOpen()
    const before = this.length
    try {
      writableSlot(this, length)
    } catch (error) {
      // Native code had caught up by then: the pending bytes are there now, and nothing was added.
      this.#forget()
      this.known = before
      throw error
    }
    this.#forget()
    this.known = before + length
    const offset = reply(Word.Offset)
    if (reply(Word.Slot) === 0) {
      if (this.#heap === null || reply(Word.Moved) === 1) this.#heap = new ShownMemory(() => slotPoolHeap(this.handle))
    } else {
      this.#heap = null
      this.start = offset - before
    }
    return this.pending(before, length)
  }

  /** Native code knows it all. */
  #forget(): void {
    this.released = 0
    this.releasedLater = 0
    this.cameAndWent = 0
    this.alone = 0
    this.taken = 0
    this.written = 0
    const returned = reply(Word.Returned)
    if (returned !== 0) {
      this.live &= ~returned
      this.lent &= ~returned
    }
  }

  protected free(): void {
    pools.delete(this.#reference)
    released(this)
    closeSlotPool(this.handle)
  }
}

/** Not in the constructor, where it would keep the object that it is for. */
export function freePool(handle: Handle): () => void {
  return () => closeSlotPool(handle, true)
}
