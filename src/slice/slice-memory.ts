import type { Handle } from '../native/handle.js'
import type { Carrier } from '../native/travel.js'

/** Memory that is shown piece by piece, and given back. Offsets are those of the memory, not of a slice. */
export interface ViewedMemory {
  /** Returns a view of `length` bytes from `offset`, in `slot`; 0 for bytes on the heap, or a part of a slice. */
  view(offset: number, length: number, slot: number): Uint8Array
  /** Gives a slice's bytes back. `slot` is 0 for a slice on the heap. */
  release(slot: number): void
}

/** Memory that slices lie in. */
export interface SliceMemory extends ViewedMemory {
  /** Sends a slice to another isolate by `carrier`. If that throws, the slice has not left. */
  depart(slot: number, carrier: Carrier): void
}

/** Memory of slices that native code knows by one handle: a pool, or a slice on the heap. */
export interface OwnedMemory extends SliceMemory {
  readonly owner: Handle
}

/** Counts the slices of a buffer that are alive on the heap. */
export interface SliceCount {
  alive: number
}
