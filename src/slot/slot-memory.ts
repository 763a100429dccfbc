import { acquired, released } from '../native/acquired.js'
import type { Handle } from '../native/handle.js'
import { ShownMemory } from '../native/shown-memory.js'
import {
  abandonSlotPool,
  closeSlotPool,
  createSlotPool,
  discardSlot,
  findSlot,
  revokeSlots,
  type SlicePlace,
  type SlotPoolSettings,
  slotPoolHeap,
  slotPoolRegion,
  takeSlot,
  truncateSlot,
  type WritablePlace,
  writableSlot,
} from '../native/slot.js'
import { type Carrier, departSlot } from '../native/travel.js'
import { type HeapMemory, heapMemory } from '../slice/heap-memory.js'
import { RegionViews } from '../slice/region-views.js'
import { makeSlice, type Slice } from '../slice/slice.js'
import type { OwnedMemory, SliceCount } from '../slice/slice-memory.js'
import { bufferOf, copyOf, lengthOf, offsetOf } from '../support/arguments.js'
import { FramePoolError } from '../support/errors.js'
import { eventSource, tellClosed, tellCreated, tellFallback, tellIfRefused } from '../support/events.js'
import { Backlog } from './backlog.js'
import type { GrowingMemory } from './growing-buffer.js'

/** Pools of this isolate, of which native code does not know everything until they are settled. */
const pools = new Set<WeakRef<SlotMemory>>()

/** Tells native code everything that it has not been told of any pool. */
export function settlePools(): void {
  for (const reference of pools) {
    const pool = reference.deref()
    if (pool === undefined) pools.delete(reference)
    else pool.tell()
  }
}

// Opens the private part of the class to this file alone.
let backlogIn: (pool: SlotMemory) => Backlog

/** Returns the backlog of a pool, for a call that catches up with it. */
export function backlogOf(pool: SlotMemory): Backlog {
  return backlogIn(pool)
}

/** Holder of a slice of a pool until the next `receive()` into that pool: the last batch of a session. */
export interface Lodger {
  release(): boolean
}

/**
 * State of a native slot pool in this isolate, which keeps crossings to at most one for each message.
 *
 * Only the core decides where messages go. While the next place can be predicted, it lies in the `Backlog`; otherwise the core is asked
 * first. Slices in other isolates count as alive until a crossing reports that they are back.
 */
export class SlotMemory implements GrowingMemory, OwnedMemory {
  readonly owner: Handle
  readonly capacity: number
  /** The pool, for events. */
  readonly source = eventSource('slot-pool')
  /** Changes that the next crossing reports to native code. */
  readonly #backlog: Backlog
  /** Counts the slices on the heap. */
  protected readonly heapSlices: SliceCount = { alive: 0 }
  #closed = false
  /** The batch to be released when the pool is next received into. */
  #lodger: Lodger | null = null
  /** Memory of that batch if it lies on the heap. */
  #lodgerHeap: HeapMemory | null = null
  /** Slots that hold a slice, here or in another isolate, one bit a slot. */
  #live = 0
  /** Slots whose slices have left this isolate. */
  #lent = 0
  /** Pending bytes that native code knows of. 0 while the backlog has some that it does not. */
  #known = 0
  readonly #region: RegionViews
  /**
   * Whether slices are read here. Then views are worth keeping. Otherwise they cost: a pool that has lived for long and holds a new
   * view is work for the garbage collector.
   */
  #isRead = false
  /**
   * The first view of the message that the backlog holds, and its length, if slices are read: most messages are written through one
   * view.
   */
  #begun: Uint8Array | null = null
  #begunLength = 0
  /** Shows the pending bytes while they lie on the heap. */
  #heap: ShownMemory | null = null
  readonly #reference = new WeakRef<SlotMemory>(this)

