import { control } from './call.js'
import type { Handle } from './handle.js'
import { type SlotBacklog, writeBacklog } from './slot.js'
import { Word } from './words.js'

/** Where the frames that one call received lie. Without any, only `frames` says something. */
export interface ReceivedFrames {
  /** How many frames. */
  frames: number
  /** Slot of the pool, or 0 for a slice on the heap. */
  slot: number
  /** Index of the handle of a slice on the heap. In debug mode every slice has one. */
  heapIndex: number
  /** Generation of that handle. */
  heapGeneration: number
  /** Where the slice begins in its memory, in bytes. */
  offset: number
  /** Where the table of the frames begins in the slice, in bytes. */
  table: number
}

/** Writes the object that receives, and the pool that it receives into, into the control block. */
export function writeReceiver(receiver: Handle, pool: SlotBacklog): void {
  writeBacklog(pool)
  control[Word.Handle] = receiver.index
  control[Word.Generation] = receiver.generation
  control[Word.Pool] = pool.handle.index
  control[Word.PoolGeneration] = pool.handle.generation
}

/** Reads where the frames of the last call lie. */
export function readReceived(into: ReceivedFrames): void {
  into.frames = control[Word.Frames]!
  into.slot = control[Word.Slot]!
  into.heapIndex = control[Word.Heap]!
  into.heapGeneration = control[Word.HeapGeneration]!
  into.offset = control[Word.Offset]!
  into.table = control[Word.Table]!
}
