import { callOn, control, lastFault } from './call.js'
import type { Fault } from './fault.js'
import { Fixed } from './fixed.js'
import { guarded } from './guarded.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { type ReceivedFrames, readReceived, writeReceiver } from './received.js'
import { readBacklog, type SlotBacklog } from './slot.js'
import { Word } from './words.js'

const { framingReceive, framingAnnounce, framingRoom, framingView, framingFilled, framingRelease } = bound

export type FrameLayout = import('./binding.cjs').FrameLayout
export type NewFrameReader = import('./binding.cjs').NewFrameReader

/** A reader, and where the frames lie that a call gave. */
export interface ReaderReply extends ReceivedFrames {
  /** Bytes held of an unfinished frame. */
  pending: number
  /** Length of that frame in bytes, or 0 while that is unknown. */
  awaited: number
  /** Whether the stream is broken: every later call fails. */
  broken: boolean
}

/** Makes a reader. Throws `ERR_OUT_OF_RANGE` for a layout that cannot be. */
export function createFrameReader(layout: FrameLayout): NewFrameReader {
  return guarded(() => native.frameReaderCreate(layout))
}

function writePurse(purse: Handle | null): void {
  control[Word.Purse] = purse === null ? Fixed.NoReservation : purse.index
  if (purse !== null) control[Word.PurseGeneration] = purse.generation
}

function readReply(into: ReaderReply): void {
  readReceived(into)
  into.pending = control[Word.Pending]!
  into.awaited = control[Word.Awaited]!
  into.broken = control[Word.Ended] === 1
}

/** Takes `chunk` in, and writes what the reader gives into `reply`. `purse` pays for it. Returns the failure, if there was one. */
export function receiveFramed(
  reader: Handle,
  pool: SlotBacklog,
  purse: Handle | null,
  chunk: Uint8Array,
  reply: ReaderReply,
): Fault | null {
  writeReceiver(reader, pool)
  control[Word.Ended] = 0
  writePurse(purse)
  framingReceive(chunk)
  readReply(reply)
  readBacklog(pool)
  return lastFault()
}

/** Notes the length of the next frame, in bytes. */
export function announceFrame(reader: Handle, length: number): void {
  control[Word.Length] = length
  control[Word.First] = 0
  callOn(reader, framingAnnounce)
}

/** Takes back the lengths that were noted since the last chunk was taken in. */
export function takeBackFrames(reader: Handle): void {
  control[Word.First] = 1
  callOn(reader, framingAnnounce)
}

/** Room for the next bytes of an unfinished frame. */
export interface FrameRoom {
  /** Offset in the memory that `frameMemory()` shows, in bytes. */
  offset: number
  /** Length in bytes; 0 if there is no room. */
  length: number
  /** Whether the memory lies elsewhere than before the call. */
  moved: boolean
}

/** Makes room for an unfinished frame that needs at least `least` more bytes, and writes its place into `room`. */
export function frameRoom(reader: Handle, least: number, room: FrameRoom): void {
  control[Word.Length] = least
  callOn(reader, framingRoom)
  room.offset = control[Word.Offset]!
  room.length = control[Word.Length]!
  room.moved = control[Word.Moved] === 1
}

/** Returns an ArrayBuffer over the memory of an unfinished frame. */
export function frameMemory(reader: Handle): ArrayBuffer {
  return callOn(reader, framingView)
}

/** Takes in `count` bytes that were written into the room of an unfinished frame. As `receiveFramed()` otherwise. */
export function filledFrame(reader: Handle, purse: Handle | null, count: number, reply: ReaderReply): Fault | null {
  control[Word.Handle] = reader.index
  control[Word.Generation] = reader.generation
  control[Word.Length] = count
  control[Word.Ended] = 0
  writePurse(purse)
  framingFilled()
  readReply(reply)
  return lastFault()
}

/** Releases a reader. `abandoned`: views of its memory may still be in use, and keep it. */
export function releaseFrameReader(reader: Handle, abandoned = false): void {
  control[Word.Abandoned] = abandoned ? 1 : 0
  callOn(reader, framingRelease)
}
