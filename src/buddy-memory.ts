import {
  allocateBuddy,
  type BuddyPoolReport,
  type BuddyPoolSettings,
  buddyBlockHidden,
  buddyBlockView,
  buddyBufferView,
  buddyPoolReport,
  closeBuddyPool,
  createBuddyPool,
  endBuddyPool,
  type Handle,
  releaseBuddyBuffer,
  reply,
  replyBuddyBuffer,
  tryAllocateBuddy,
  Word,
} from './boundary.js'
import { DEBUG, trace, untrace } from './debug.js'
import { FramePoolError } from './errors.js'
import { type Kept, Magazine } from './magazine.js'
import { ShownMemory } from './shown-memory.js'

/** What buffers can hold, in bytes; their kinds are the indices. */
const CAPACITIES = [14, 16, 18, 20, 22, 24, 26].map((bits) => 2 ** bits)

export const BLOCK_SIZE = 64 * 2 ** 20

/** The kind of buffer that a request of 1 … `BLOCK_SIZE` bytes gets. */
export function kindFor(size: number): number {
  // Each kind has two bits more than the one before; the first has 14.
  return (33 - Math.clz32((size - 1) >> 14)) >> 1
}

export function capacityOf(kind: number): number {
  return CAPACITIES[kind]!
}

/** One buffer that native code has given to this isolate. */
export class Lease implements Kept {
  readonly handle: Handle
  readonly kind: number
  readonly capacity: number
  readonly block: number
  readonly offset: number
  /** In debug mode: the buffer's own memory. */
  readonly shown: ShownMemory | null
  /** All of its bytes. */
  view: Uint8Array

  constructor(memory: BuddyMemory) {
    this.handle = replyBuddyBuffer()
    this.block = reply(Word.Block)
    this.offset = reply(Word.Offset)
    this.capacity = reply(Word.Length)
    this.kind = kindFor(this.capacity)
    this.shown = DEBUG ? ownMemory(this.handle) : null
    this.view = memory.view(this)
  }
}

/** What this isolate knows of a native buddy pool: the blocks that it was shown, and the buffers that it keeps. */
export class BuddyMemory {
  readonly handle: Handle
  readonly #magazine = new Magazine<Lease>(CAPACITIES)
  readonly #blocks: ShownMemory[] = []
  readonly #onBlock: (index: number) => void
  /** Waits of this isolate that are not over. */
  #waiting = 0
  #closed = false
  /** Nothing is kept of a closed pool, while someone waits, or in debug mode. */
  #keeps = !DEBUG
  /** The last report of a pool whose native part is gone. */
  #final: BuddyPoolReport | null = null

  /** `onBlock` is called as soon as this isolate meets a block. */
  constructor(settings: BuddyPoolSettings, onBlock: (index: number) => void) {
    this.handle = createBuddyPool(settings)
    this.#onBlock = onBlock
    if (DEBUG) trace(this, 'buddy-pool', this.handle, freePool(this.handle))
  }

  checkOpen(): void {
    if (this.#closed) throw new FramePoolError('ERR_CLOSED', 'the pool is closed')
  }

  /** A buffer that was kept. There is none once the pool is closed, or while someone waits. */
  recent(kind: number): Lease | undefined {
    return this.#magazine.take(kind)
  }

  /** A buffer from native code; null at the limit. */
  acquire(size: number): Lease | null {
    this.checkOpen()
    if (tryAllocateBuddy(this.handle, size)) return this.claim()
    return this.#emptyMagazine() && tryAllocateBuddy(this.handle, size) ? this.claim() : null
  }

  /** Begins a wait: see `allocateBuddy`. */
  begin(size: number, settled: () => void): number {
    this.checkOpen()
    const wait = allocateBuddy(this.handle, size, settled)
    if (wait !== 0) {
      this.#waiting++
      this.#keeps = false
      this.#emptyMagazine()
    }
    return wait
  }

  /** A wait that has begun is over. */
  ended(): void {
    this.#waiting--
    this.#keeps = this.#waiting === 0 && !this.#closed && !DEBUG
  }

  /** The buffer that the last call gave. */
  claim(): Lease {
    this.#meetBlocks(reply(Word.Block) + 1)
    return new Lease(this)
  }

  view({ block, offset, capacity, shown }: Lease): Uint8Array {
    return shown === null ? this.#blocks[block]!.view(offset, capacity) : shown.view(0, capacity)
  }

  release(lease: Lease): void {
    if (this.#keeps && this.#magazine.keep(lease)) return
    releaseBuddyBuffer(lease.handle, lease.shown === null || lease.shown.hide())
  }

  report(): BuddyPoolReport & { magazine: { buffers: number; bytes: number } } {
    const report = this.#final ?? buddyPoolReport(this.handle)
    this.#meetBlocks(report.blocks)
    const magazine = this.#magazine.stats()
    return { ...report, liveBuffers: report.liveBuffers - magazine.buffers, magazine }
  }

  /** Refuses everything but releases; see `closeBuddyPool`. */
  close(settled: () => void): number {
    this.#closed = true
    this.#keeps = false
    this.#emptyMagazine()
    return closeBuddyPool(this.handle, settled)
  }

  /** The pool is closed and drained: its memory goes back. */
  end(): void {
    const { maxMemory } = buddyPoolReport(this.handle)
    const none = { allocatedMemory: 0, blocks: 0, liveBuffers: 0, waiting: 0 }
    const counts = { freeCounts: [0, 0, 0, 0], pendingCounts: [0, 0, 0, 0], slabFreeCounts: [0, 0, 0] }
    this.#final = { maxMemory, ...none, ...counts }
    this.#blocks.forEach((block, index) => {
      if (block.hide()) buddyBlockHidden(this.handle, index)
    })
    endBuddyPool(this.handle)
    if (DEBUG) untrace(this)
  }

  /** False if it was empty. */
  #emptyMagazine(): boolean {
    const leases = this.#magazine.empty()
    for (const { handle } of leases) releaseBuddyBuffer(handle, true)
    return leases.length > 0
  }

  #meetBlocks(count: number): void {
    for (let index = this.#blocks.length; index < count; index++) {
      this.#blocks.push(new ShownMemory(() => buddyBlockView(this.handle, index)))
      this.#onBlock(index)
    }
  }
}

function ownMemory(buffer: Handle): ShownMemory {
  return new ShownMemory(() => buddyBufferView(buffer))
}

function freePool(handle: Handle): () => void {
  return () => endBuddyPool(handle)
}