  /** Makes a pool of `capacity` bytes. With `debug` each of its slices has its own memory. */
  constructor(capacity: number, settings: SlotPoolSettings) {
    const handle = createSlotPool(capacity, settings)
    this.owner = handle
    this.capacity = capacity
    this.#backlog = new Backlog(handle, capacity, settings.slots)
    this.#region = new RegionViews(() => slotPoolRegion(handle))
    pools.add(this.#reference)
    if (!settings.debug) acquired(this, 'slot-pool', handle, abandonSlotPool)
    tellCreated(this.source, capacity)
  }

  static {
    backlogIn = (pool) => pool.#backlog
  }

  get length(): number {
    return this.#backlog.written + this.#known
  }

  /** Whether the pool was closed. */
  get closed(): boolean {
    return this.#closed
  }

  /** Whether no slice of the pool is alive. Crosses if slices have left this isolate, because they may be back. */
  get isDroppable(): boolean {
    if (this.#lent !== 0) this.settle()
    return this.#live === 0 && this.heapSlices.alive === 0
  }

  /** Returns whether a message of `length` bytes has a place at the start of the region, or behind the last slice. */
  hasRoom(length: number): boolean {
    return this.length === 0 && length <= (this.#live === 0 ? this.capacity : this.#backlog.room)
  }

  /** Number of slices that are alive, in slots and on the heap. */
  get liveSlices(): number {
    let count = this.heapSlices.alive
    for (let mask = this.#live; mask !== 0; mask &= mask - 1) count++
    return count
  }

  view(offset: number, length: number, slot: number): Uint8Array {
    // A region of 0 bytes has no address that could be shown.
    if (this.capacity === 0) return new Uint8Array(0)
    if (slot === 0) return this.#region.view(offset, length)
    this.#isRead = true
    return this.#region.usualView(offset, length)
  }

  pending(from: number, length: number): Uint8Array {
    if (length === 0) return new Uint8Array(0)
    return this.#heap === null ? this.view(this.#backlog.start + from, length, 0) : this.#heap.view(from, length)
  }

  writable(length: number): Uint8Array {
    const backlog = this.#backlog
    // Most messages begin with nothing alive. What they need is kept short, and rarer cases apart, so that V8 can inline it into its callers.
    if (
      this.#live === 0 &&
      backlog.written === 0 &&
      this.#known === 0 &&
      // A heap buffer stays with its message even when that is truncated to nothing.
      this.#heap === null &&
      !this.#closed &&
      length <= this.capacity
    ) {
      return this.#beginAlone(backlog, length)
    }
    return this.#writableBeside(backlog, length)
  }

  /** Returns `length` more bytes in all other cases. */
  #writableBeside(backlog: Backlog, length: number): Uint8Array {
    if (this.#known !== 0 || this.#heap !== null || this.#closed) return this.ask(length)
    const { written } = backlog
    if (written === 0) {
      return this.#live !== 0 && length <= backlog.room
        ? this.#beginBehind(backlog, length)
        : this.#find(backlog, length)
    }
    // This does not hold if the slices before these bytes are gone: the pool then starts again, and places the bytes elsewhere.
    if (!backlog.fits(written + length) || (this.#live === 0 && backlog.startSlot !== 0)) return this.ask(length)
    const view = this.view(backlog.start + written, length, 0)
    backlog.written = written + length
    return view
  }

  #beginAlone(backlog: Backlog, length: number): Uint8Array {
    // Native code would place these bytes behind the slices that were taken, which are gone by now.
    if (backlog.takenCount !== 0 && length !== 0) this.settle()
    const view = this.#begin(0, length)
    backlog.beginAlone(length)
    return view
  }

  #beginBehind(backlog: Backlog, length: number): Uint8Array {
    const view = this.#begin(backlog.next, length)
    backlog.beginBehind(length)
    return view
  }

  /** Asks native code where a message goes that begins with `length` bytes. */
  #find(backlog: Backlog, length: number): Uint8Array {
    let inRegion: boolean
    try {
      inRegion = findSlot(backlog, length)
    } catch (error) {
      this.#caughtUp()
      tellIfRefused(this.source, length, error)
      throw error
    }
    this.#caughtUp()
    if (inRegion) return this.#live === 0 ? this.#beginAlone(backlog, length) : this.#beginBehind(backlog, length)
    return this.#grown(0, length, new ShownMemory(() => slotPoolHeap(this.owner)))
  }

  /**
   * Shows and counts `length` bytes that native code has made writable behind the first `before`. `heap` shows the message if it lies on
   * the heap. Bytes that cannot be shown are given back.
   */
  #grown(before: number, length: number, heap: ShownMemory | null): Uint8Array {
    const isNew = before === 0 && this.#heap === null
    this.#heap = heap
    try {
      const view = this.pending(before, length)
      this.#known = before + length
      return view
    } catch (error) {
      if (isNew) this.#discard()
      else truncateSlot(this.owner, 0, before)
      throw error
    }
  }

  /** Drops the message that native code knows of. */
  #discard(): void {
    discardSlot(this.owner)
    this.#heap = null
    this.#known = 0
  }

  #begin(offset: number, length: number): Uint8Array {
    if (!this.#isRead || length === 0) return this.view(offset, length, 0)
    const view = this.#region.usualView(offset, length)
    this.#begun = view
    this.#begunLength = length
    return view
  }

  take(): Slice {
    const backlog = this.#backlog
    // A closed pool has nothing written.
    return backlog.written !== 0 && backlog.startSlot === 0 ? this.#takeAlone(backlog) : this.#takeBeside(backlog)
  }

  /** Takes a message that was begun while other slices were alive, or of which native code knows. */
  #takeBeside(backlog: Backlog): Slice {
    if (backlog.written !== 0) return this.#takeBehind(backlog)
    this.checkOpen()
    let place: SlicePlace
    try {
      place = takeSlot(backlog)
    } finally {
      this.#caughtUp()
    }
    this.#known = 0
    const heap = this.#heap
    this.#heap = null
    const { slot, offset, length, heapIndex, heapGeneration } = place
    const slice = makeSlice(this.claim(slot, heapIndex, heapGeneration, heap), offset, length, slot, null)
    if (slot === 0 && length > 0) tellFallback(this.source, length)
    return slice
  }

