import {
  type Carrier,
  depart,
  foreignRegionView,
  forgetRegion,
  type Handle,
  Kind,
  releaseHeapSlice,
  reply,
  replyRegion,
  Word,
  watchRegion,
} from './boundary.js'
import { ShownMemory } from './shown-memory.js'
import type { SliceMemory } from './slice.js'

/** The memory of a slot pool of another isolate, which has lent slices to this one: shown once for all of them. */
class ForeignRegion {
  readonly #handle: Handle
  readonly #shown: ShownMemory
  #slices = 0
  /** The pool is gone: no more slices will come. */
  #closed = false

  constructor(handle: Handle) {
    this.#handle = handle
    this.#shown = new ShownMemory(() => foreignRegionView(handle))
  }

  /** Begins to wait for the end of the pool. */
  watch(): void {
    watchRegion(this.#handle, () => this.#close())
    if (reply(Word.Wait) === 0) this.#closed = true
  }

  #close(): void {
    // A release may have heard of it before.
    if (this.#closed) return
    this.#closed = true
    this.#freeIfUnused()
  }

  view(offset: number, length: number): Uint8Array {
    return this.#shown.view(offset, length)
  }

  add(): void {
    this.#slices++
  }

  /** `closed`: the pool is gone. */
  remove(closed: boolean): void {
    this.#slices--
    this.#closed ||= closed
    this.#freeIfUnused()
  }

  #freeIfUnused(): void {
    if (!this.#closed || this.#slices > 0) return
    regions.delete(this.#handle.index)
    forgetRegion(this.#handle, this.#shown.hide())
  }
}

/** By the index of their handle, of which native code has one for each region. */
const regions = new Map<number, ForeignRegion>()

/** The memory of one slice of another isolate's pool. Its release crosses at once: the pool's isolate waits for the slot. */
export class ForeignMemory implements SliceMemory {
  readonly owner: Handle
  readonly #region: ForeignRegion

  /** Of the slice that the last call gave. */
  constructor(owner: Handle) {
    this.owner = owner
    const handle = replyRegion()
    let region = regions.get(handle.index)
    if (region === undefined) {
      region = new ForeignRegion(handle)
      regions.set(handle.index, region)
      region.watch()
    }
    this.#region = region
    region.add()
  }

  view(offset: number, length: number): Uint8Array {
    return this.#region.view(offset, length)
  }

  release(): void {
    releaseHeapSlice(this.owner, true)
    this.#region.remove(reply(Word.Ended) === 1)
  }

  depart(_: number, carrier: Carrier): void {
    depart(Kind.Slice, this.owner, carrier)
    this.#region.remove(false)
  }
}
