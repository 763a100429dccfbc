import { acquired, released } from '../native/acquired.js'
import { type BuddyPoolSettings, createBuddyPool } from '../native/buddy.js'
import type { Handle } from '../native/handle.js'
import { makeTicket } from '../native/travel.js'
import { nativeWait } from '../native/wait.js'
import type { AllocateOptions } from '../support/allocate.js'
import { zeroArgument } from '../support/allocate.js'
import {
  booleanArgument,
  clear,
  functionArgument,
  integerArgument,
  optionsArgument,
  stringArgument,
} from '../support/arguments.js'
import { FramePoolError, invalidArgType, invalidArgValue, type SystemError } from '../support/errors.js'
import { eventSource, tellClosed, tellCreated, tellOfWait, tellRefused } from '../support/events.js'
import { uncloneable } from '../support/inspectable.js'
import type { Ticket } from '../support/ticket.js'
import { setImmediate } from '../support/timers.js'
import type { WaitOptions } from '../support/wait.js'
import { MAX_TIMEOUT_MS, waitOptions } from '../support/wait.js'
import { type BuddyBuffer, makeBuddyBuffer } from './buddy-buffer.js'
import { arrivedBuddyMemory, newBuddyMemory } from './buddy-memories.js'
import type { BuddyMemory } from './buddy-memory.js'
import type { Lease } from './lease.js'
import { type BlockBackend, LentBlocks } from './lent-blocks.js'
import { BLOCK_SIZE, capacityOf, kindFor } from './sizes.js'

/** Options of `new BuddyPool()`. */
export interface BuddyPoolOptions {
  /**
   * The most memory that blocks may take, in bytes: 1 to 2^53 − 1. Default 256 MiB. Rounded down to whole blocks of 64 MiB, but at least one.
   * (ruapc_bufpool `max_memory`)
   */
  maxMemory?: number
  /**
   * Number of buffers of 1, 4, 16 and 64 MiB that must be free before four free neighbors of that size are merged, 0 to 2^32 − 1 each. They
   * are also merged when a request for a larger buffer waits. Default 16, 8, 2 and 0. The last one is not used. (ruapc_bufpool
   * `merge_watermarks`)
   */
  mergeWatermarks?: [number, number, number, number]
  /**
   * Time that a wait for 4 MiB or more may be passed over before memory is set aside for it, in milliseconds: 0 to 2^31 − 1. Default 50.
   * (ruapc_bufpool `starvation_timeout`)
   */
  starvationTimeoutMs?: number
  /** Empty slabs of 1 MiB that are kept for each of 16, 64 and 256 KiB: 0 to 2^32 − 1. Default 1. (ruapc_bufpool `slab_empty_watermark`) */
  slabEmptyWatermark?: number
  /**
   * Whether each thread keeps free chunks of slabs: at most 1 MiB of 16 KiB, and 2 MiB each of 64 and 256 KiB. Default true. (ruapc_bufpool
   * `thread_cache`)
   */
  threadCache?: boolean
  /** Steps for each new block before anything is allocated from it. */
  block?: {
    /** Whether to ask for transparent huge pages (Linux). Default false. Allocations throw a {@link SystemError} if that is refused. */
    hugePages?: boolean
    /** Whether to keep the block out of swap (Linux). Default false. Allocations throw a {@link SystemError} if that is refused. */
    lock?: boolean
    /** Whether to touch every page, so that none is missing at first use. Default false. */
    prefault?: boolean
    /**
     * Memory that blocks get. `'anonymous'`, the default, is ordinary memory. `'hugetlb'` (Linux) are huge pages that the administrator has
     * set aside. `{ file }` (Linux) is the path of a file that is made, or emptied, and mapped: it has the size of all blocks, and stays
     * when the pool is closed. A file that another pool uses is refused. A {@link BlockBackend} gives memory of your own.
     */
    backend?:
      | 'anonymous'
      | 'hugetlb'
      | {
          /** Path of the file. */
          file: string
        }
      | BlockBackend
    /**
     * Called on a later turn, in the isolate that made the pool, when that first meets the block. An exception from it is an uncaught
     * exception. (ruapc_bufpool `Devices::register`)
     */
    onBlock?: (block: { bytes: number; index: number }) => void
  }
}

