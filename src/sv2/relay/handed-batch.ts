import type { Handle } from '../../native/handle.js'
import type { HandedFrames } from '../../native/relay.js'
import { borrowedMemory } from '../../slice/borrowed-memory.js'
import { heapMemory } from '../../slice/heap-memory.js'
import type { ViewedMemory } from '../../slice/slice-memory.js'
import { type FrameBatch, makeBatch } from '../session/frame-batch.js'

/** Memory of one slice of the engine. Native code knows the slice by its own handle, wherever it lies. */
class HandedMemory implements ViewedMemory {
  readonly owner: Handle
  readonly #memory: ViewedMemory
  readonly #slot: number

  constructor(owner: Handle, memory: ViewedMemory, slot: number) {
    this.owner = owner
    this.#memory = memory
    this.#slot = slot
  }

  view(offset: number, length: number): Uint8Array {
    return this.#memory.view(offset, length, 0)
  }

  release(): void {
    this.#memory.release(this.#slot)
  }
}

/** Pool of handed batches: none. Nothing is decrypted into their slices again, so that no pool waits for a release. */
const NO_POOL = {
  moveOut(): void {
    // No pool has it.
  },
}

/** Returns the frames that the engine has handed over. They stay valid until the batch is released. */
export function handedBatch({ slice, table, count }: HandedFrames): FrameBatch {
  const { index, generation } = slice.handle
  const handle = { index, generation }
  const memory = slice.onHeap ? heapMemory(handle) : borrowedMemory(slice.region, slice.slot, handle)
  const place = { memory: new HandedMemory(handle, memory, slice.slot), slot: 0, offset: slice.offset, table }
  return makeBatch(place, NO_POOL, count, { batches: 0 })
}
