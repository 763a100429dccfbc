import type { ShownMemory } from '../native/shown-memory.js'
import type { Carrier } from '../native/transfer.js'
import { FramePoolError } from '../support/errors.js'
import type { WaitOptions } from '../support/wait.js'

/** Only framepool makes ring halves. */
export const ringKey = Symbol('framepool.ring')

/** What a producer or consumer works on: one half of a byte ring, or a session's output. */
export interface RingSource {
  /** The most that can ever be available, in bytes: a power of two. */
  readonly size: number
  /** What `memory` is now, in bytes: a power of two. A session's output grows up to `size`. */
  readonly memorySize: number
  /** Bytes to write, or to read. */
  readonly available: number
  /** Bytes ever written, or read, modulo 2^64. */
  readonly position: bigint
  /** Where in the ring the first available byte lies. */
  readonly offset: number
  /** The other half will do nothing any more. */
  readonly otherEnded: boolean
  readonly memory: ShownMemory
  /** True while someone uses views of the ring, or natively the half itself: it must neither move on nor be freed. */
  lent: boolean
  /** At least `wanted`, if there is so much; otherwise all that is available. */
  atLeast(wanted: number): number
  /** Throws if this half can do nothing any more. */
  checkUsable(): void
  /** A stream has this half from here on: it is lent until `giveUp()`. Throws if it can do nothing any more or is in use. */
  takeOver(): void
  /** The stream has closed: a ring's half is released, a session's output is the session's again. */
  giveUp(): void
  /** `count` available bytes were written, or read. */
  advance(count: number): void
  /** The views are used no more: the half is not lent any longer, and moves on by `count` bytes. */
  giveBack(count: number): void
  /** Resolves with what is available once that is `bytes`, or when no more will come. */
  wait(bytes: number, options: WaitOptions | undefined): Promise<number>
  waitSync(bytes: number, timeoutMs: number): number
  /** Moves what can be moved now between the ring and `fd`; null: nothing can. */
  transfer(fd: number): number | null
  /** The same as soon as it can be done. */
  transferAsync(fd: number, options: WaitOptions | undefined): Promise<number>
  end(): void
  release(): boolean
  /** This half leaves the isolate by `carrier`. If that throws, it has not. */
  depart(carrier: Carrier): void
}

export function checkFree(source: RingSource): void {
  source.checkUsable()
  checkIdle(source)
}

export function checkIdle(source: RingSource): void {
  if (source.lent) throw new FramePoolError('ERR_BUSY', 'this half of the ring is in use')
}

/** The first `count` available bytes as views: two where they wrap, otherwise the second is empty. */
export function views({ memory, memorySize, offset }: RingSource, count: number): [Uint8Array, Uint8Array] {
  const first = Math.min(count, memorySize - offset)
  return [memory.view(offset, first), memory.view(0, count - first)]
}

type Bufs = [Uint8Array, Uint8Array]

/** Lends what is available to `use`, which says how many bytes of it it has dealt with. */
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

/** The same, until the promise that `use` gives has settled. */
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