/** Figures of a buddy pool: see `BuddyPool.stats()`. */
export interface BuddyPoolStats {
  /** Bytes of all blocks, those that are being mapped included. */
  allocatedMemory: number
  /** Limit of the pool in bytes: `maxMemory` rounded down to whole blocks. */
  maxMemory: number
  /** Blocks of 64 MiB that are mapped. */
  blocks: number
  /** Buffers that are allocated and not yet released. */
  liveBuffers: number
  /** Calls of `allocate()` that wait for memory or for a block. */
  waiting: number
  /** Free buffers of 1, 4, 16 and 64 MiB. Slabs are not free, nor is memory that is set aside for a wait. */
  freeCounts: [number, number, number, number]
  /** Buffers of 1, 4, 16 and 64 MiB that four free ones could be merged into, and were not yet. The first is 0. */
  pendingCounts: [number, number, number, number]
  /** Free chunks of 16, 64 and 256 KiB in slabs, without those in thread caches. */
  slabFreeCounts: [number, number, number]
  /** Buffers in the magazine of this isolate: recently released ones, which the crate counts as allocated. */
  magazine: {
    /** Buffers in the magazine. */
    buffers: number
    /** Total capacity of the buffers in the magazine, in bytes. */
    bytes: number
  }
}

const MAX_WATERMARK = 0xffff_ffff

/** Key with which the constructor makes the pool of a native pool that has arrived. */
const buddyPoolKey = Symbol('framepool.buddy-pool')

let isClosed: (pool: BuddyPool) => boolean

const UNCLONEABLE = Symbol('a BuddyPool is not cloned: post what its share() returns')

/**
 * A pool of buffers of 16 KiB to 64 MiB, out of blocks of 64 MiB that it splits and merges in fours. Blocks are mapped as they are
 * needed, within a limit, and kept until the pool is closed. (ruapc_bufpool `BufferPool`)
 */
export class BuddyPool implements AsyncDisposable {
  readonly #memory: BuddyMemory
  readonly #source = eventSource('buddy-pool')
  #closing: Promise<void> | null = null

