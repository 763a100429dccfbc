import { acquired, released } from '../native/acquired.js'
import { type BuddyPoolSettings, createBuddyPool } from '../native/buddy.js'
import { makeTicket } from '../native/transfer.js'
import { nativeWait } from '../native/wait.js'
import { booleanArgument, clear, integerArgument, optionsArgument } from '../support/arguments.js'
import { FramePoolError, invalidArgType } from '../support/errors.js'
import { setImmediate } from '../support/timers.js'
import type { AllocateOptions, WaitOptions } from '../support/wait.js'
import { MAX_TIMEOUT_MS, waitOptions } from '../support/wait.js'
import type { Ticket } from '../threads/ticket.js'
import { BuddyBuffer, buddyKey } from './buddy-buffer.js'
import { BLOCK_SIZE, BuddyMemory, capacityOf, kindFor, type Lease } from './buddy-memory.js'

/** Options of `new BuddyPool()`. */
export interface BuddyPoolOptions {
  /** In bytes; default 256 MiB. Rounded down to whole blocks of 64 MiB, at least one. */
  maxMemory?: number
  /**
   * For 1, 4, 16 and 64 MiB, default 16, 8, 2, 0: four free neighbors are merged only when at least that many buffers of
   * their size are free, or a larger one is waited for. The last one is not used.
   */
  mergeWatermarks?: [number, number, number, number]
  /** In milliseconds, default 50: how long a wait for 4 MiB or more may be passed over before memory is set aside for it. */
  starvationTimeoutMs?: number
  /** Empty slabs, 1 MiB each, that are kept for each of 16, 64 and 256 KiB. Default 1. */
  slabEmptyWatermark?: number
  /** Whether each thread keeps free chunks of slabs: up to 1 MiB of 16 KiB, 2 MiB of 64 and of 256 KiB. Default true. */
  threadCache?: boolean
  /** What happens to each new block before anything is allocated from it. */
  block?: {
    /** Asks for transparent huge pages (Linux). Refused: `ERR_SYSTEM`. */
    hugePages?: boolean
    /** Keeps it out of swap (Linux). Refused: `ERR_SYSTEM`, whose message names the limit. */
    lock?: boolean
    /** Touches every page, so that none is missing at first use. */
    prefault?: boolean
    /** Called on a later turn, in the isolate that made the pool, when it first meets the block. */
    onBlock?: (block: { bytes: number; index: number }) => void
  }
}

/** Figures of a buddy pool: see `BuddyPool.stats()`. */
export interface BuddyPoolStats {
  /** Bytes of the blocks there are, and of those that are being mapped. */
  allocatedMemory: number
  /** Limit of the pool, in bytes: `maxMemory` rounded down to whole blocks. */
  maxMemory: number
  /** Blocks of 64 MiB that are mapped. */
  blocks: number
  /** Buffers that were allocated and not released. */
  liveBuffers: number
  /** `allocate()` calls that wait, for memory or for a block. */
  waiting: number
  /** Free buffers of 1, 4, 16 and 64 MiB. Slabs, and memory set aside for a wait, are not free. */
  freeCounts: [number, number, number, number]
  /** Buffers of 1, 4, 16 and 64 MiB that could be merged out of four free ones, and were not yet. The first is 0. */
  pendingCounts: [number, number, number, number]
  /** Free chunks of 16, 64 and 256 KiB in slabs, without those in thread caches. */
  slabFreeCounts: [number, number, number]
  /** Buffers kept by this isolate's magazine, and their bytes: free to the user, acquired to the crate. */
  magazine: {
    /** Buffers in the magazine. */
    buffers: number
    /** Bytes of those buffers. */
    bytes: number
  }
}

const MAX_WATERMARK = 0xffff_ffff

/**
 * ruapc_bufpool's `BufferPool`: buffers of 16 KiB to 64 MiB out of blocks of 64 MiB, split and merged in fours, within a
 * limit. Blocks are mapped as they are needed and kept until the pool is closed.
 */
export class BuddyPool implements AsyncDisposable {
  readonly #memory: BuddyMemory
  #closing: Promise<void> | null = null