  #takeAlone(backlog: Backlog): Slice {
    const length = backlog.takeAlone()
    this.#live = 1
    return makeSlice(this, 0, length, 1, length === this.#begunLength ? this.#begun : null)
  }

  #takeBehind(backlog: Backlog): Slice {
    const { start, written } = backlog
    const slot = backlog.takeBehind()
    this.#live |= 1 << (slot - 1)
    return makeSlice(this, start, written, slot, written === this.#begunLength ? this.#begun : null)
  }

  /**
   * Returns the memory of a slice that a call gave: this pool's, or with slot 0 that of the heap slice which `index` and `generation`
   * name. `heap` shows that memory already.
   */
  claim(slot: number, index: number, generation: number, heap: ShownMemory | null): OwnedMemory {
    if (slot === 0) return heapMemory({ index, generation }, this.heapSlices, heap)
    this.#live |= 1 << (slot - 1)
    return this
  }

  /** Gives the last batch back, since its place is needed. Returns `chunk`, or a copy if it lies in memory that goes back. */
  evict(chunk: Uint8Array): Uint8Array {
    const bytes = this.holds(chunk) || this.#lodgerHeap?.holds(chunk) ? copyOf(chunk) : chunk
    this.#lodger?.release()
    return bytes
  }

  /** Takes a batch in, until the pool is next received into. `memory` is where it lies. */
  lodge(batch: Lodger, memory: OwnedMemory): void {
    this.#lodger = batch
    this.#lodgerHeap = memory === this ? null : (memory as HeapMemory)
    this.publish()
  }

