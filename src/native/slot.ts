import { check, control, guarded, showing } from './call.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { Word } from './words.js'

const {
  slotWritable,
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

/** Of a slot pool. */
export const SLOTS = 8
/** The first of the control block's last words, one a slot: the bytes of each slice that was taken. */
const TAKEN_LENGTHS = control.length - SLOTS

/** What native code must catch up with before it acts: see `SlotMemory`. */
export interface SlotBacklog {
  readonly handle: Handle
  released: number
  cameAndWent: number
  lastLength: number
  alone: number
  taken: number
  takenSlot: number
  takenStart: number
  readonly takenLengths: readonly number[]
  releasedLater: number
  start: number
  written: number
}

export function writeBacklog(pool: SlotBacklog): void {
  control[Word.Handle] = pool.handle.index
  control[Word.Generation] = pool.handle.generation
  control[Word.Before] = pool.released
  control[Word.CameAndWent] = pool.cameAndWent
  control[Word.LastLength] = pool.lastLength
  control[Word.Alone] = pool.alone
  const { taken } = pool
  control[Word.Taken] = taken
  if (taken !== 0) {
    control[Word.TakenSlot] = pool.takenSlot
    control[Word.TakenStart] = pool.takenStart
    for (let index = 0; index < taken; index++) control[TAKEN_LENGTHS + index] = pool.takenLengths[index]!
  }
  control[Word.After] = pool.releasedLater
  control[Word.Offset] = pool.start
  control[Word.Pending] = pool.written
  control[Word.Returned] = 0
}

/** `debug`: its slices come as heap slices that have memory of their own. */
export function createSlotPool(capacity: number, debug: boolean): Handle {
  return guarded(() => native.slotPoolCreate(capacity, debug))
}

/** Out: Slot (0: on the heap), Offset; on the heap Moved. */
export function writableSlot(pool: SlotBacklog, length: number): void {
  writeBacklog(pool)
  control[Word.Length] = length
  slotWritable()
  check()
}

/** Out: Slot, Offset, Length, and for the heap Heap; NextSlot, LastSlot, Next, Room. */
export function takeSlot(pool: SlotBacklog): void {
  writeBacklog(pool)
  slotTake()
  check()
}

/** Out: NextSlot, LastSlot, Next, Room. */
export function settleSlots(pool: SlotBacklog): void {
  writeBacklog(pool)
  slotSettle()
  check()
}

export function truncateSlot(pool: SlotBacklog, hidden: number, length: number): void {
  control[Word.Handle] = pool.handle.index
  control[Word.Generation] = pool.handle.generation
  control[Word.Offset] = hidden
  control[Word.Length] = length
  slotTruncate()
  check()
}

export function slotPoolRegion(handle: Handle): ArrayBuffer {
  return showing(handle, slotRegion)
}

export function slotPoolHeap(handle: Handle): ArrayBuffer {
  return showing(handle, slotHeap)
}

/** Drops what is written. */
export function discardSlot(handle: Handle): void {
  showing(handle, slotDiscard)
}

/** Ends the views of the region. */
export function concealSlotPool(handle: Handle): void {
  showing(handle, slotConceal)
}

/** `abandoned`, here as elsewhere: nobody is there any more who would have released it, but views may be in use. */
export function closeSlotPool(handle: Handle, abandoned = false): void {
  control[Word.Abandoned] = abandoned ? 1 : 0
  showing(handle, slotClose)
}

/** Drops the slices of the pool that have left this isolate and not arrived in another. */
export function revokeSlots(handle: Handle): void {
  showing(handle, slotRevoke)
}

export function slotPoolReport(handle: Handle): import('./binding.cjs').SlotPoolReport {
  return guarded(() => native.slotPoolReport(handle))
}
