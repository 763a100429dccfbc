import { control, replyHandle, showing } from './call.js'
import type { Handle } from './handle.js'
import { bound } from './load.js'
import { Word } from './words.js'

const { systemWritable, systemTake, systemTruncate, systemView } = bound

const NEW: Handle = { index: 0xffff_ffff, generation: 0 }

/** Makes `length` more bytes writable, in new memory when `handle` is null. Returns the memory's handle. Out: Offset, Moved. */
export function writableSystemMemory(handle: Handle | null, length: number): Handle {
  control[Word.Length] = length
  showing(handle ?? NEW, systemWritable)
  return handle ?? replyHandle()
}

/** Ends the memory. Out: Heap, Length. */
export function takeSystemMemory(handle: Handle): void {
  showing(handle, systemTake)
}

export function truncateSystemMemory(handle: Handle, hidden: number, length: number): void {
  control[Word.Offset] = hidden
  control[Word.Length] = length
  showing(handle, systemTruncate)
}

export function systemMemoryView(handle: Handle): ArrayBuffer {
  return showing(handle, systemView)
}
