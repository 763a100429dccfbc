import { callOn, control, replyHandle } from './call.js'
import type { Handle } from './handle.js'
import { replyHeapHandle } from './heap.js'
import { bound } from './load.js'
import { Word } from './words.js'

const { systemWritable, systemTake, systemTruncate, systemView } = bound

const NEW: Handle = { index: 0xffff_ffff, generation: 0 }

/** The native memory in which a message is being written. */
export interface SystemMessage {
  /** Null while nothing is being written. */
  handle: Handle | null
  /** Whether the last growth moved the bytes, or showed them for the first time. Earlier views are then empty. */
  moved: boolean
}

/** Makes `length` more bytes of `message` writable. A message without memory gets some. Throws `ERR_NO_MEMORY` without effect. */
export function growSystemMessage(message: SystemMessage, length: number): void {
  control[Word.Length] = length
  callOn(message.handle ?? NEW, systemWritable)
  message.moved = control[Word.Moved] === 1
  message.handle ??= replyHandle()
}

/** Makes a heap slice of a message. Returns its handle, and its length in bytes. */
export function takeSystemMessage(handle: Handle): { slice: Handle; length: number } {
  callOn(handle, systemTake)
  return { slice: replyHeapHandle(), length: control[Word.Length]! }
}

/** Keeps `length` bytes of a message behind the first `hidden` ones. */
export function truncateSystemMessage(handle: Handle, hidden: number, length: number): void {
  control[Word.Offset] = hidden
  control[Word.Length] = length
  callOn(handle, systemTruncate)
}

/** Returns an ArrayBuffer over the memory of a message. */
export function systemMessageView(handle: Handle): ArrayBuffer {
  return callOn(handle, systemView)
}
