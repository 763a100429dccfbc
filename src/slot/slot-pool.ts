import { handleOfBudget, type MemoryBudget } from '../memory/memory-budget.js'
import { Fixed } from '../native/fixed.js'
import { type SlotPoolSettings, slotPoolReport } from '../native/slot.js'
import { booleanArgument, integerArgument, MAX_BYTES, optionsArgument } from '../support/arguments.js'
import { DEBUG } from '../support/debug-mode.js'
import { invalidArgType } from '../support/errors.js'
import { uncloneable } from '../support/inspectable.js'
import { GuardedSlotMemory } from './debug-slot-memory.js'
import { GrowingBuffer } from './growing-buffer.js'
import { SlotMemory } from './slot-memory.js'

/** Mode of a slot pool, which decides the place of its next slice: see `SlotPool`. */
export type PoolMode = 'back' | 'front' | 'alloc'

/** Figures of a slot pool: see `SlotPool.stats()`. */
export interface SlotPoolStats {
  /** Mode of the pool at present. */
  mode: PoolMode
  /** Size of the region in bytes. */
  capacity: number
  /**
   * One character for each slot: '-' if it is free, otherwise the sequence digit of its slice (1…9, a…z, then 1 again). Heap slices take no
   * digit.
   */
  slots: string
  /** Slices alive, heap slices included. */
  liveSlices: number
  /** Slices that had to come from the heap, since creation. */
  heapFallbacks: number
  /** Times that the pool started again with nothing alive. */
  resets: number
  /** Changes of the mode since creation. */
  modeChanges: number
  /** Slices that came from the heap because no slot was free where there was room. More `slots` would have helped. */
  outOfSlots: number
  /** Slices that came from the heap because too few bytes were free. More `capacity` would have helped. */
  outOfBytes: number
  /** Slices that came from the heap because they are longer than the region. */
  tooLong: number
  /** Times that `heapLimit` refused bytes with `ERR_MEMORY_LIMIT`. */
  heapRefusals: number
}

/** Options of `new SlotPool()`. */
export interface SlotPoolOptions {
  /** Slots of the pool, 1 to 32, each for one slice in its region. Default 8, as in buffer_sv2. */
  slots?: number
  /**
   * The most bytes that slices of the pool may take on the heap, 1 to 2^53 − 1, or a budget that counts them, which pools and readers can
   * share. A call that would take more throws `ERR_MEMORY_LIMIT`. Default: no limit.
   */
  heapLimit?: number | MemoryBudget
  /** Whether the pool is in debug mode. Default: whether the process is (`FRAMEPOOL_DEBUG=1`). */
  debug?: boolean
}

let memoryOfPool: (pool: SlotPool) => SlotMemory

const UNCLONEABLE = Symbol('a SlotPool stays in its thread: move() its slices')

/**
 * A pool of 1 to 32 slots, by default 8, in one region of `capacity` bytes, which is allocated once. It hands out messages as slices,
 * without a copy. (buffer_sv2 `BufferPool`)
 *
 * The pool takes slices behind one another (back mode). When slots or bytes run out, it takes them from the front if slots were released
 * there (front mode), and otherwise from the heap (alloc mode) until there is room again. With nothing alive it starts again at the first
 * slot.
 */
export class SlotPool extends GrowingBuffer implements Disposable {
  /** Slots of a pool that is not given another number: 8. */
  static readonly SLOTS: 8 = Fixed.Slots
  readonly #memory: SlotMemory

  /**
   * Makes a pool and allocates its memory. Throws `ERR_NO_MEMORY` if the system has none. (buffer_sv2 `BufferPool::new`)
   *
   * @param capacity Size of the region in bytes, 0 to 2^32 − 1. Otherwise `ERR_OUT_OF_RANGE`. With 0 every slice comes from the heap.
   * @param options A wrong option throws `ERR_INVALID_ARG_TYPE` or `ERR_OUT_OF_RANGE`.
   */
  constructor(capacity: number, options?: SlotPoolOptions) {
    integerArgument(capacity, 'capacity', 0, MAX_BYTES)
    const { debug = DEBUG, slots = Fixed.Slots, heapLimit } = optionsArgument(options, 'options')
    const settings: SlotPoolSettings = {
      slots: integerArgument(slots, 'slots', 1, Fixed.MaxSlots),
      debug: booleanArgument(debug, 'debug'),
    }
    if (typeof heapLimit === 'number') {
      settings.heapLimit = integerArgument(heapLimit, 'heapLimit', 1, Number.MAX_SAFE_INTEGER)
    } else if (heapLimit !== undefined) {
      settings.heapBudget = handleOfBudget(heapLimit, 'heapLimit must be a number or a MemoryBudget')
    }
    const memory = debug ? new GuardedSlotMemory(capacity, settings) : new SlotMemory(capacity, settings)
    super(memory)
    this.#memory = memory
    uncloneable(this, UNCLONEABLE)
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

  /**
   * Mode of the pool at present. Throws `ERR_CLOSED` once the pool is closed. (buffer_sv2 `BufferPool::is_back_mode`, `is_front_mode`,
   * `is_alloc_mode`)
   */
  get mode(): PoolMode {
    return this.#report().mode as PoolMode
  }

  /**
   * True when no slice of the pool is alive, in a slot or on the heap. A heap slice no longer counts once it is moved. A slice in a slot
   * counts after `move()`, too, until its new owner releases it or the pool is closed. (buffer_sv2 `Buffer::is_droppable`)
   */
  override get isDroppable(): boolean {
    return this.#memory.isDroppable
  }

  /** Returns the figures of the pool. Throws `ERR_CLOSED` once the pool is closed. */
  stats(): SlotPoolStats {
    const { mode, line: _, ...report } = this.#report()
    const { capacity, liveSlices } = this.#memory
    return { ...report, mode: mode as PoolMode, capacity, liveSlices }
  }

  /** Returns the slots and the mode, for example `9a3456b-  BACK MODE`, or `CLOSED` once the pool is closed. */
  override toString(): string {
    return this.#memory.closed ? 'CLOSED' : this.#report().line
  }

  /**
   * Closes the pool: all further use throws `ERR_CLOSED`, and bytes that were not taken are dropped. Live slices stay readable until
   * they are released; the last release gives the memory back. Idempotent. (Dropping a buffer_sv2 `BufferPool`, which waits there)
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

/** Returns the memory of a pool, for a session that receives into it. Throws `ERR_INVALID_ARG_TYPE` unless `pool` is a `SlotPool`. */
export function memoryOf(pool: SlotPool): SlotMemory {
  return memoryOfPool(pool)
}
