import {
  allocateBuddy,
  type BuddyPoolReport,
  buddyBlockView,
  buddyBufferView,
  buddyPoolReport,
  closeBuddyPool,
  endBuddyPool,
  releaseBuddyBuffer,
  tryAllocateBuddy,
  watchBuddyPool,
} from '../native/buddy.js'
import { reply, replyHandle } from '../native/call.js'
import type { Handle } from '../native/handle.js'
import { ShownMemory } from '../native/shown-memory.js'
import { DEBUG } from '../native/trace.js'
import { type Carrier, depart } from '../native/transfer.js'
import { Kind, Word } from '../native/words.js'
import { FramePoolError } from '../support/errors.js'
import { type Kept, Magazine } from './magazine.js'

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
    this.handle = replyHandle()
    this.block = reply(Word.Block)
    this.offset = reply(Word.Offset)
    this.capacity = reply(Word.Length)
    this.kind = kindFor(this.capacity)
    this.shown = DEBUG ? ownMemory(this.handle) : null
    memory.meetBlocks(this.block + 1)
    this.view = memory.view(this)
  }
}

/** By the index of their handle: an isolate has one for each pool, however often that arrives. */
const memories = new Map<number, BuddyMemory>()

/** What this isolate knows of a native buddy pool: the blocks that it was shown, and the buffers that it keeps. */
export class BuddyMemory {
  readonly handle: Handle
  readonly #magazine = new Magazine<Lease>(CAPACITIES)
  readonly #blocks: ShownMemory[] = []
  readonly #onBlock: (index: number) => void
  /** Waits of this isolate that are not over. */
  #waiting = 0
  #closed = false
  /** Other isolates have the pool, too. */
  #shared = false
  /** Nothing is kept of a pool that is closed or shared, while someone waits, or in debug mode. */
  #keeps = !DEBUG
  /** The pool was collected. */
  #abandoned = false
  /** The last report of a pool whose native part is gone. */
  #final: BuddyPoolReport | null = null

  /** `onBlock` is called as soon as this isolate meets a block. */
  constructor(handle: Handle, onBlock: (index: number) => void) {
    this.handle = handle
    this.#onBlock = onBlock
    memories.set(handle.index, this)
  }

  /** That of a pool which has arrived. */
  static arrived(handle: Handle): BuddyMemory {
    const memory = memories.get(handle.index) ?? new BuddyMemory(handle, () => {})
    memory.share()
    return memory
  }

  /** That of a pool of which a buffer has arrived, and the buffer. */
  static arrivedWith(handle: Handle): { memory: BuddyMemory; lease: Lease } {
    const known = memories.get(handle.index)
    const memory = known ?? new BuddyMemory(handle, () => {})
    const lease = memory.claim()
    if (known === undefined) memory.share()
    return { memory, lease }
  }

  /**
   * What this isolate kept, all may have from here on. Others may map blocks or close the pool: then this isolate meets the
   * blocks, or shows no memory any more.
   */
  share(): void {
    if (this.#shared) return
    this.#shared = true
    this.#keeps = false
    this.#emptyMagazine()
    this.#watch()
  }

  #watch(): void {
    const changed = (): void => {
      if (reply(Word.Ended) === 1) {
        this.end()
      } else {
        this.meetBlocks(reply(Word.Block))
        this.#watch()
      }
    }
    watchBuddyPool(this.handle, this.#blocks.length, changed)
    if (reply(Word.Wait) === 0) changed()
  }

  /** The pool itself goes to another isolate, too, by `carrier`. */
  depart(carrier: Carrier): void {
    this.checkOpen()
    depart(Kind.BuddyPool, this.handle, carrier)
    // Nobody can have adopted it yet.
    this.share()
  }

  departBuffer(lease: Lease, length: number, carrier: Carrier): void {
    depart(Kind.BuddyBuffer, lease.handle, carrier, length)
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
    this.#keeps = this.#waiting === 0 && !this.#closed && !this.#shared && !this.#abandoned && !DEBUG
  }

  /** The buffer that the last call gave. */
  claim(): Lease {
    return new Lease(this)
  }

  view({ block, offset, capacity, shown }: Lease): Uint8Array {
    return shown === null ? this.#blocks[block]!.view(offset, capacity) : shown.view(0, capacity)
  }

  release(lease: Lease): void {
    if (this.#keeps && this.#magazine.keep(lease)) return
    releaseBuddyBuffer(lease.handle)
    if (this.#abandoned && !this.#closed) this.#closeIfUnused()
  }

  report(): BuddyPoolReport & { magazine: { buffers: number; bytes: number } } {
    const report = this.#final ?? buddyPoolReport(this.handle)
    this.meetBlocks(report.blocks)
    const magazine = this.#magazine.stats()
    return { ...report, liveBuffers: report.liveBuffers - magazine.buffers, magazine }
  }

  /** Refuses everything but releases; see `closeBuddyPool`. */
  close(settled: () => void): number {
    if (this.#final !== null) return 0
    this.#closed = true
    this.#keeps = false
    this.#emptyMagazine()
    return closeBuddyPool(this.handle, settled)
  }

  /** The pool is closed and drained: its memory goes back. Idempotent: another isolate may have closed it, too. */
  end(): void {
    if (this.#final !== null) return
    this.#closed = true
    const { maxMemory } = buddyPoolReport(this.handle)
    const none = { allocatedMemory: 0, blocks: 0, liveBuffers: 0, waiting: 0 }
    const counts = { freeCounts: [0, 0, 0, 0], pendingCounts: [0, 0, 0, 0], slabFreeCounts: [0, 0, 0] }
    this.#final = { maxMemory, ...none, ...counts }
    endBuddyPool(this.handle)
    memories.delete(this.handle.index)
  }

  /** Nobody has the pool here any more who could close it: it is closed with its last buffer. False if that was done. */
  abandon(): boolean {
    if (this.#closed || this.#final !== null) return false
    this.#abandoned = true
    this.#keeps = false
    this.#emptyMagazine()
    this.#closeIfUnused()
    return true
  }

  #closeIfUnused(): void {
    const { liveBuffers, waiting } = buddyPoolReport(this.handle)
    // What is alive still needs it, and others may have it.
    if (this.#shared || liveBuffers > 0 || waiting > 0) return
    if (this.close(() => this.end()) === 0) this.end()
  }

  /** False if it was empty. */
  #emptyMagazine(): boolean {
    const leases = this.#magazine.empty()
    for (const { handle } of leases) releaseBuddyBuffer(handle)
    return leases.length > 0
  }

  /** There are so many blocks. */
  meetBlocks(count: number): void {
    for (let index = this.#blocks.length; index < count; index++) {
      this.#blocks.push(new ShownMemory(() => buddyBlockView(this.handle, index)))
      this.#onBlock(index)
    }
  }
}

function ownMemory(buffer: Handle): ShownMemory {
  return new ShownMemory(() => buddyBufferView(buffer))
}