  /**
   * Makes a pool. It maps nothing yet. Throws `ERR_NO_MEMORY` when the system has no memory. (ruapc_bufpool `BufferPool::new`)
   *
   * @param options A wrong option throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` or `ERR_OUT_OF_RANGE`.
   */
  constructor(options?: BuddyPoolOptions)
  constructor(options?: BuddyPoolOptions, key?: symbol, arrived?: BuddyMemory) {
    uncloneable(this, UNCLONEABLE)
    if (key === buddyPoolKey) {
      this.#memory = arrived!
      tellCreated(this.#source, arrived!.report().maxMemory)
      return
    }
    const given = optionsArgument(options, 'options')
    const block = optionsArgument(given.block, 'options.block')
    const { onBlock } = block
    if (onBlock !== undefined && typeof onBlock !== 'function') throw invalidArgType('onBlock must be a function')
    const { lent, settings } = settingsOf(given, block)
    const onMet = (index: number): void => {
      if (onBlock !== undefined) setImmediate(onBlock, { bytes: BLOCK_SIZE, index })
    }
    this.#memory = newBuddyMemory(createBuddyPool(settings), onMet, lent)
    acquired(this, 'buddy-pool', this.#memory.handle, abandoning(this.#memory))
    tellCreated(this.#source, this.#memory.report().maxMemory)
  }

  static {
    isClosed = (pool) => pool.#closing !== null
  }

  /**
   * Returns the capacity of the buffer that a request of `size` bytes gets: 16, 64 or 256 KiB, 1, 4, 16 or 64 MiB, in bytes. Throws
   * `ERR_OUT_OF_RANGE` for 0 and above 64 MiB. (ruapc_bufpool `BufferPool::allocation_capacity`)
   */
  static capacityFor(size: number): number {
    return capacityOf(kindOf(size))
  }

  /**
   * Allocates a buffer of at least `size` bytes now. Returns null at the limit. May map a block. Throws `ERR_OUT_OF_RANGE` as
   * `capacityFor()` does, `ERR_NO_MEMORY` if the system has no memory for another block, a {@link SystemError} if it refuses what `block` asks
   * for, what `allocate()` of a {@link BlockBackend} throws, `ERR_BUSY` while that runs, and `ERR_CLOSED` once the pool is closed.
   * (ruapc_bufpool `BufferPool::allocate`)
   */
  tryAllocate(size: number, options?: AllocateOptions): BuddyBuffer | null {
    const kind = kindOf(size)
    const zero = zeroArgument(options)
    const lease = this.#memory.recent(kind) ?? this.#memory.acquire(size)
    if (lease !== null) return this.#lend(lease, zero)
    tellRefused(this.#source, size)
    return null
  }

  /** Allocates a buffer as `tryAllocate()` does, but throws `ERR_MEMORY_LIMIT` at the limit. (ruapc_bufpool `BufferPool::allocate`) */
  allocateSync(size: number, options?: AllocateOptions): BuddyBuffer {
    const buffer = this.tryAllocate(size, options)
    if (buffer === null) {
      throw new FramePoolError('ERR_MEMORY_LIMIT', `no ${BuddyPool.capacityFor(size)} bytes are free within maxMemory`)
    }
    return buffer
  }

  /**
   * Allocates a buffer of at least `size` bytes as soon as there is one. Blocks are mapped on another thread. Waits for the smallest
   * buffers are served first, and equal ones in the order in which they began. A wait that was passed over for `starvationTimeoutMs`
   * has memory set aside for it. Rejects with the errors that `tryAllocate()` throws, with `signal.reason` and with `ERR_TIMEOUT`.
   * (ruapc_bufpool `BufferPool::async_allocate`)
   */
  allocate(size: number, options?: WaitOptions & AllocateOptions): Promise<BuddyBuffer> {
    const memory = this.#memory
    let zero = false
    let recent: Lease | undefined
    let waited = false
    const buffer = nativeWait(
      () => {
        const given = waitOptions(options)
        zero = zeroArgument(options)
        return given
      },
      (settled) => {
        const kind = kindOf(size)
        recent = memory.recent(kind)
        if (recent !== undefined) return 0
        const wait = memory.begin(size, settled)
        waited = wait !== 0
        return wait
      },
      () => this.#lend(recent ?? memory.claim(), zero),
    )
    return waited
      ? tellOfWait(
          this.#source,
          size,
          buffer.finally(() => memory.ended()),
        )
      : buffer
  }

  /** Returns the figures of the pool, even while it is closing and after. (ruapc_bufpool `BufferPool::allocated_memory`, `free_counts`, …) */
  stats(): BuddyPoolStats {
    const { freeCounts, pendingCounts, slabFreeCounts, ...report } = this.#memory.report()
    return {
      ...report,
      freeCounts: freeCounts as BuddyPoolStats['freeCounts'],
      pendingCounts: pendingCounts as BuddyPoolStats['pendingCounts'],
      slabFreeCounts: slabFreeCounts as BuddyPoolStats['slabFreeCounts'],
    }
  }

  /**
   * Returns a ticket with which another isolate of this process can `adopt()` the pool. Both then have one pool with one limit, and keep
   * no released buffers in a magazine. Throws `ERR_CLOSED` once the pool is closed, `ERR_INVALID_STATE` if it has a {@link BlockBackend}:
   * memory of an isolate's own stays there, and `ERR_NO_MEMORY` when the system has no memory. (ruapc_bufpool `Arc<BufferPool>`)
   */
  share(): Ticket<BuddyPool> {
    return { framepool: makeTicket((carrier) => this.#memory.depart(carrier)) }
  }

  /**
   * Closes the pool for all isolates that share it. New requests, and those that wait, fail with `ERR_CLOSED`, and tickets that were
   * not adopted are revoked. Resolves when the last buffer is released, and keeps the process alive until then. The memory goes back
   * at once then, and views of it have length 0. Rejects with the first error that `release()` of a {@link BlockBackend} throws, once all
   * blocks were given back. Idempotent. (Dropping a ruapc_bufpool `BufferPool`)
   */
  close(): Promise<void> {
    this.#closing ??= nativeWait(
      () => ({}),
      (settled) => this.#memory.close(settled),
      () => {
        released(this)
        try {
          this.#memory.end()
        } finally {
          tellClosed(this.#source)
        }
      },
    )
    return this.#closing
  }

  /** Calls `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #lend(lease: Lease, zero: boolean): BuddyBuffer {
    const buffer = makeBuddyBuffer(this.#memory, lease)
    try {
      if (zero) clear(buffer.bytes)
    } catch (error) {
      buffer.release()
      throw error
    }
    return buffer
  }
}

/** Returns whether this isolate has closed `pool`. */
export function isBuddyPoolClosed(pool: BuddyPool): boolean {
  return isClosed(pool)
}

/** Returns the pool of a native pool that has arrived from another isolate. */
export function arrivedBuddyPool(handle: Handle): BuddyPool {
  const Arrived = BuddyPool as new (options: undefined, key: symbol, arrived: BuddyMemory) => BuddyPool
  return new Arrived(undefined, buddyPoolKey, arrivedBuddyMemory(handle))
}

function abandoning(memory: BuddyMemory): () => boolean {
  return () => memory.abandon()
}

function kindOf(size: number): number {
  if (!Number.isInteger(size) || size < 1 || size > BLOCK_SIZE) integerArgument(size, 'size', 1, BLOCK_SIZE)
  return kindFor(size)
}

type BlockOptions = NonNullable<BuddyPoolOptions['block']>

type Backend = Pick<BuddyPoolSettings, 'hugeTlb' | 'file' | 'lent'>

function backendOf(backend: BlockOptions['backend']): { backend: Backend; lent: LentBlocks | null } {
  if (backend === undefined || backend === 'anonymous') return { backend: {}, lent: null }
  if (backend === 'hugetlb') return { backend: { hugeTlb: true }, lent: null }
  const unknown = "backend must be 'anonymous', 'hugetlb', { file } or { allocate, release }"
  if (typeof backend !== 'object' || backend === null) throw invalidArgValue(unknown)
  const { file, allocate, release } = backend as { file?: unknown } & Partial<BlockBackend>
  if (file !== undefined) {
    if (allocate !== undefined || release !== undefined) throw invalidArgValue(unknown)
    const path = stringArgument(file, 'backend.file')
    if (path === '' || path.includes('\0')) throw invalidArgValue('backend.file must be a path')
    return { backend: { file: path }, lent: null }
  }
  if (allocate === undefined && release === undefined) throw invalidArgValue(unknown)
  const methods = [
    functionArgument(allocate!, 'backend.allocate'),
    functionArgument(release!, 'backend.release'),
  ] as const
  return { backend: { lent: true }, lent: new LentBlocks(backend as BlockBackend, ...methods) }
}

function settingsOf(
  options: BuddyPoolOptions,
  block: BlockOptions,
): { settings: BuddyPoolSettings; lent: LentBlocks | null } {
  const { maxMemory, mergeWatermarks, starvationTimeoutMs, slabEmptyWatermark, threadCache } = options
  const { hugePages = false, lock = false, prefault = false } = block
  const { backend, lent } = backendOf(block.backend)
  const settings: BuddyPoolSettings = {
    hugePages: booleanArgument(hugePages, 'hugePages'),
    lock: booleanArgument(lock, 'lock'),
    prefault: booleanArgument(prefault, 'prefault'),
    ...backend,
  }
  if (lent !== null && (hugePages || lock || prefault)) {
    throw invalidArgValue('hugePages, lock and prefault are for memory of the pool, not for a backend of your own')
  }
  if (maxMemory !== undefined) {
    settings.maxMemory = integerArgument(maxMemory, 'maxMemory', 1, Number.MAX_SAFE_INTEGER)
  }
  if (mergeWatermarks !== undefined) {
    if (!Array.isArray(mergeWatermarks) || mergeWatermarks.length !== 4) {
      throw invalidArgType('mergeWatermarks must be an array of four numbers')
    }
    // The array's own map() could return anything.
    settings.mergeWatermarks = [0, 1, 2, 3].map((size) =>
      integerArgument(mergeWatermarks[size], 'a watermark', 0, MAX_WATERMARK),
    )
  }
  if (starvationTimeoutMs !== undefined) {
    settings.starvationTimeoutMs = integerArgument(starvationTimeoutMs, 'starvationTimeoutMs', 0, MAX_TIMEOUT_MS)
  }
  if (slabEmptyWatermark !== undefined) {
    settings.slabEmptyWatermark = integerArgument(slabEmptyWatermark, 'slabEmptyWatermark', 0, MAX_WATERMARK)
  }
  if (threadCache !== undefined) settings.threadCache = booleanArgument(threadCache, 'threadCache')
  return { settings, lent }
}
