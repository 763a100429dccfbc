import { SLOTS, slotPoolReport } from '../native/slot.js'
import { DEBUG } from '../native/trace.js'
import { booleanArgument, integerArgument, MAX_BYTES, optionsArgument } from '../support/arguments.js'
import { invalidArgType } from '../support/errors.js'
import { GuardedSlotMemory } from './debug-slot-memory.js'
import { GrowingBuffer } from './growing-buffer.js'
import { SlotMemory } from './slot-memory.js'

/** Where a slot pool takes its next slice from: see `SlotPool`. */
export type PoolMode = 'back' | 'front' | 'alloc'

/** Figures of a slot pool: see `SlotPool.stats()`. */
export interface SlotPoolStats {
  /** Mode of the pool at present. */
  mode: PoolMode
  /** Size of the region in bytes. */
  capacity: number
  /** One character for each slot: '-' if it is free, otherwise the sequence digit of its slice (1…9, a…z, then 1 again). Heap slices take no digit. */
  slots: string
  /** Slices alive, heap slices included. */
  liveSlices: number
  /** Slices that had to come from the heap, since creation. */
  heapFallbacks: number
  /** Times that the pool started again with nothing alive. */
  resets: number
  /** Changes of the mode since creation. */
  modeChanges: number
}

let memoryOfPool: (pool: SlotPool) => SlotMemory

/**
 * A pool of 8 slots in one region of `capacity` bytes, which is allocated once. It hands out messages as slices, without a copy.
 * (buffer_sv2 `BufferPool`)
 *
 * The pool takes slices behind one another (back mode). When slots or bytes run out, it takes them from the front if slots were released
 * there (front mode), and otherwise from the heap (alloc mode) until there is room again. With nothing alive it starts again at the first
 * slot.
 */
export class SlotPool extends GrowingBuffer implements Disposable {
  /** Slots of every pool: 8. */
  static readonly SLOTS = SLOTS
  readonly #memory: SlotMemory

  /**
   * Makes a pool and allocates its memory. Throws `ERR_NO_MEMORY` if the system has none.
   *
   * @param capacity Size of the region in bytes, 0 to 2^32 − 1. Otherwise `ERR_OUT_OF_RANGE`. With 0 every slice comes from the heap.
   * @param options `debug`: whether the pool is in debug mode. Default: whether the process is (`FRAMEPOOL_DEBUG=1`).
   */
  constructor(capacity: number, options?: { debug?: boolean }) {
    integerArgument(capacity, 'capacity', 0, MAX_BYTES)
    const { debug = DEBUG } = optionsArgument(options, 'options')
    const memory = booleanArgument(debug, 'debug') ? new GuardedSlotMemory(capacity) : new SlotMemory(capacity)
    super(memory)
    this.#memory = memory
  }

  static {
    memoryOfPool = (pool) => {
      if (typeof pool !== 'object' || pool === null || !(#memory in pool))
        throw invalidArgType('pool must be a SlotPool')
      return pool.#memory
    }
  }

  /** Size of the region in bytes. */
  get capacity(): number {
    return this.#memory.capacity
  }

  /** Mode of the pool at present. Throws `ERR_CLOSED` once the pool is closed. */
  get mode(): PoolMode {
    return this.#report().mode as PoolMode
  }

  /**
   * True when no slice of the pool is alive, in a slot or on the heap. A heap slice that was moved counts no more. A slice in a slot
   * that was moved counts until the pool is closed.
   */
  override get isDroppable(): boolean {
    return this.#memory.isDroppable
  }

  /** Returns the figures of the pool. Throws `ERR_CLOSED` once the pool is closed. */
  stats(): SlotPoolStats {
    const { mode, slots, heapFallbacks, resets, modeChanges } = this.#report()
    const { capacity, liveSlices } = this.#memory
    return { mode: mode as PoolMode, capacity, slots, liveSlices, heapFallbacks, resets, modeChanges }
  }

  /** Returns the slots and the mode, for example `9a3456b-  BACK MODE`, or `CLOSED` once the pool is closed. */
  override toString(): string {
    return this.#memory.closed ? 'CLOSED' : this.#report().line
  }

  /**
   * Closes the pool: all further use throws `ERR_CLOSED`, and bytes that were not taken are dropped. Live slices stay readable until
   * they are released; the last release gives the memory back. Idempotent.
   */
  close(): void {
    this.#memory.close()
  }

  /** Calls `close()`. */
  [Symbol.dispose](): void {
    this.close()
  }

  #report(): ReturnType<typeof slotPoolReport> {
    this.#memory.settle()
    return slotPoolReport(this.#memory.owner)
  }
}

/** Returns what a pool writes into, for a session that receives into it. Throws `ERR_INVALID_ARG_TYPE` if `pool` is none. */
export function memoryOf(pool: SlotPool): SlotMemory {
  return memoryOfPool(pool)
}
