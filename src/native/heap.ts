import { check, control } from './call.js'
import type { Handle } from './handle.js'
import { bound } from './load.js'
import { Word } from './words.js'

const { heapFrom, heapView, heapRelease } = bound

/** Returns the handle of the slice that the last call gave. */
export function replyHeapHandle(): Handle {
  return { index: control[Word.Heap]!, generation: control[Word.HeapGeneration]! }
}

/** Copies `bytes` into a new heap slice, and returns its handle. Throws `ERR_NO_MEMORY` if there is no memory for it. */
export function copyToHeap(bytes: Uint8Array): Handle {
  heapFrom(bytes)
  check()
  return replyHeapHandle()
}

/** Returns an ArrayBuffer over the memory of a heap slice. */
export function heapSliceView(slice: Handle): ArrayBuffer {
  control[Word.Heap] = slice.index
  control[Word.HeapGeneration] = slice.generation
  const view = heapView()
  check()
  return view
}

/**
 * Releases a slice that has a handle: one on the heap, or one in a slot of a pool of another isolate. Returns true if that pool is
 * gone. `abandoned`: views of the slice may still be in use, and keep its memory.
 */
export function releaseSlice(slice: Handle, abandoned = false): boolean {
  control[Word.Heap] = slice.index
  control[Word.HeapGeneration] = slice.generation
  control[Word.Abandoned] = abandoned ? 1 : 0
  heapRelease()
  check()
  return control[Word.Ended] === 1
}
