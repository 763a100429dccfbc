import { check, control } from './call.js'
import type { Handle } from './handle.js'
import { bound } from './load.js'
import { Word } from './words.js'

const { heapFrom, heapView, sliceRelease } = bound

/** The heap slice that the last call gave. */
export function replyHeapHandle(): Handle {
  return { index: control[Word.Heap]!, generation: control[Word.HeapGeneration]! }
}

/** The same into `handle`, which may be used again. */
export function replyHeapHandleInto(handle: { index: number; generation: number }): void {
  handle.index = control[Word.Heap]!
  handle.generation = control[Word.HeapGeneration]!
}

export function copyToHeap(bytes: Uint8Array): Handle {
  heapFrom(bytes)
  check()
  return replyHeapHandle()
}

export function heapSliceView(handle: Handle): ArrayBuffer {
  control[Word.Heap] = handle.index
  control[Word.HeapGeneration] = handle.generation
  const view = heapView()
  check()
  return view
}

/** Out: Ended. */
export function releaseHeapSlice(handle: Handle, abandoned = false): void {
  control[Word.Heap] = handle.index
  control[Word.HeapGeneration] = handle.generation
  control[Word.Abandoned] = abandoned ? 1 : 0
  sliceRelease()
  check()
}