  /** Forgets `batch` if it is the one that was lodged, because it was released or is kept. */
  moveOut(batch: Lodger): void {
    if (this.#lodger !== batch) return
    this.#lodger = null
    this.#lodgerHeap = null
  }

  /** Takes over what a session's call reports of the pool that it has received into. */
  received(): void {
    // Native code forgets the heap buffer of a message of which nothing is left.
    this.#heap = null
    this.#caughtUp()
  }

  release(slot: number): void {
    const bit = 1 << (slot - 1)
    this.#live &= ~bit
    if (!this.#backlog.release(bit, this.#known)) this.tell()
    if (this.#closed && this.#live === 0) this.free()
  }

  /** Releases a slot, and tells native code at once: somebody may wait for what the slice costs a budget. */
  releaseNow(slot: number): void {
    this.release(slot)
    if (!this.closed || this.#live !== 0) this.tell()
  }

  /** Tells that slots or the mode may have changed. Of interest in debug mode alone. */
  publish(): void {}

  depart(slot: number, carrier: Carrier): void {
    departSlot(this.#backlog, slot, carrier)
    this.#caughtUp()
    const bit = 1 << (slot - 1)
    if (this.#closed) {
      // The slice keeps the memory alive by itself, like slices that left earlier.
      this.#live &= ~bit
      if (this.#live === 0) this.free()
    } else {
      this.#lent |= bit
    }
  }

  truncate(hidden: number, length: number): void {
    const kept = hidden + length
    // With nothing pending, releases count as made before the next bytes. Those noted so far came after them.
    if (kept === 0) this.settle()
    if (this.#known === 0) {
      this.#backlog.written = kept
    } else {
      truncateSlot(this.owner, hidden, length)
      this.#known = kept
    }
  }

  holds(source: Uint8Array): boolean {
    // A heap buffer that grows hides what was shown of it, even if nothing is in it.
    if (this.#heap !== null) return this.#heap.shows(bufferOf(source))
    if (this.length === 0) return false
    const pending = this.pending(0, this.length)
    const [start, from] = [offsetOf(pending), offsetOf(source)]
    return bufferOf(source) === bufferOf(pending) && from < start + this.length && start < from + lengthOf(source)
  }

  /** Tells native code everything, so that what it reports is exact. Throws `ERR_CLOSED` once the pool is closed. */
  settle(): void {
    this.checkOpen()
    this.tell()
  }

  /** Tells native code everything. A closed pool can do so while it has slices. */
  tell(): void {
    this.#known += this.#backlog.settle()
    this.#takeBack()
  }

  checkOpen(): void {
    if (this.#closed) throw new FramePoolError('ERR_CLOSED', 'the pool is closed')
  }

  /** Closes the pool, and frees its memory unless slices are alive: then the last release does. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#lodger?.release()
    // In debug mode a subscriber hears of that, and may have closed the pool.
    if (this.#closed) return
    if (this.#heap !== null) this.#discard()
    this.#closed = true
    this.#backlog.written = 0
    this.#known = 0
    if (this.#lent !== 0) {
      // Slices that have arrived elsewhere keep the memory by themselves.
      revokeSlots(this.owner)
      this.#live &= ~this.#lent
      this.#lent = 0
    }
    if (this.#live === 0) this.free()
    tellClosed(this.source)
  }

  /** Asks native code for `length` more bytes. */
  protected ask(length: number): Uint8Array {
    this.checkOpen()
    const before = this.length
    let place: WritablePlace
    try {
      place = writableSlot(this.#backlog, length)
    } catch (error) {
      // Native code knows of the pending bytes all the same, and nothing was added.
      this.#caughtUp()
      tellIfRefused(this.source, length, error)
      throw error
    }
    this.#caughtUp()
    if (!place.onHeap) {
      this.#backlog.start = place.offset - before
      return this.#grown(before, length, null)
    }
    const known = place.moved ? null : this.#heap
    return this.#grown(before, length, known ?? new ShownMemory(() => slotPoolHeap(this.owner)))
  }

  /** Notes that native code has caught up with the backlog. */
  #caughtUp(): void {
    this.#known += this.#backlog.clear()
    this.#takeBack()
  }

  /** Frees the slots whose slices other isolates have given back. */
  #takeBack(): void {
    const { returned } = this.#backlog
    if (returned !== 0) {
      this.#live &= ~returned
      this.#lent &= ~returned
    }
  }

  /** Gives the memory back: the pool is closed, and no slice is alive. */
  protected free(): void {
    pools.delete(this.#reference)
    released(this)
    closeSlotPool(this.owner)
  }
}
