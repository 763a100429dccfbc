import type { Handle } from '../native/handle.js'
import { releaseSlice } from '../native/heap.js'
import { ShownMemory } from '../native/shown-memory.js'
import { type Carrier, departSliceHandle, foreignRegionView, forgetRegion, watchRegion } from '../native/travel.js'
import type { SliceMemory } from './slice-memory.js'

/**
 * The memory of a slot pool of another isolate, which has lent slices to this one. It is shown once for all of them. A release
 * crosses at once: the pool's isolate may need the slot.
 */
class BorrowedMemory extends ShownMemory implements SliceMemory {
  readonly #region: Handle
  /**
   * Index and generation of the handle of each slice that is here, slot by slot. They lie in one array, since each message may be of
   * another pool: then the objects that it needs are seldom in the cache.
   */
  readonly #handles: number[] = []
  #count = 0
  /** Whether the pool is gone, so that no more slices will come. */
  #closed = false

  constructor(region: Handle) {
    super(() => foreignRegionView(region))
    this.#region = region
  }

  /** Begins to wait for the end of the pool. */
  watch(): void {
    this.#closed = !watchRegion(this.#region, () => this.#close())
  }

  /** Takes in the slice in `slot`, which `slice` names. */
  add(slot: number, slice: Handle): void {
    const handles = this.#handles
    const at = placeOf(slot)
    // Not by `push()`, which a script may have replaced by a function that keeps the array.
    for (let next = handles.length; next < at; next++) handles[next] = 0
    handles[at] = slice.index
    handles[at + 1] = slice.generation
    this.#count++
  }

  release(slot: number): void {
    if (releaseSlice(this.#handleIn(slot))) this.#closed = true
    this.#remove()
  }

  depart(slot: number, carrier: Carrier): void {
    departSliceHandle(this.#handleIn(slot), carrier)
    this.#remove()
  }

  #handleIn(slot: number): Handle {
    const at = placeOf(slot)
    return { index: this.#handles[at]!, generation: this.#handles[at + 1]! }
  }

  #close(): void {
    // A release may have closed it before.
    if (this.#closed) return
    this.#closed = true
    this.#freeIfUnused()
  }

  #remove(): void {
    this.#count--
    this.#freeIfUnused()
  }

  #freeIfUnused(): void {
    if (!this.#closed || this.#count > 0) return
    regions[this.#region.index] = undefined
    forgetRegion(this.#region)
  }
}

/** Returns where the handle of the slice in `slot` lies among the handles. */
function placeOf(slot: number): number {
  return 2 * (slot - 1)
}

/** Memories by the index of the region's handle, of which native code has one for each pool. */
const regions: (BorrowedMemory | undefined)[] = []

/**
 * Returns the memory of a slice that has arrived in `slot` of another isolate's pool, whose memory `region` names. `slice` names
 * the slice itself. Both handles may be used again by the caller.
 */
export function borrowedMemory(region: Handle, slot: number, slice: Handle): SliceMemory {
  const known = regions[region.index]
  if (known === undefined) return newMemory(region, slot, slice)
  known.add(slot, slice)
  return known
}

function newMemory({ index, generation }: Handle, slot: number, slice: Handle): SliceMemory {
  const memory = new BorrowedMemory({ index, generation })
  regions[index] = memory
  memory.add(slot, slice)
  memory.watch()
  return memory
}
