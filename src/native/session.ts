import { errorOf, type FramePoolError } from '../support/errors.js'
import { control, guarded, showing } from './call.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { readBacklog, type SlotBacklog, writeBacklog } from './slot.js'
import { Word } from './words.js'

const { sessionReceive, sessionSend, sessionForward, outputRegion, outputForget, outputConsume, sessionClose } = bound

export interface SessionSizes {
  maxFrameSize: number
  outputSize: number
}

export function createResponder(sizes: SessionSizes, publicKey: string, secretKey: string, validity: number): Handle {
  return guarded(() => native.sessionResponder(sizes, publicKey, secretKey, validity))
}

export function createInitiator(sizes: SessionSizes, authority: string | undefined): Handle {
  return guarded(() => native.sessionInitiator(sizes, authority))
}

/** Out: Frames, and with any the slice (as from `takeSlot`) and Table; Next, Room; the session's words, also on failure. */
export function receiveIntoSlot(session: Handle, pool: SlotBacklog, chunk: Uint8Array): void {
  writeBacklog(pool)
  control[Word.Handle] = session.index
  control[Word.Generation] = session.generation
  control[Word.Pool] = pool.handle.index
  control[Word.PoolGeneration] = pool.handle.generation
  sessionReceive(chunk)
  readBacklog(pool)
}

/** Out: the session's words, also on failure. */
export function sendFrame(session: Handle, extensionType: number, messageType: number, payload: Uint8Array): void {
  control[Word.Handle] = session.index
  control[Word.Generation] = session.generation
  control[Word.Extension] = extensionType
  control[Word.MessageType] = messageType
  sessionSend(payload)
}

/** Where a batch lies: in a slot of a pool, or (slot 0) in a heap slice. */
export interface BatchPlace {
  readonly slot: number
  readonly owner: Handle
  readonly table: number
}

/** Out: the target's words, also on failure. */
export function forwardFrames(target: Handle, batch: BatchPlace, first: number, frames: number): void {
  control[Word.Target] = target.index
  control[Word.TargetGeneration] = target.generation
  control[Word.Slot] = batch.slot
  const owner = batch.slot === 0 ? Word.Heap : Word.Pool
  control[owner] = batch.owner.index
  control[owner + 1] = batch.owner.generation
  control[Word.Table] = batch.table
  control[Word.First] = first
  control[Word.Frames] = frames
  sessionForward()
}

export function sessionOutputRegion(session: Handle): ArrayBuffer {
  return showing(session, outputRegion)
}

/** Nobody works with views of the rings any more that the session has replaced. */
export function forgetReplacedOutput(session: Handle): void {
  showing(session, outputForget)
}

/** Out: the session's words. */
export function consumeOutput(session: Handle, length: number): void {
  control[Word.Length] = length
  showing(session, outputConsume)
}

export function sessionReport(session: Handle): import('./binding.cjs').SessionReport {
  return guarded(() => native.sessionReport(session))
}

/** Gives back memory that recent traffic needed. Out: the session's words. */
export function shrinkSession(session: Handle): void {
  guarded(() => native.sessionShrink(session))
}

/** Lets the system have what `bytes` that were freed have left, if they are worth it. */
export function trimAfter(bytes: number): void {
  guarded(() => native.trimAfter(bytes))
}

/** Why a session closed by itself. */
export function sessionError(session: Handle): FramePoolError | null {
  const fault = guarded(() => native.sessionError(session))
  return fault ? (errorOf(fault.code, fault.message) as FramePoolError) : null
}

export function closeSession(session: Handle, abandoned = false): void {
  control[Word.Abandoned] = abandoned ? 1 : 0
  showing(session, sessionClose)
}

export function authorityKeypair(): { publicKey: string; secretKey: string } {
  return guarded(() => native.generateAuthorityKeypair())
}
