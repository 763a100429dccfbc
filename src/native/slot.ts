import { callOn, check, control } from './call.js'
import { Fixed } from './fixed.js'
import { guarded } from './guarded.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { Word } from './words.js'

const {
  slotWritable,
  slotFind,
  slotTake,
  slotSettle,
  slotTruncate,
  slotRegion,
  slotHeap,
  slotDiscard,
  slotConceal,
  slotClose,
  slotRevoke,
} = bound

/** The first of the last words of the control block, one for each slot: the bytes of each slice that was taken. */
const TAKEN_LENGTHS = control.length - Fixed.MaxSlots

/**
 * Changes to a slot pool that native code has not been told of, in order, and the place for the next message that native code last gave.
 * Every call that takes a backlog catches up with it first. See `Backlog`.
 */
export interface SlotBacklog {
  readonly handle: Handle
  /** Slots released first, one bit a slot. */
  released: number
  /** Slices taken and released after that, each with nothing else alive. */
  cameAndWent: number
  /** Length of the last slice that `cameAndWent` counts, in bytes. */
  lastLength: number
  /** Length of the slice taken after that with nothing else alive, in bytes, or 0. */
  alone: number
  /** Slices taken after that, behind one another. */
  takenCount: number
  /** Slot of the first slice that `takenCount` counts. */
  takenSlot: number
  /** Offset of that slice in the region, in bytes. */
  takenStart: number
  /** Lengths of the slices that `takenCount` counts, in bytes, in order. */
  readonly takenLengths: readonly number[]
  /** Slots released since, one bit a slot. */
  releasedLater: number
  /** Offset of the pending bytes in the region. */
  start: number
  /** Pending bytes that native code has not been told of. */
  written: number

  /** Slots whose slices other isolates had given back by the last call, one bit a slot. */
  returned: number
  /** Slot of the next message. */
  nextSlot: number
  /** Last slot that the messages after it may have. */
  lastSlot: number
  /** Offset of the next message in the region, in bytes, if it fits into `room`. */
  next: number
  /** Bytes that are free from `next` on. */
  room: number
}

/** Where a call has made bytes writable. */
export interface WritablePlace {
  readonly onHeap: boolean
  /** Offset of the bytes, in bytes, in the region or on the heap. */
  readonly offset: number
  /** Whether the bytes on the heap lie elsewhere than before the call. */
  readonly moved: boolean
}

/** Where a slice lies that a call has taken. */
export interface SlicePlace {
  /** Slot of the slice: 1 to 32, or 0 on the heap. */
  readonly slot: number
  /** Offset of the slice, in bytes, in the region or on the heap. */
  readonly offset: number
  /** Length of the slice, in bytes. */
  readonly length: number
  /** Index of the handle of a slice on the heap. */
  readonly heapIndex: number
  /** Generation of that handle. */
  readonly heapGeneration: number
}

/** Writes a backlog into the control block, for a call that catches up with it. */
export function writeBacklog(pool: SlotBacklog): void {
  control[Word.Handle] = pool.handle.index
  control[Word.Generation] = pool.handle.generation
  control[Word.Before] = pool.released
  control[Word.CameAndWent] = pool.cameAndWent
  control[Word.LastLength] = pool.lastLength
  control[Word.Alone] = pool.alone
  const { takenCount } = pool
  control[Word.Taken] = takenCount
  if (takenCount !== 0) {
    control[Word.TakenSlot] = pool.takenSlot
    control[Word.TakenStart] = pool.takenStart
    for (let index = 0; index < takenCount; index++) control[TAKEN_LENGTHS + index] = pool.takenLengths[index]!
  }
  control[Word.After] = pool.releasedLater
  control[Word.Offset] = pool.start
  control[Word.Pending] = pool.written
  control[Word.Returned] = 0
}