  /** Nothing is mapped yet. Wrong options: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`. */
  constructor(options?: BuddyPoolOptions) {
    if (options instanceof BuddyMemory) {
      // One that has arrived from another isolate.
      this.#memory = options
      return
    }
    const given = optionsArgument(options, 'options')
    const block = optionsArgument(given.block, 'options.block')
    const { onBlock } = block
    if (onBlock !== undefined && typeof onBlock !== 'function') throw invalidArgType('onBlock must be a function')
    this.#memory = new BuddyMemory(createBuddyPool(settingsOf(given, block)), (index) => {
      if (onBlock !== undefined) setImmediate(onBlock, { bytes: BLOCK_SIZE, index })
    })
    acquired(this, 'buddy-pool', this.#memory.handle, abandoning(this.#memory))
  }

  /** What a request of `size` bytes gets: 16, 64 or 256 KiB, 1, 4, 16 or 64 MiB. 0 and above 64 MiB: `ERR_OUT_OF_RANGE`. */
  static capacityFor(size: number): number {
    return capacityOf(kindOf(size))
  }

  /** A buffer of at least `size` bytes now; null at the limit. May map a block. `size` as in `capacityFor()`. */
  tryAllocate(size: number, options?: AllocateOptions): BuddyBuffer | null {
    const kind = kindOf(size)
    const zero = options !== undefined && zeroArgument(options)
    const lease = this.#memory.recent(kind) ?? this.#memory.acquire(size)
    return lease === null ? null : this.#lend(lease, zero)
  }

  /** The same, but at the limit it throws `ERR_MEMORY_LIMIT`. `ERR_SYSTEM` where a block's policy is refused. */
  allocateSync(size: number, options?: AllocateOptions): BuddyBuffer {
    const buffer = this.tryAllocate(size, options)
    if (buffer === null) {
      throw new FramePoolError('ERR_MEMORY_LIMIT', `no ${BuddyPool.capacityFor(size)} bytes are free within maxMemory`)
    }
    return buffer
  }

  /**
   * The same, as soon as there is one. Blocks are mapped on another thread. Waits for the smallest buffers are served
   * first, and among equals the first; one that was passed over for `starvationTimeoutMs` has memory set aside for it.
   */
  allocate(size: number, options?: WaitOptions & AllocateOptions): Promise<BuddyBuffer> {
    const memory = this.#memory
    let zero = false
    let recent: Lease | undefined
    let waited = false
    const buffer = nativeWait(
      () => {
        const given = waitOptions(options)
        zero = options !== undefined && zeroArgument(options)
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
    return waited ? buffer.finally(() => memory.ended()) : buffer
  }

  /** Returns the pool's figures. */
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
   * A ticket with which another isolate of this process can `adopt()` the pool, which is then one pool with one limit. From
   * here on no isolate keeps released buffers for itself. `ERR_CLOSED` once it is closed.
   */
  share(): Ticket<BuddyPool> {
    return { framepool: makeTicket((carrier) => this.#memory.depart(carrier)) }
  }

  /**
   * Refuses what is asked from here on, and what waits, with `ERR_CLOSED`; resolves when the last buffer is released, and
   * until then keeps the process alive. Then the memory goes back at once: views of it have length 0. Idempotent. It closes
   * the pool for all isolates that share it, and revokes its tickets that nobody has adopted.
   */
  close(): Promise<void> {
    this.#closing ??= nativeWait(
      () => ({}),
      (settled) => this.#memory.close(settled),
      () => {
        this.#memory.end()
        released(this)
      },
    )
    return this.#closing
  }

  /** Calls `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #lend(lease: Lease, zero: boolean): BuddyBuffer {
    const buffer = new BuddyBuffer(buddyKey, this.#memory, lease)
    if (zero) clear(buffer.bytes)
    return buffer
  }
}

function abandoning(memory: BuddyMemory): () => boolean {
  return () => memory.abandon()
}

function kindOf(size: number): number {
  if (!Number.isInteger(size) || size < 1 || size > BLOCK_SIZE) integerArgument(size, 'size', 1, BLOCK_SIZE)
  return kindFor(size)
}

function zeroArgument(options: AllocateOptions): boolean {
  const { zero = false } = optionsArgument(options, 'options')
  return booleanArgument(zero, 'zero')
}

type BlockOptions = NonNullable<BuddyPoolOptions['block']>

function settingsOf(options: BuddyPoolOptions, block: BlockOptions): BuddyPoolSettings {
  const { maxMemory, mergeWatermarks, starvationTimeoutMs, slabEmptyWatermark, threadCache } = options
  const { hugePages = false, lock = false, prefault = false } = block
  const settings: BuddyPoolSettings = {
    hugePages: booleanArgument(hugePages, 'hugePages'),
    lock: booleanArgument(lock, 'lock'),
    prefault: booleanArgument(prefault, 'prefault'),
  }
  if (maxMemory !== undefined) {
    settings.maxMemory = integerArgument(maxMemory, 'maxMemory', 1, Number.MAX_SAFE_INTEGER)
  }
  if (mergeWatermarks !== undefined) {
    if (!Array.isArray(mergeWatermarks) || mergeWatermarks.length !== 4) {
      throw invalidArgType('mergeWatermarks must be an array of four numbers')
    }
    // Not with the array's own map(), which can give anything.
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
  return settings
}
