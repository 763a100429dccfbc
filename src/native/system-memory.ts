import { callOn, control, replyHandle } from './call.js'
import type { Handle } from './handle.js'
import { replyHeapHandle } from './heap.js'
import { bound } from './load.js'
import { Word } from './words.js'

const { systemWritable, systemTake, systemTruncate, systemView } = bound

/**
 * Names no object: −1 is the word 0xffff_ffff. V8 keeps small integers in the objects themselves, but would box the `index` of every handle
 * if one handle had a larger number.
 */
const NEW: Handle = { index: -1, generation: 0 }

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
