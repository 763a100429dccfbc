import type { Handle } from '../native/handle.js'
import { heapSliceView, releaseSlice } from '../native/heap.js'
import { ShownMemory } from '../native/shown-memory.js'
import { type GiveBack, trace, untrace } from '../native/trace.js'
import { type Carrier, departSliceHandle } from '../native/travel.js'
import { bufferOf } from '../support/arguments.js'
import { DEBUG } from '../support/debug-mode.js'
import type { OwnedMemory, SliceCount } from './slice-memory.js'

/** The memory of one heap slice. */
export class HeapMemory implements OwnedMemory {
  readonly owner: Handle
  readonly #shown: ShownMemory
  readonly #count: SliceCount | null

  /** `shown` is what was shown of this memory while the message was being written. */
  constructor(owner: Handle, count: SliceCount | null, shown: ShownMemory | null) {
    const show = (): ArrayBuffer => heapSliceView(owner)
    this.owner = owner
    this.#shown = shown === null ? new ShownMemory(show) : shown.handOver(show)
    this.#count = count
    if (count !== null) count.alive++
  }

  view(offset: number, length: number): Uint8Array {
    // Memory without bytes has no address that could be shown.
    return length === 0 ? new Uint8Array(0) : this.#shown.view(offset, length)
  }

  /** Returns whether `source` lies in this memory. */
  holds(source: Uint8Array): boolean {
    return this.#shown.shows(bufferOf(source))
  }

  release(): void {
    this.#leave()
    releaseSlice(this.owner)
  }

  depart(_: number, carrier: Carrier): void {
    departSliceHandle(this.owner, carrier)
    this.#leave()
  }

  #leave(): void {
    if (this.#count !== null) this.#count.alive--
  }
}

/** The memory of one heap slice in debug mode. */
export class TracedHeapMemory extends HeapMemory {
  constructor(owner: Handle, count: SliceCount | null, shown: ShownMemory | null) {
    super(owner, count, shown)
    trace(this, 'slice', owner, abandoning(count))
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

/** Returns the memory of a heap slice, traced in debug mode. */
export function heapMemory(
  owner: Handle,
  count: SliceCount | null = null,
  shown: ShownMemory | null = null,
): HeapMemory {
  return DEBUG ? new TracedHeapMemory(owner, count, shown) : new HeapMemory(owner, count, shown)
}

function abandoning(count: SliceCount | null): GiveBack {
  // The count may lead to its slices: a pool has the last batch of a session.
  const counting = count === null ? null : new WeakRef(count)
  return (owner) => {
    const count = counting?.deref()
    if (count !== undefined) count.alive--
    releaseSlice(owner, true)
  }
}
