import { integerArgument, MAX_BYTES } from '../support/arguments.js'
import { DEBUG } from '../support/debug-mode.js'
import { uncloneable } from '../support/inspectable.js'
import { TracedSystemMemory } from './debug-system-memory.js'
import { GrowingBuffer } from './growing-buffer.js'
import { SystemMemory } from './system-memory.js'

const UNCLONEABLE = Symbol('a SystemMemoryBuffer stays in its thread: move() its slices')

/**
 * A buffer that allocates memory from the system for every slice, for use where speed does not matter. (buffer_sv2
 * `BufferFromSystemMemory`)
 */
export class SystemMemoryBuffer extends GrowingBuffer {
  readonly #memory: SystemMemory

  /**
   * Makes an empty buffer. (buffer_sv2 `BufferFromSystemMemory::new`)
   *
   * @param initialCapacity Capacity in bytes, 0 to 2^32 − 1, by default 0. Otherwise `ERR_OUT_OF_RANGE`. It has no effect, as in the
   *   crate.
   */
  constructor(initialCapacity = 0) {
    integerArgument(initialCapacity, 'initialCapacity', 0, MAX_BYTES)
    const memory = DEBUG ? new TracedSystemMemory() : new SystemMemory()
    super(memory)
    this.#memory = memory
    uncloneable(this, UNCLONEABLE)
  }

  /** True when no slice of the buffer is alive. (buffer_sv2 `Buffer::is_droppable`) */
  override get isDroppable(): boolean {
    return this.#memory.isDroppable
  }
}
