import type { Handle } from '../native/handle.js'
import { heapSliceView, releaseHeapSlice } from '../native/heap.js'
import { ShownMemory } from '../native/shown-memory.js'
import { DEBUG, trace, untrace } from '../native/trace.js'
import { type Carrier, depart } from '../native/transfer.js'
import { Kind } from '../native/words.js'
import { bufferOf } from '../support/arguments.js'
import type { OwnedMemory } from './slice.js'

/** What counts the heap slices of a buffer that are alive. */
export interface SliceCount {
  liveHeapSlices: number
}

/** The memory of one heap slice. */
export class HeapMemory implements OwnedMemory {
  readonly owner: Handle
  readonly #shown: ShownMemory
  readonly #count: SliceCount | null

  /** `shown`: what was shown of this memory while the message was being written. */
  constructor(owner: Handle, count: SliceCount | null, shown: ShownMemory | null) {
    const make = (): ArrayBuffer => heapSliceView(owner)
    this.owner = owner
    this.#shown = shown === null ? new ShownMemory(make) : shown.handOver(make)
    this.#count = count
    if (count !== null) count.liveHeapSlices++
  }

  view(offset: number, length: number): Uint8Array {
    // Memory without bytes has no address that could be shown.
    return length === 0 ? new Uint8Array(0) : this.#shown.view(offset, length)
  }

  /** Whether `source` lies in this memory. */
  holds(source: Uint8Array): boolean {
    return this.#shown.shows(bufferOf(source))
  }

  release(): void {
    this.#leave()
    releaseHeapSlice(this.owner)
  }

  depart(_: number, carrier: Carrier): void {
    depart(Kind.Slice, this.owner, carrier)
    this.#leave()
  }

  #leave(): void {
    if (this.#count !== null) this.#count.liveHeapSlices--
  }
}

/** The same in debug mode. */
export class TracedHeapMemory extends HeapMemory {
  constructor(owner: Handle, count: SliceCount | null, shown: ShownMemory | null) {
    super(owner, count, shown)
    trace(this, 'slice', owner, freeSlice(owner, count))
  }

  override release(): void {
    super.release()
    untrace(this)
  }

  override depart(slot: number, carrier: Carrier): void {
    super.depart(slot, carrier)
    untrace(this)
  }
}

/** The memory of a heap slice, as the mode wants it. */
export function heapMemory(
  owner: Handle,
  count: SliceCount | null = null,
  shown: ShownMemory | null = null,
): HeapMemory {
  return DEBUG ? new TracedHeapMemory(owner, count, shown) : new HeapMemory(owner, count, shown)
}

function freeSlice(owner: Handle, count: SliceCount | null): () => void {
  // What counts the slices may lead to them: a pool has a session's last batch.
  const counting = count === null ? null : new WeakRef(count)
  return () => {
    const count = counting?.deref()
    if (count !== undefined) count.liveHeapSlices--
    releaseHeapSlice(owner, true)
  }
}
