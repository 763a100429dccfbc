import { control } from './call.js'
import type { Handle } from './handle.js'
import { type SlotBacklog, writeBacklog } from './slot.js'
import { Word } from './words.js'

/** Place of the frames that one call received. If there are none, only `frames` has a meaning. */
export interface ReceivedFrames {
  /** Number of frames. */
  frames: number
  /** Slot of the pool, or 0 for a slice on the heap. */
  slot: number
  /** Index of the handle of a slice on the heap. In debug mode every slice has one. */
  heapIndex: number
  /** Generation of that handle. */
  heapGeneration: number
  /** Offset of the slice in its memory, in bytes. */
  offset: number
  /** Offset of the table of the frames in the slice, in bytes. */
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

/** Reads the place of the frames of the last call. */
export function readReceived(into: ReceivedFrames): void {
  into.frames = control[Word.Frames]!
  into.slot = control[Word.Slot]!
  into.heapIndex = control[Word.Heap]!
  into.heapGeneration = control[Word.HeapGeneration]!
  into.offset = control[Word.Offset]!
  into.table = control[Word.Table]!
}
