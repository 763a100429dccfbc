import { callOn, check, control, facade, replyWide } from './call.js'
import { guarded } from './guarded.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { type ArrivedSlice, makeArrivedSlice, readArrivedSlice } from './travel.js'
import { RecordKind, Way, Word } from './words.js'

const { relayNext, relayWatch, relayFlush } = bound
const { relayForward, relayReplace, relayDone, relaySend, relayWatchOutput, relayClose } = bound

/** Options of a relay, as native code takes them. */
export type RelaySettings = import('./binding.cjs').RelaySettings

/** The end of a link, as native code tells it. */
export type RelayEnd = import('./binding.cjs').RelayEnd

/** An error of the system, or of framepool, on one side of a link. */
export type RelayFault = import('./binding.cjs').RelayFault

/** Figures of a relay. */
export type RelayReport = import('./binding.cjs').RelayReport

/** Figures of an open connection. */
export type RelayLinkReport = import('./binding.cjs').RelayLinkReport

/** A relay that has started, with its address and port, or the `fault` for which it has not. */
export type RelayStart = import('./binding.cjs').RelayStart

/** A direction through a relay: towards the mining pool, or towards the miner. */
export type Direction = 'upstream' | 'downstream'

const DIRECTIONS: Readonly<Record<Way, Direction>> = {
  [Way.Upstream]: 'upstream',
  [Way.Downstream]: 'downstream',
}

/** A rare event of a relay: a connection that comes or goes, or a refusal. */
export type RelayEvent = import('./binding.cjs').RelayEvent

/** Starts a relay that listens on the first of `hosts`, IP addresses, on which that is possible. */
export function startRelay(hosts: string[], port: number, settings: RelaySettings): RelayStart {
  return guarded(() => native.relayStart(hosts, port, settings))
}

/** Returns the memory budget of a relay without `maxMemory`, in bytes. */
export function defaultRelayMemory(): number {
  return guarded(() => native.relayDefaults()).maxMemory
}

/** Connects a link to the first of `hosts`, IP addresses, that answers. */
export function connectLink(relay: Handle, link: number, hosts: string[], port: number, key: string | undefined): void {
  guarded(() => native.relayConnect(relay, link, hosts, port, key))
}

/** Stops a relay from accepting, and ends each link when all answers have gone out. */
export function drainRelay(relay: Handle): void {
  guarded(() => native.relayDrain(relay))
}

/** Ends all links of a relay. */
export function destroyRelay(relay: Handle): void {
  guarded(() => native.relayDestroy(relay))
}

/** Forgets a relay that has ended. */
export function releaseRelay(relay: Handle): void {
  guarded(() => native.relayRelease(relay))
}

/** Returns the figures of a relay. */
export function relayReport(relay: Handle): RelayReport {
  return guarded(() => native.relayReport(relay))
}

/** Returns whether a connection of a relay is open. */
export function hasLink(relay: Handle, link: number): boolean {
  return guarded(() => native.relayHasLink(relay, link))
}

/** Returns the figures of the open connections of a relay. */
export function relayLinks(relay: Handle): RelayLinkReport[] {
  return guarded(() => native.relayLinks(relay))
}

/** Frames that wait for verdicts. */
export interface HandedFrames {
  /** Number of the link. */
  link: number
  direction: Direction
  /** Offset of the table in the slice, in bytes. */
  table: number
  /** Number of frames in the table. */
  count: number
  /** Index of the first frame that waits. */
  first: number
  readonly slice: ArrivedSlice
}

/** Makes a record for frames that wait for verdicts. */
export function makeHandedFrames(): HandedFrames {
  return { link: 0, direction: 'upstream', table: 0, count: 0, first: 0, slice: makeArrivedSlice() }
}

/**
 * Takes the next record of a relay: an event, or frames, which go into `into`. Returns null if there is none.
 */
export function nextRecord(relay: Handle, into: HandedFrames): RelayEvent | HandedFrames | null {
  control[Word.Facade] = facade
  callOn(relay, relayNext)
  const kind: RecordKind = control[Word.Kind]!
  if (kind === RecordKind.Nothing) return null
  if (kind === RecordKind.Event) return guarded(() => native.relayEvent(relay))
  into.link = replyWide()
  into.direction = DIRECTIONS[control[Word.Direction]! as Way]
  into.table = control[Word.Table]!
  into.count = control[Word.Frames]!
  into.first = control[Word.First]!
  readArrivedSlice(into.slice)
  return into
}

/** Calls `heard` once, when there are records. Does not keep the event loop alive. */
export function watchRecords(relay: Handle, heard: () => void): void {
  control[Word.Handle] = relay.index
  control[Word.Generation] = relay.generation
  relayWatch(heard)
  check()
}

function writeLink(relay: Handle, link: number): void {
  control[Word.Handle] = relay.index
  control[Word.Generation] = relay.generation
  control[Word.Low] = link >>> 0
  control[Word.High] = Math.floor(link / 2 ** 32)
}

function writeWay(relay: Handle, link: number, direction: Direction): void {
  writeLink(relay, link)
  control[Word.Direction] = direction === 'upstream' ? Way.Upstream : Way.Downstream
}

/** Forwards `count` frames from `first` on of those that wait. As all commands of links, it goes to native threads with a flush. */
export function forwardHanded(relay: Handle, link: number, direction: Direction, first: number, count: number): void {
  writeWay(relay, link, direction)
  control[Word.First] = first
  control[Word.Frames] = count
  relayForward()
  check()
}

/** Forwards a frame that waits with another payload. */
export function replaceHanded(
  relay: Handle,
  link: number,
  direction: Direction,
  frame: number,
  payload: Uint8Array,
): void {
  writeWay(relay, link, direction)
  control[Word.First] = frame
  relayReplace(payload)
  check()
}

/** Forwards `count` frames from `first` on of those that wait, which may be 0, and has the link go on behind all of them. */
export function endHanded(relay: Handle, link: number, direction: Direction, first: number, count: number): void {
  writeWay(relay, link, direction)
  control[Word.First] = first
  control[Word.Frames] = count
  relayDone()
  check()
}

/** Sends a frame on a link. */
export function sendOnLink(
  relay: Handle,
  link: number,
  direction: Direction,
  extensionType: number,
  messageType: number,
  payload: Uint8Array,
): void {
  writeWay(relay, link, direction)
  control[Word.Extension] = extensionType
  control[Word.MessageType] = messageType
  relaySend(payload)
  check()
}

/** Asks for an event when the bytes sent on a link have gone out, as far as they should before more is sent. */
export function watchOutput(relay: Handle, link: number, direction: Direction): void {
  writeWay(relay, link, direction)
  relayWatchOutput()
  check()
}

/** Ends a link when what was sent has gone out. */
export function closeLink(relay: Handle, link: number): void {
  writeLink(relay, link)
  relayClose()
  check()
}

/** Gives the commands of links to native threads. */
export function flushCommands(relay: Handle): void {
  callOn(relay, relayFlush)
}
