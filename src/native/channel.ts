import { blocking, check, control, guarded, showing } from './call.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
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

export function createChannel(capacity: number): { sender: Handle; receiver: Handle } {
  return guarded(() => native.channelCreate(capacity))
}

function sending(sender: Handle, call: () => void): void {
  control[Word.Target] = sender.index
  control[Word.TargetGeneration] = sender.generation
  call()
  check()
}

/** How many objects can be sent now; throws if none can any more. */
export function askChannel(sender: Handle): number {
  sending(sender, channelAsk)
  return control[Word.Available]!
}

/** Takes what the control block names into the channel, which has room; how many more it has room for. */
export function sendIntoChannel(sender: Handle): number {
  sending(sender, channelSend)
  return control[Word.Available]!
}

/** The wait that has begun, at whose end `settled` is called; or 0. */
export function waitForRoom(sender: Handle, settled: () => void): number {
  sending(sender, () => channelWaitForRoom(settled))
  return control[Word.Wait]!
}

export function endChannel(sender: Handle): void {
  sending(sender, channelEnd)
}

export function releaseSender(sender: Handle): void {
  sending(sender, channelReleaseSender)
}

/** False when nothing is there. Out: what has arrived, as from `adoptTicket`; else Ended. */
export function receiveFromChannel(receiver: Handle): boolean {
  control[Word.Facade] = bound.facade
  showing(receiver, channelReceive)
  return control[Word.Blocked] === 0
}

/** The wait that has begun, at whose end `settled` is called; or 0. */
export function waitForObject(receiver: Handle, settled: () => void): number {
  showing(receiver, () => channelWaitForObject(settled))
  return control[Word.Wait]!
}

/** Blocks this thread. */
export function waitForObjectSync(receiver: Handle, timeoutMs: number): void {
  blocking(timeoutMs, () => showing(receiver, channelWaitForObjectSync))
}

export function releaseReceiver(receiver: Handle): void {
  showing(receiver, channelReleaseReceiver)
}
