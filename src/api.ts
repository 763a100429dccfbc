import type { ReadableOptions, WritableOptions } from 'node:stream'
import type { Slice } from './slice/slice.js'

/** buffer_sv2 `Write`. Growing buffers (slot pool, system memory) take everything, spilling to the heap; a ring takes what fits. */
export interface Write {
  /** Writes as much of `source` as fits; returns the bytes written. */
  write(source: Uint8Array): number
  /** Writes all of `source`, or throws `ERR_WRITE_ZERO` (beyond 2^32 − 1 bytes, or a ring's room) and writes nothing. */
  writeAll(source: Uint8Array): void
}

/** buffer_sv2 `Buffer`. A view that it hands out is valid until the next call on the same buffer. */
export interface Buffer extends Write {
  /** Reserves `length` more bytes after what is written, and returns them to be filled. They hold what was there before. */
  getWritable(length: number): Uint8Array
  /** Hands over what is written as a slice, and starts the next one. */
  getDataOwned(): Slice
  /** The first `length` bytes written so far (all of them if there are fewer), without taking them. */
  getDataByRef(length: number): Uint8Array
  /** Bytes written and not yet taken, hidden ones included. */
  readonly length: number
  readonly isEmpty: boolean
  /** True when no slice of it is alive. */
  readonly isDroppable: boolean
  /** Hides the first `index` bytes from `AeadBuffer`'s view, until the next `getDataOwned()`. More than `length`: `ERR_OUT_OF_RANGE`. */
  dangerSetStart(index: number): void
}

/** `aead::Buffer`: what in-place encryption and decryption need. */
export interface AeadBuffer {
  /** From the start set by `dangerSetStart` to the end of what is written. */
  readonly bytes: Uint8Array
  extendFromSlice(source: Uint8Array): void
  /** Keeps the first `length` bytes of `bytes`. More than there are: `ERR_OUT_OF_RANGE`. */
  truncate(length: number): void
}

/** Options of `pump`. */
export interface PumpOptions {
  /** The ring's, in bytes: a power of two, at most 1 GiB. */
  size?: number
  /** An abort ends the reading: see `pump`. */
  signal?: AbortSignal
  /** Called with the bytes written so far: about every 100 ms while there are more, and once at the end, whichever it is. What it throws stops the pump. */
  onProgress?: (bytes: bigint) => void
}

export type PoolMode = 'back' | 'front' | 'alloc'

export interface SlotPoolStats {
  mode: PoolMode
  /** In bytes. */
  capacity: number
  /** One character a slot: '-' free, else the slice's sequence digit (1…9, a…z, again from 1). Heap slices take no digit. */
  slots: string
  /** Slices alive, heap slices included. */
  liveSlices: number
  /** Slices that had to come from the heap, since creation. */
  heapFallbacks: number
  /** Times that the pool began anew with nothing alive. */
  resets: number
  modeChanges: number
}

/** Aborting rejects with `signal.reason`; a timeout, in milliseconds, with `ERR_TIMEOUT`. */
export interface WaitOptions {
  signal?: AbortSignal
  timeoutMs?: number
}

/** `zero`: cleared memory; otherwise what was there before, as with `Buffer.allocUnsafe`. */
export interface AllocateOptions {
  zero?: boolean
}

export type BufferSize = 8 | 16 | 32 | 64 | 128 | 256 | 512 | 1024 | 2048 | 4096 | 8192 | 16384

export interface BudgetPoolStats {
  /** What is granted and not yet released. */
  allocatedBytes: number
  liveAllocations: number
  /** Requests for which the budget has no room yet. */
  waiting: number
  /** The most that was ever allocated at once. */
  peakBytes: number
}

export interface BuddyPoolOptions {
  /** In bytes; default 256 MiB. Rounded down to whole blocks of 64 MiB, at least one. */
  maxMemory?: number
  /**
   * For 1, 4, 16 and 64 MiB, default 16, 8, 2, 0: four free neighbours are merged only when at least that many buffers of
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

export interface BuddyPoolStats {
  /** Bytes of the blocks there are, and of those that are being mapped. */
  allocatedMemory: number
  maxMemory: number
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
  magazine: { buffers: number; bytes: number }
}

/**
 * What `move()` and `share()` give: plain, so that it can be posted to another worker, which has it `adopt()`ed once. Until then
 * it belongs to its sender.
 */
export type Ticket<T> = {
  readonly framepool: string
  /** Only in types: what `adopt()` gives for it. */
  readonly __type?: T
}

/** What both halves of a byte ring have: the producer works on the room, the consumer on the bytes. */
export interface RingHalf extends Disposable {
  /** The ring's, in bytes. */
  readonly size: number
  /** Bytes ever passed through this half, modulo 2^64. */
  readonly position: bigint
  /** Producer: room to write. Consumer: bytes to read. */
  readonly available: number
  /** True when nothing is in the ring. */
  readonly isEmpty: boolean
  /** The other half has ended or was released. */
  readonly ended: boolean
  /** This half will do nothing any more; the other hears of it. */
  end(): void
  /** Ends this half and gives its share of the memory back. True the first time, false after. */
  release(): boolean
}

/** Node's options that suit a stream of bytes from a ring. */
export type RingReadableOptions = Pick<ReadableOptions, 'highWaterMark' | 'encoding' | 'emitClose' | 'signal'>

/** Node's options that suit a stream of bytes into a ring. */
export type RingWritableOptions = Pick<
  WritableOptions,
  'highWaterMark' | 'decodeStrings' | 'defaultEncoding' | 'emitClose' | 'signal'
>