/** Reads the state of the pool from the reply of a call that caught up with a backlog. */
export function readBacklog(pool: SlotBacklog): void {
  pool.returned = control[Word.Returned]!
  pool.nextSlot = control[Word.NextSlot]!
  pool.lastSlot = control[Word.LastSlot]!
  pool.next = control[Word.Next]!
  pool.room = control[Word.Room]!
}

export type SlotPoolSettings = import('./binding.cjs').SlotPoolSettings

/**
 * Makes a pool of `capacity` bytes. With `debug` its slices come as heap slices, which have memory of their own. Throws
 * `ERR_NO_MEMORY` if the system has none.
 */
export function createSlotPool(capacity: number, settings: SlotPoolSettings): Handle {
  return guarded(() => native.slotPoolCreate(capacity, settings))
}

/**
 * Makes `length` more bytes writable, and returns their place. Updates only `returned` of the pool. When it throws, native code has
 * caught up, but nothing was added.
 */
export function writableSlot(pool: SlotBacklog, length: number): WritablePlace {
  writeBacklog(pool)
  control[Word.Length] = length
  slotWritable()
  pool.returned = control[Word.Returned]!
  check()
  return { onHeap: control[Word.Slot] === 0, offset: control[Word.Offset]!, moved: control[Word.Moved] === 1 }
}

/**
 * Finds the place of a message that begins with `length` bytes, while none is pending. Returns whether it lies in the region, where it
 * can begin as the backlog says. Otherwise it has begun on the heap. When it throws, native code has caught up, but nothing was added.
 */
export function findSlot(pool: SlotBacklog, length: number): boolean {
  writeBacklog(pool)
  control[Word.Length] = length
  slotFind()
  readBacklog(pool)
  check()
  return control[Word.Slot] !== 0
}

/** Takes the pending bytes as a slice, and returns where it lies. When it throws, native code has caught up. */
export function takeSlot(pool: SlotBacklog): SlicePlace {
  writeBacklog(pool)
  slotTake()
  readBacklog(pool)
  check()
  return {
    slot: control[Word.Slot]!,
    offset: control[Word.Offset]!,
    length: control[Word.Length]!,
    heapIndex: control[Word.Heap]!,
    heapGeneration: control[Word.HeapGeneration]!,
  }
}

/** Tells native code everything, so that what it reports is exact. */
export function settleSlots(pool: SlotBacklog): void {
  writeBacklog(pool)
  slotSettle()
  check()
  readBacklog(pool)
}

/** Keeps `length` of the pending bytes behind the first `hidden` ones. Native code must have been told of them. */
export function truncateSlot(pool: Handle, hidden: number, length: number): void {
  control[Word.Offset] = hidden
  control[Word.Length] = length
  callOn(pool, slotTruncate)
}

/** Returns an ArrayBuffer over the region. */
export function slotPoolRegion(pool: Handle): ArrayBuffer {
  return callOn(pool, slotRegion)
}

/** Returns an ArrayBuffer over the pending bytes, which lie on the heap. */
export function slotPoolHeap(pool: Handle): ArrayBuffer {
  return callOn(pool, slotHeap)
}

/** Drops the pending bytes. */
export function discardSlot(pool: Handle): void {
  callOn(pool, slotDiscard)
}

/** Ends the views of the region, for debug mode. */
export function concealSlotPool(pool: Handle): void {
  callOn(pool, slotConceal)
}

/** Closes a pool, and frees its memory. `abandoned`: views of it may still be in use, and keep it. */
export function closeSlotPool(pool: Handle, abandoned = false): void {
  control[Word.Abandoned] = abandoned ? 1 : 0
  callOn(pool, slotClose)
}

/** Closes a pool that was collected. */
export function abandonSlotPool(pool: Handle): void {
  closeSlotPool(pool, true)
}

/** Drops the slices of a pool that have left this isolate, and have not arrived in another. */
export function revokeSlots(pool: Handle): void {
  callOn(pool, slotRevoke)
}

/** Returns the figures of a pool. */
export function slotPoolReport(pool: Handle): import('./binding.cjs').SlotPoolReport {
  return guarded(() => native.slotPoolReport(pool))
}
