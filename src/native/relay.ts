import { callOn, check, control } from './call.js'
import { guarded } from './guarded.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { readSession, type SessionState } from './session.js'
import { Word } from './words.js'

const { linkJoin, linkStep, linkTryComing, linkTryReplacing, linkWait, linkRelease, linkEnd } = bound

/** Makes a relay's memory budget of `limit` bytes, shared out for at most `mostLinks` links. */
export function createRelayMemory(limit: number, mostLinks: number | undefined): Handle {
  return guarded(() => native.relayMemoryCreate(limit, mostLinks))
}

/** Returns the figures of a memory budget. */
export function relayMemoryReport(memory: Handle): import('./binding.cjs').RelayMemoryReport {
  return guarded(() => native.relayMemoryReport(memory))
}

/** Forgets a memory budget that has no links any more. */
export function endRelayMemory(memory: Handle): void {
  guarded(() => native.relayMemoryEnd(memory))
}

/** Reserves memory for a new link of two connections. Returns null if the budget has no room for it. */
export function createLink(memory: Handle): Handle | null {
  return guarded(() => native.linkCreate(memory))
}

function writeLink(link: Handle): void {
  control[Word.Link] = link.index
  control[Word.LinkGeneration] = link.generation
}

/** Charges the memory of a session to a link. */
export function joinLink(link: Handle, session: Handle): void {
  writeLink(link)
  callOn(session, linkJoin)
}

/** A direction through a relay: towards the mining pool, or towards the miner. */
export type Direction = 'upstream' | 'downstream'

/** One way through a link: the frames that `from` receives go out through `to`. */
export interface LinkWay {
  readonly link: Handle
  readonly direction: Direction
  readonly from: Handle
  readonly to: Handle
}

function writeWay({ link, direction, to }: LinkWay): void {
  writeLink(link)
  control[Word.Direction] = direction === 'upstream' ? 0 : 1
  control[Word.Target] = to.index
  control[Word.TargetGeneration] = to.generation
}

/** Steps that one direction of a link needs before it reads more. */
export interface LinkStep {
  /** Reading waits until the output holds no more than this many bytes. */
  drained: number
  /** Payload, in bytes, of the frame that needs a grant of memory first. 0 when none does. */
  payload: number
  /** The most that the next read may bring, in bytes. */
  quota: number
}

/** Asks what must happen before more is read, and writes the answer into `into`. */
export function nextStep(way: LinkWay, into: LinkStep): void {
  writeWay(way)
  callOn(way.from, linkStep)
  into.drained = control[Word.Drained]!
  into.payload = control[Word.Granted]!
  into.quota = control[Word.Quota]!
}

/** Grants memory for a frame that comes in. Returns false if there is not enough now. */
export function tryComing(way: LinkWay, payload: number): boolean {
  return tryGrant(way, payload, linkTryComing)
}

/** Grants memory for a frame that goes out in place of another. Returns false if there is not enough now. */
export function tryReplacing(way: LinkWay, payload: number): boolean {
  return tryGrant(way, payload, linkTryReplacing)
}

function tryGrant(way: LinkWay, payload: number, call: () => void): boolean {
  writeWay(way)
  control[Word.Length] = payload
  call()
  check()
  return control[Word.Granted] === 1
}

/** Begins to wait, in turn, for memory for a frame that comes in. Returns the number of the wait. */
export function waitForGrant(way: LinkWay, payload: number, settled: () => void): number {
  writeWay(way)
  control[Word.Length] = payload
  linkWait(settled)
  check()
  return control[Word.Wait]!
}

/** Gives back what was granted once the output is empty, and writes the state of the session that sends into `into`. */
export function releaseGrants(way: LinkWay, into: SessionState): void {
  writeWay(way)
  linkRelease()
  check()
  readSession(into)
}

/** Gives the memory of a link back to its budget. */
export function endLink(link: Handle): void {
  writeLink(link)
  linkEnd()
  check()
}
