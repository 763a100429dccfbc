import { errorOf, type FramePoolError } from '../support/errors.js'
import { callOn, control, lastFailure } from './call.js'
import { guarded } from './guarded.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { type ReceivedFrames, readReceived, writeReceiver } from './received.js'
import { readBacklog, type SlotBacklog } from './slot.js'
import { Phase, Word } from './words.js'

export { Phase }

const { sessionReceive, sessionSend, sessionForward, outputRegion, outputForget, outputConsume, sessionClose } = bound

export interface SessionSizes {
  maxFrameSize: number
  outputSize: number
}

/** Names of the phases of a session. */
export const PHASES = {
  [Phase.Handshake]: 'handshake',
  [Phase.Transport]: 'transport',
  [Phase.Closed]: 'closed',
} as const

/** Phase of a session. */
export type SessionPhase = (typeof PHASES)[Phase]

/** A session and its output, as a call reports them, even when it fails. */
export interface SessionState {
  phase: Phase
  /** Bytes in the output's ring. */
  available: number
  /** Bytes in the ring and in the queue behind it. */
  pending: number
  /** Whether more is pending than the ring holds comfortably. */
  over: boolean
  /** Number of the ring: a session replaces it when the output grows or shrinks. */
  ring: number
  /** Size of the ring, in bytes. */
  ringSize: number
}

/** Reads what the last call reported of a session. */
export function readSession(into: SessionState): void {
  into.phase = control[Word.State]!
  into.available = control[Word.Available]!
  into.pending = control[Word.Pending]!
  into.over = control[Word.Over] === 1
  const ring = control[Word.RingGeneration]!
  if (ring === into.ring) return
  into.ring = ring
  into.ringSize = control[Word.RingSize]!
}

/** Makes the session of the end that is connected to. */
export function createResponder(sizes: SessionSizes, publicKey: string, secretKey: string, validity: number): Handle {
  return guarded(() => native.sessionResponder(sizes, publicKey, secretKey, validity))
}

/** Makes the session of the end that connects. */
export function createInitiator(sizes: SessionSizes, authority: string | undefined): Handle {
  return guarded(() => native.sessionInitiator(sizes, authority))
}

/**
 * Decrypts `chunk` into the pool. Writes the state of the session and the place of the frames into the two records, and returns
 * the failure, if there was one.
 */
export function receiveFrames(
  session: Handle,
  pool: SlotBacklog,
  chunk: Uint8Array,
  into: SessionState,
  received: ReceivedFrames,
): Error | null {
  writeReceiver(session, pool)
  sessionReceive(chunk)
  readSession(into)
  readReceived(received)
  readBacklog(pool)
  // Last, for making an error may run a script, which could make other calls.
  return lastFailure()
}

/** Encrypts a frame into the output. Writes the state of the session into `into`, and returns the failure, if there was one. */
export function sendFrame(
  session: Handle,
  extensionType: number,
  messageType: number,
  payload: Uint8Array,
  into: SessionState,
): Error | null {
  control[Word.Handle] = session.index
  control[Word.Generation] = session.generation
  control[Word.Extension] = extensionType
  control[Word.MessageType] = messageType
  sessionSend(payload)
  readSession(into)
  return lastFailure()
}

/** Place of a received batch: in a slot of a pool, or, with slot 0, in a slice on the heap. */
export interface ReceivedPlace {
  readonly slot: number
  readonly owner: Handle
  readonly table: number
}

/**
 * Re-encrypts frames of a batch into the output of `target`. Writes the state of `target` into `into`, and returns the failure,
 * if there was one.
 */
export function forwardFrames(
  target: Handle,
  batch: ReceivedPlace,
  first: number,
  frames: number,
  into: SessionState,
): Error | null {
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
  readSession(into)
  return lastFailure()
}

/** Returns an ArrayBuffer over the output's present ring. */
export function sessionOutputRegion(session: Handle): ArrayBuffer {
  return callOn(session, outputRegion)
}

/** Frees the rings that the session has replaced: no view of them is in use any more. */
export function forgetReplacedOutput(session: Handle): void {
  callOn(session, outputForget)
}

/** Takes `length` bytes out of the output, and writes the state of the session into `into`. */
export function consumeOutput(session: Handle, length: number, into: SessionState): void {
  control[Word.Length] = length
  callOn(session, outputConsume)
  readSession(into)
}

type SessionReport = import('./binding.cjs').SessionReport

/** Returns the figures of a session. */
export function sessionReport(session: Handle): SessionReport {
  return guarded(() => native.sessionReport(session))
}

/** Writes the state of a session into `into`. */
export function askSession(session: Handle, into: SessionState): void {
  sessionReport(session)
  readSession(into)
}

/** Gives back memory that recent traffic needed, and writes the state of the session into `into`. */
export function shrinkSession(session: Handle, into: SessionState): void {
  guarded(() => native.sessionShrink(session))
  readSession(into)
}

/** Gives memory back to the system after `bytes` were freed, if they are worth it. */
export function trimAfter(bytes: number): void {
  guarded(() => native.trimAfter(bytes))
}

/** Returns why a session closed by itself, or null. */
export function sessionError(session: Handle): FramePoolError | null {
  const fault = guarded(() => native.sessionError(session))
  return fault ? (errorOf(fault.code, fault.message) as FramePoolError) : null
}

/** Frees a session. `abandoned`: views of its output may still be in use, and keep the memory. */
export function closeSession(session: Handle, abandoned = false): void {
  control[Word.Abandoned] = abandoned ? 1 : 0
  callOn(session, sessionClose)
}

/** Frees a session that was collected. */
export function abandonSession(session: Handle): void {
  closeSession(session, true)
}

/** Makes an authority keypair, as base58check strings. */
export function authorityKeypair(): { publicKey: string; secretKey: string } {
  return guarded(() => native.generateAuthorityKeypair())
}
