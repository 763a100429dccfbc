import { check, control, guarded, showing } from './call.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { Word } from './words.js'

const { linkJoin, linkStep, linkTryComing, linkTryReplacing, linkWait, linkRelease, linkEnd } = bound

export function createRelayMemory(limit: number, mostLinks: number | undefined): Handle {
  return guarded(() => native.relayMemoryCreate(limit, mostLinks))
}

export function relayMemoryReport(memory: Handle): import('./binding.cjs').RelayMemoryReport {
  return guarded(() => native.relayMemoryReport(memory))
}

export function endRelayMemory(memory: Handle): void {
  guarded(() => native.relayMemoryEnd(memory))
}

/** What a new link of two connections needs; null if the budget has no room for it. */
export function createLink(memory: Handle): Handle | null {
  return guarded(() => native.linkCreate(memory))
}

function writeLink(link: Handle): void {
  control[Word.Link] = link.index
  control[Word.LinkGeneration] = link.generation
}

export function joinLink(link: Handle, session: Handle): void {
  writeLink(link)
  showing(session, linkJoin)
}

/** One way through a link: the frames that `from` receives go out through `to`. */
export interface LinkDirection {
  readonly link: Handle
  /** 0 upstream, 1 downstream. */
  readonly direction: number
  readonly from: Handle
  readonly to: Handle
}

function writeDirection({ link, direction, to }: LinkDirection): void {
  writeLink(link)
  control[Word.Direction] = direction
  control[Word.Target] = to.index
  control[Word.TargetGeneration] = to.generation
}

/** What must happen before more is read. Out: Drained, Granted (0: nothing), Quota. */
export function nextStep(way: LinkDirection): void {
  writeDirection(way)
  showing(way.from, linkStep)
}

/** Memory for a frame that comes, now; false if there is not enough. */
export function tryComing(way: LinkDirection, payload: number): boolean {
  return tryGrant(way, payload, linkTryComing)
}

/** The same for one that goes out in place of another. */
export function tryReplacing(way: LinkDirection, payload: number): boolean {
  return tryGrant(way, payload, linkTryReplacing)
}

function tryGrant(way: LinkDirection, payload: number, call: () => void): boolean {
  writeDirection(way)
  control[Word.Length] = payload
  call()
  check()
  return control[Word.Granted] === 1
}

/** Memory for a frame that comes, in turn. The wait that has begun, at whose end `settled` is called. */
export function waitForGrant(way: LinkDirection, payload: number, settled: () => void): number {
  writeDirection(way)
  control[Word.Length] = payload
  linkWait(settled)
  check()
  return control[Word.Wait]!
}

/** Gives back what was granted, once the output is empty. Out: the words of the session that writes. */
export function releaseGrants(way: LinkDirection): void {
  writeDirection(way)
  linkRelease()
  check()
}

export function endLink(link: Handle): void {
  writeLink(link)
  linkEnd()
  check()
}
