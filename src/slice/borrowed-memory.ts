import type { Handle } from '../native/handle.js'
import { releaseSlice } from '../native/heap.js'
import { ShownMemory } from '../native/shown-memory.js'
import { type Carrier, departSliceHandle, foreignRegionView, forgetRegion, watchRegion } from '../native/travel.js'
import type { SliceMemory } from './slice-memory.js'

/**
 * The memory of a slot pool of another isolate, which has lent slices to this one. It is shown once for all of them. A release
 * crosses at once: the pool's isolate may need the slot.
 */
class BorrowedMemory implements SliceMemory {
  readonly #region: Handle
  readonly #shown: ShownMemory
  /** The slices that are here, by slot. A record is made with the first slice of its slot: most pools have few slots. */
  readonly #slices: { index: number; generation: number }[] = []
  #count = 0
  /** Whether the pool is gone, so that no more slices will come. */
  #closed = false

  constructor(region: Handle) {
    this.#region = region
    this.#shown = new ShownMemory(() => foreignRegionView(region))
  }

  /** Begins to wait for the end of the pool. */
  watch(): void {
    this.#closed = !watchRegion(this.#region, () => this.#close())
  }

  /** Takes in the slice in `slot`, which `slice` names. */
  add(slot: number, slice: Handle): void {
    this.#count++
    const known = this.#slices[slot]
    if (known === undefined) {
      this.#slices[slot] = { ...slice }
    } else {
      known.index = slice.index
      known.generation = slice.generation
    }
  }

  view(offset: number, length: number): Uint8Array {
    return this.#shown.view(offset, length)
  }

  release(slot: number): void {
    if (releaseSlice(this.#slices[slot]!)) this.#closed = true
    this.#remove()
  }

  depart(slot: number, carrier: Carrier): void {
    departSliceHandle(this.#slices[slot]!, carrier)
    this.#remove()
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
