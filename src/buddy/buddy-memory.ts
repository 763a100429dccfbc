import {
  allocateBuddy,
  type BuddyGrant,
  type BuddyPoolReport,
  buddyBlockView,
  buddyPoolReport,
  closeBuddyPool,
  endBuddyPool,
  lendBuddyBlock,
  releaseBuddyBuffer,
  tryAllocateBuddy,
  watchBuddyPool,
} from '../native/buddy.js'
import type { Handle } from '../native/handle.js'
import { ShownMemory } from '../native/shown-memory.js'
import { type Carrier, departBuddyHandle, departBuddyPool } from '../native/travel.js'
import { FramePoolError } from '../support/errors.js'
import { Lease } from './lease.js'
import type { LentBlocks } from './lent-blocks.js'
import { Magazine } from './magazine.js'
import { CAPACITIES } from './sizes.js'

/** Memories by the index of their handle: an isolate has one for each pool, however often the pool arrives. */
const memories = new Map<number, BuddyMemory>()

/** State of a native buddy pool in this isolate: the blocks that it has seen, and the buffers in its magazine. */
export class BuddyMemory {
  readonly handle: Handle
  readonly #magazine = new Magazine<Lease>(CAPACITIES)
  readonly #blocks: { memory: ShownMemory; start: number }[] = []
  readonly #onBlock: (index: number) => void
  /** The blocks, if a script lends them. Such a pool stays in its isolate. */
  readonly #lent: LentBlocks | null
  /** The last buffer that native code gave, which is leased at once. */
  readonly #grant: BuddyGrant = { index: 0, generation: 0, block: 0, offset: 0, capacity: 0 }
  /** Waits of this isolate that are not over. */
  #waiting = 0
  #closed = false
  /** Whether other isolates have the pool, too. */
  #shared = false
  /** Whether released buffers are kept. A pool that is closed or shared keeps none, and no pool does while a request waits. */
  #keeps = true
  /** Whether the pool was collected. */
  #abandoned = false
  /** Last figures, once the native part is gone. */
  #final: BuddyPoolReport | null = null

  /** `onBlock` is called as soon as this isolate meets a block. */
  constructor(handle: Handle, onBlock: (index: number) => void, lent: LentBlocks | null = null) {
    this.handle = handle
    this.#onBlock = onBlock
    this.#lent = lent
    memories.set(handle.index, this)
  }

