import { callOn, control, facade } from './call.js'
import { guarded } from './guarded.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { Word } from './words.js'

const { buddyTry, buddyAllocate, buddyLend, buddyRelease, buddyBuffer, buddyView, buddyWatch, buddyClose } = bound

export type BuddyPoolSettings = import('./binding.cjs').BuddyPoolSettings
export type BuddyPoolReport = import('./binding.cjs').BuddyPoolReport

/** A buffer that native code has given to this isolate. */
export interface BuddyGrant {
  /** Index of its handle. */
  index: number
  /** Generation of its handle. */
  generation: number
  /** Block that it lies in. */
  block: number
  /** Offset in the block, in bytes. */
  offset: number
  /** Capacity in bytes. */
  capacity: number
}

/** Reads the buffer that the last call gave. */
export function readBuddyGrant(into: BuddyGrant): void {
  into.index = control[Word.Handle]!
  into.generation = control[Word.Generation]!
  into.block = control[Word.Block]!
  into.offset = control[Word.Offset]!
  into.capacity = control[Word.Length]!
}

/** Makes a pool. Throws a system error if the system refuses what the settings ask for. */
export function createBuddyPool(settings: BuddyPoolSettings): Handle {
  control[Word.Facade] = facade
  return guarded(() => native.buddyPoolCreate(settings))
}

/** Allocates a buffer of at least `size` bytes into `grant`. Returns false, and leaves `grant` as it was, at the limit. */
export function tryAllocateBuddy(pool: Handle, size: number, grant: BuddyGrant): boolean {
  control[Word.Length] = size
  callOn(pool, buddyTry)
  if (control[Word.Length] === 0) return false
  readBuddyGrant(grant)
  return true
}

/**
 * Requests a buffer of at least `size` bytes. Returns 0 if it is granted at once, and otherwise the number of the wait at whose end
 * `settled` is called. Either way the buffer is in `grant` then.
 */
export function allocateBuddy(pool: Handle, size: number, grant: BuddyGrant, settled: () => void): number {
  control[Word.Length] = size
  callOn(pool, () =>
    buddyAllocate(() => {
      readBuddyGrant(grant)
      settled()
    }),
  )
  const wait = control[Word.Wait]!
  if (wait === 0) readBuddyGrant(grant)
  return wait
}

/** Returns an ArrayBuffer over the memory of one buffer. For debug mode, in which each buffer has memory of its own. */
export function buddyBufferView(buffer: Handle): ArrayBuffer {
  return callOn(buffer, buddyBuffer)
}

/** Releases a buffer. `abandoned`: views of it may still be in use, and keep its memory. */
export function releaseBuddyBuffer(buffer: Handle, abandoned = false): void {
  control[Word.Abandoned] = abandoned ? 1 : 0
  callOn(buffer, buddyRelease)
}

/** Releases a buffer that was collected. */
export function abandonBuddyBuffer(buffer: Handle): void {
  releaseBuddyBuffer(buffer, true)
}

/** Grows a pool by a block that lies in `bytes`, which native code does not access. Returns false if the pool needs none. */
export function lendBuddyBlock(pool: Handle, bytes: Uint8Array): boolean {
  callOn(pool, () => buddyLend(bytes))
  return control[Word.Granted] === 1
}

/** Returns an ArrayBuffer over one block. */
export function buddyBlockView(pool: Handle, block: number): ArrayBuffer {
  control[Word.Block] = block
  return callOn(pool, buddyView)
}

/**
 * Calls `changed`, once, when a shared pool has more than `known` blocks, or is closed and drained (`ended`): at once if that is so,
 * otherwise on a later turn.
 */
export function watchBuddyPool(pool: Handle, known: number, changed: (blocks: number, ended: boolean) => void): void {
  const tell = (): void => changed(control[Word.Block]!, control[Word.Ended] === 1)
  control[Word.Block] = known
  callOn(pool, () => buddyWatch(tell))
  if (control[Word.Wait] === 0) tell()
}

/** Closes a pool. Returns 0 if no buffer is in use, and otherwise the number of the wait at whose end `settled` is called. */
export function closeBuddyPool(pool: Handle, settled: () => void): number {
  callOn(pool, () => buddyClose(settled))
  return control[Word.Wait]!
}

/** Returns the figures of a pool. */
export function buddyPoolReport(pool: Handle): BuddyPoolReport {
  return guarded(() => native.buddyPoolReport(pool))
}

/** Forgets a pool that is closed and drained. */
export function endBuddyPool(pool: Handle): void {
  guarded(() => native.buddyPoolEnd(pool))
}
