import { blocking, callOn, check, control, facade } from './call.js'
import { guarded } from './guarded.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { type Arrivals, type ArrivedMovable, readArrivedMovable } from './travel.js'
import { Word } from './words.js'

const {
  channelAsk,
  channelSend,
  channelWaitForRoom,
  channelEnd,
  channelReleaseSender,
  channelReceive,
  channelWaitForObject,
  channelWaitForObjectSync,
  channelReleaseReceiver,
} = bound

/** Makes a channel for at most `capacity` objects on their way. */
export function createChannel(capacity: number): { sender: Handle; receiver: Handle } {
  return guarded(() => native.channelCreate(capacity))
}

function sending(sender: Handle, call: () => void): void {
  control[Word.Target] = sender.index
  control[Word.TargetGeneration] = sender.generation
  call()
  check()
}

/** Returns the number of objects that can be sent now. Throws `ERR_CLOSED` if none can be sent any more. */
export function askChannel(sender: Handle): number {
  sending(sender, channelAsk)
  return control[Word.Available]!
}

/** Takes the object that the control block names into the channel, which has room. Returns the room that is left. */
export function sendIntoChannel(sender: Handle): number {
  sending(sender, channelSend)
  return control[Word.Available]!
}

/** Begins to wait for room and returns the number of the wait. Returns 0 when there is room, or there will be none. */
export function waitForRoom(sender: Handle, settled: () => void): number {
  sending(sender, () => channelWaitForRoom(settled))
  return control[Word.Wait]!
}

/** Ends the channel: what was sent can still be received. */
export function endChannel(sender: Handle): void {
  sending(sender, channelEnd)
}

/** Releases the sending end. */
export function releaseSender(sender: Handle): void {
  sending(sender, channelReleaseSender)
}

/**
 * Returns the record of the next object, one of `into`; `'empty'` when nothing is there, and `'ended'` when nothing will come
 * either.
 */
export function receiveFromChannel(receiver: Handle, into: Arrivals): ArrivedMovable | 'empty' | 'ended' {
  control[Word.Facade] = facade
  callOn(receiver, channelReceive)
  if (control[Word.Blocked] === 0) return readArrivedMovable(into)
  return control[Word.Ended] === 1 ? 'ended' : 'empty'
}

/** Begins to wait for an object and returns the number of the wait. Returns 0 when one is there, or none will come. */
export function waitForObject(receiver: Handle, settled: () => void): number {
  callOn(receiver, () => channelWaitForObject(settled))
  return control[Word.Wait]!
}

/** Blocks this thread until an object is there, or none will come. Throws `ERR_TIMEOUT` after `timeoutMs`. */
export function waitForObjectSync(receiver: Handle, timeoutMs: number): void {
  blocking(timeoutMs, () => callOn(receiver, channelWaitForObjectSync))
}

/** Releases the receiving end: what was sent and not received goes back to its pools. */
export function releaseReceiver(receiver: Handle): void {
  callOn(receiver, channelReleaseReceiver)
}
