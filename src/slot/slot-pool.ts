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
  /** Changes of the mode since creation. */
  modeChanges: number
}

let memoryOfPool: (pool: SlotPool) => SlotMemory

/**
 * buffer_sv2's `BufferPool`: 8 slots in `capacity` bytes that are allocated once, handed out as slices without copying.
 *
 * Slices are taken behind one another (back mode); when slots or bytes run out, from the front if slots were released
 * there (front mode); else from the heap (alloc mode) until there is room again. With nothing alive it begins anew.
 */
export class SlotPool extends GrowingBuffer implements Disposable {
  /** Slots of every pool: 8. */
  static readonly SLOTS = SLOTS
  readonly #memory: SlotMemory

  /**
   * Makes a pool and allocates its memory.
   *
   * @param capacity In bytes, 0 … 2^32 − 1, else `ERR_OUT_OF_RANGE`. With 0 every slice comes from the heap.
   *   `ERR_NO_MEMORY` when the system has none.
   * @param options `debug`: debug mode, by default that of the process (`FRAMEPOOL_DEBUG=1`).
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

  /** In bytes. */
  get capacity(): number {
    return this.#memory.capacity
  }

  /** Mode of the pool at present. */
  get mode(): PoolMode {
    return this.#report().mode as PoolMode
  }

  /**
   * True when no slice of the pool is alive, be it in a slot or on the heap. What was moved from the heap counts no more, nor,
   * once the pool is closed, what was moved from a slot.
   */
  override get isDroppable(): boolean {
    this.#memory.collect()
    return this.#memory.live === 0 && this.#memory.liveHeapSlices === 0
  }

  /** Returns the pool's figures. */
  stats(): SlotPoolStats {
    const { mode, slots, heapFallbacks, resets, modeChanges } = this.#report()
    const { capacity, live, liveHeapSlices } = this.#memory
    let liveSlices = liveHeapSlices
    for (let mask = live; mask !== 0; mask &= mask - 1) liveSlices++
    return { mode: mode as PoolMode, capacity, slots, liveSlices, heapFallbacks, resets, modeChanges }
  }

  /** The slots and the mode, for example `9a3456b-  BACK MODE`; `CLOSED` once closed. */
  override toString(): string {
    return this.#memory.closed ? 'CLOSED' : this.#report().line
  }

  /**
   * Refuses all further use with `ERR_CLOSED`; bytes not taken are dropped. Live slices stay readable until they are
   * released; the last one gives the memory back. Idempotent.
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
    return slotPoolReport(this.#memory.handle)
  }
}

/** For a session, which receives into a pool. */
export function memoryOf(pool: SlotPool): SlotMemory {
  return memoryOfPool(pool)
}
