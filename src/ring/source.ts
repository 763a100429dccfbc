import type { ShownMemory } from '../native/shown-memory.js'
import type { Carrier } from '../native/travel.js'
import { FramePoolError } from '../support/errors.js'
import type { WaitOptions } from '../support/wait.js'

/** The bytes that a producer or a consumer works on: one half of a byte ring, or a session's output. */
export interface RingSource {
  /** The most that can ever be available, in bytes: a power of two. */
  readonly size: number
  /** Size of `memory` at present, in bytes: a power of two. A session's output grows up to `size`. */
  readonly memorySize: number
  /** Bytes that can be written or read. */
  readonly available: number
  /** Bytes ever written or read, modulo 2^64. */
  readonly position: bigint
  /** Offset of the first available byte in the ring. */
  readonly offset: number
  /** Whether the other half has ended or was released. */
  readonly otherEnded: boolean
  readonly memory: ShownMemory
  /** Whether views of the ring, or native code's half, are in use. The half must then neither advance nor be freed. */
  lent: boolean
  /** Ends, releases and moves the half, for its holder. Null for a session's output, which the session owns. */
  readonly owned: OwnedHalf | null
  /** Returns at least `wanted` if that many bytes are available, and otherwise the number of available bytes. */
  atLeast(wanted: number): number
  /** Throws if this half can do nothing any more. */
  checkUsable(): void
  /** Lends this half to a stream until `giveUp()`. Throws if it can do nothing any more or is in use. */
  takeOver(): void
  /** Takes this half back from a stream that has closed: a ring's half is released, a session's output is the session's again. */
  giveUp(): void
  /** Moves on by `count` available bytes that were written or read. */
  advance(count: number): void
  /** Ends the loan of the views, and moves on by `count` bytes. */
  giveBack(count: number): void
  /** Resolves with the bytes available once there are `bytes`, or when no more will come. */
  wait(bytes: number, options: WaitOptions | undefined): Promise<number>
  /** Waits as `wait()` does, but blocks this thread. */
  waitSync(bytes: number, timeoutMs: number): number
  /** Moves what can be moved now between the ring and `fd`. Returns the number of bytes, or null if nothing can be moved now. */
  transfer(fd: number): number | null
  /** Moves bytes between the ring and `fd` as soon as any can be moved. */
  transferAsync(fd: number, options: WaitOptions | undefined): Promise<number>
}

/** A half of a byte ring that belongs to its holder. */
export interface OwnedHalf {
  /** Ends this half. It can do nothing more, and `ended` of the other half is true. Does nothing the second time. */
  end(): void
  /** Releases this half. Returns true the first time, and false after that. */
  release(): boolean
  /** Sends this half out of the isolate by `carrier`. If that throws, the half stays. */
  depart(carrier: Carrier): void
}

/** Throws if `source` can do nothing any more, and `ERR_BUSY` if it is in use. */
export function checkFree(source: RingSource): void {
  source.checkUsable()
  checkIdle(source)
}

/** Throws `ERR_BUSY` if `source` is in use. */
export function checkIdle(source: RingSource): void {
  if (source.lent) throw new FramePoolError('ERR_BUSY', 'this half of the ring is in use')
}

type Bufs = [Uint8Array, Uint8Array]

const NOTHING = new Uint8Array(0)

/** Returns the first `count` available bytes as two views. The second is empty unless the bytes wrap. */
export function views({ memory, memorySize, offset }: RingSource, count: number): Bufs {
  const first = Math.min(count, memorySize - offset)
  // One array of no bytes serves all, since nobody can put any into it.
  return [memory.view(offset, first), first === count ? NOTHING : memory.view(0, count - first)]
}

/** Lends the available bytes to `use`, which returns the number of bytes that it has dealt with. */
export function ioSlices(source: RingSource, use: (bufs: Bufs, length: number) => number): number {
  checkFree(source)
  const length = source.available
  const bufs = views(source, length)
  source.lent = true
  let count = 0
  try {
    count = checkCount(use(bufs, length), length)
  } finally {
    source.giveBack(count)
  }
  return count
}

/** Lends what is available to `use` until the promise that it returns has settled. */
export async function ioSlicesAsync(
  source: RingSource,
  use: (bufs: Bufs, length: number) => Promise<number>,
): Promise<number> {
  checkFree(source)
  const length = source.available
  const bufs = views(source, length)
  source.lent = true
  let count = 0
  try {
    count = checkCount(await use(bufs, length), length)
  } finally {
    source.giveBack(count)
  }
  return count
}

function checkCount(count: number, length: number): number {
  if (!Number.isInteger(count) || count < 0 || count > length) {
    const told = typeof count === 'number' ? count : typeof count
    throw new FramePoolError('ERR_INVALID_COUNT', `the callback returned ${told} where ${length} bytes were offered`)
  }
  return count
}