  /**
   * Notes that other isolates have the pool, too. Buffers in the magazine go back, because every isolate may allocate them from now on.
   * Other isolates may map blocks, which this one then learns of, or close the pool, after which this one shows no memory.
   */
  share(): void {
    if (this.#shared) return
    this.#shared = true
    this.#keeps = false
    this.#emptyMagazine()
    this.#watch()
  }

  #watch(): void {
    watchBuddyPool(this.handle, this.#blocks.length, (blocks, ended) => {
      if (ended) {
        this.end()
      } else {
        this.meetBlocks(blocks)
        this.#watch()
      }
    })
  }

  /** Sends the pool itself to another isolate, too, by `carrier`. Throws `ERR_CLOSED` once it is closed. */
  depart(carrier: Carrier): void {
    this.checkOpen()
    this.#checkMovable()
    departBuddyPool(this.handle, carrier)
    // No isolate can have adopted it yet.
    this.share()
  }

  /** Sends a buffer of `length` bytes to another isolate by `carrier`. If that throws, the buffer has not left. */
  departBuffer(lease: Lease, length: number, carrier: Carrier): void {
    this.#checkMovable()
    departBuddyHandle(lease.handle, length, carrier)
  }

  /** Throws `ERR_CLOSED` once the pool is closed. */
  checkOpen(): void {
    if (this.#closed) throw new FramePoolError('ERR_CLOSED', 'the pool is closed')
  }

  /** Returns a buffer that was kept. There is none once the pool is closed, or while a request waits. */
  recent(kind: number): Lease | undefined {
    return this.#magazine.take(kind)
  }

  #checkMovable(): void {
    if (this.#lent === null) return
    throw new FramePoolError(
      'ERR_INVALID_STATE',
      'a pool whose blocks a script lends stays in its thread, with its buffers',
    )
  }

  /** Returns a buffer from native code, or null at the limit. */
  acquire(size: number): Lease | null {
    this.checkOpen()
    return this.#take(size) ? this.lease(this.#grant) : null
  }

  /** Allocates a buffer natively into `#grant`. Returns false at the limit. */
  #take(size: number): boolean {
    const grant = this.#grant
    if (tryAllocateBuddy(this.handle, size, grant)) return true
    if (this.#emptyMagazine() && tryAllocateBuddy(this.handle, size, grant)) return true
    if (this.#lent === null || !this.#mayGrow()) return false
    this.#lent.grow((bytes) => {
      this.checkOpen()
      return lendBuddyBlock(this.handle, bytes)
    })
    this.checkOpen()
    return tryAllocateBuddy(this.handle, size, grant)
  }

  /** Returns whether the pool may have one more block. */
  #mayGrow(): boolean {
    const { allocatedMemory, maxMemory } = buddyPoolReport(this.handle)
    return allocatedMemory < maxMemory
  }

  /** Requests a buffer, as `allocateBuddy()` does. Once it is granted, `claim()` returns it. */
  begin(size: number, settled: () => void): number {
    this.checkOpen()
    // Only this thread can ask a script for a block, so nothing waits for one.
    if (this.#lent !== null && this.#mayGrow() && this.#take(size)) return 0
    const wait = allocateBuddy(this.handle, size, this.#grant, settled)
    if (wait !== 0) {
      this.#waiting++
      this.#keeps = false
      this.#emptyMagazine()
    }
    return wait
  }

  /** Whether a script lends the blocks. */
  protected get isLent(): boolean {
    return this.#lent !== null
  }

  /** Returns the buffer that was just granted to a request of `begin()`. */
  claim(): Lease {
    return this.lease(this.#grant)
  }

  /** Notes that a wait which `begin()` has begun is over. */
  ended(): void {
    this.#waiting--
    this.#keeps = this.#waiting === 0 && !this.#closed && !this.#shared && !this.#abandoned
  }

  /** Returns the lease of a buffer that native code gave. */
  lease(grant: BuddyGrant): Lease {
    this.meetBlocks(grant.block + 1)
    const { memory, start } = this.#blocks[grant.block]!
    try {
      return new Lease(grant, memory, start + grant.offset)
    } catch (error) {
      releaseBuddyBuffer(grant)
      throw error
    }
  }

  /** Keeps a buffer that was released, or gives it back. */
  release(lease: Lease): void {
    if (!this.#keeps || !this.#magazine.keep(lease)) this.giveBack(lease)
  }

  /** Gives a buffer back to native code. */
  protected giveBack(lease: Lease): void {
    releaseBuddyBuffer(lease.handle)
    if (this.#abandoned && !this.#closed) this.#closeIfUnused()
  }

  /** Returns the figures of the pool. Buffers in the magazine count as free. */
  report(): BuddyPoolReport & { magazine: { buffers: number; bytes: number } } {
    const report = this.#final ?? buddyPoolReport(this.handle)
    this.meetBlocks(report.blocks)
    const magazine = this.#magazine.stats()
    return { ...report, liveBuffers: report.liveBuffers - magazine.buffers, magazine }
  }

  /** Refuses everything but releases, and closes the native pool as `closeBuddyPool()` does. */
  close(settled: () => void): number {
    if (this.#final !== null) return 0
    this.#closed = true
    this.#keeps = false
    this.#emptyMagazine()
    return closeBuddyPool(this.handle, settled)
  }

  /** Gives the memory of the pool back, which is closed and drained. Idempotent: another isolate may have closed it, too. */
  end(): void {
    if (this.#final !== null) return
    this.#closed = true
    const { maxMemory } = buddyPoolReport(this.handle)
    const none = { allocatedMemory: 0, blocks: 0, liveBuffers: 0, waiting: 0 }
    const counts = { freeCounts: [0, 0, 0, 0], pendingCounts: [0, 0, 0, 0], slabFreeCounts: [0, 0, 0] }
    this.#final = { maxMemory, ...none, ...counts }
    endBuddyPool(this.handle)
    memories.delete(this.handle.index)
    this.#lent?.giveBack()
  }

  /** Notes that the pool was collected, and closes it with its last buffer. Returns false if it was closed before. */
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
    // Live buffers still need it, and other isolates may have it.
    if (this.#shared || liveBuffers > 0 || waiting > 0) return
    if (this.close(() => this.end()) === 0) this.end()
  }

  /** Gives back what was kept. Returns false if nothing was. */
  #emptyMagazine(): boolean {
    const leases = this.#magazine.empty()
    for (const { handle } of leases) releaseBuddyBuffer(handle)
    return leases.length > 0
  }

  /** Notes that the pool has `count` blocks. */
  protected meetBlocks(count: number): void {
    for (let index = this.#blocks.length; index < count; index++) {
      const native = (): ArrayBuffer => buddyBlockView(this.handle, index)
      this.#blocks.push(this.#lent?.show(index) ?? { memory: new ShownMemory(native), start: 0 })
      this.#onBlock(index)
    }
  }
}

/** Returns what this isolate knows of a native pool, or undefined if it has not met it. */
export function knownBuddyMemory(pool: Handle): BuddyMemory | undefined {
  return memories.get(pool.index)
}
