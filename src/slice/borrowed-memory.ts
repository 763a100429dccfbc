import { reply } from '../native/call.js'
import { releaseHeapSlice, replyHeapHandleInto } from '../native/heap.js'
import { ShownMemory } from '../native/shown-memory.js'
import { SLOTS } from '../native/slot.js'
import { type Carrier, depart, foreignRegionView, forgetRegion, replyRegion, watchRegion } from '../native/transfer.js'
import { Kind, Word } from '../native/words.js'
import type { SliceMemory } from './slice.js'

/**
 * The memory of a slot pool of another isolate, which has lent slices to this one: shown once for all of them. The release of a
 * slice crosses at once: the pool's isolate waits for the slot.
 */
export class ForeignMemory implements SliceMemory {
  readonly #handle = replyRegion()
  readonly #shown = new ShownMemory(() => foreignRegionView(this.#handle))
  /** What native code knows the slices by that are here, by slot. */
  readonly #slices = Array.from({ length: SLOTS + 1 }, () => ({ index: 0, generation: 0 }))
  #count = 0
  /** The pool is gone: no more slices will come. */
  #closed = false

  /** Begins to wait for the end of the pool. */
  watch(): void {
    watchRegion(this.#handle, () => this.#close())
    if (reply(Word.Wait) === 0) this.#closed = true
  }

  /** Takes in the slice that the last call gave. */
  add(slot: number): void {
    replyHeapHandleInto(this.#slices[slot]!)
    this.#count++
  }

  view(offset: number, length: number): Uint8Array {
    return this.#shown.view(offset, length)
  }

  release(slot: number): void {
    releaseHeapSlice(this.#slices[slot]!)
    // The pool is gone.
    if (reply(Word.Ended) === 1) this.#closed = true
    this.#remove()
  }

  depart(slot: number, carrier: Carrier): void {
    depart(Kind.Slice, this.#slices[slot]!, carrier)
    this.#remove()
  }

  #close(): void {
    // A release may have heard of it before.
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
    regions[this.#handle.index] = undefined
    forgetRegion(this.#handle)
  }
}

/** By the index of their handle, of which native code has one for each region. */
const regions: (ForeignMemory | undefined)[] = []

/** The memory of the slice that the last call gave, which lies in `slot` of another isolate's pool. */
export function arrivedInSlot(slot: number): ForeignMemory {
  const index = reply(Word.Region)
  let memory = regions[index]
  if (memory === undefined) {
    memory = regions[index] = new ForeignMemory()
    memory.add(slot)
    memory.watch()
  } else {
    memory.add(slot)
  }
  return memory
}
