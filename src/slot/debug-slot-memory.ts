import { channel } from 'node:diagnostics_channel'
import type { Handle } from '../native/handle.js'
import type { ShownMemory } from '../native/shown-memory.js'
import { abandonSlotPool, concealSlotPool, revokeSlots, type SlotPoolSettings, slotPoolReport } from '../native/slot.js'
import { trace, untrace } from '../native/trace.js'
import { TracedHeapMemory } from '../slice/heap-memory.js'
import type { Slice } from '../slice/slice.js'
import type { OwnedMemory, SliceCount } from '../slice/slice-memory.js'
import { SlotMemory } from './slot-memory.js'

/** Channel on which pools in debug mode publish their changes. */
const changes = channel('framepool:slot-pool')

/** Message that is published on `framepool:slot-pool`. */
export type SlotPoolChange = { pool: number; capacity: number; mode: string; slots: string } & (
  | { event: 'mode'; from: string }
  | { event: 'slot'; slot: number; taken: boolean }
)

/**
 * A slot pool in debug mode. Native code decides as always, but is asked each time, and each slice has its own memory: no view
 * outlives its slice, and late writes are found.
 */
export class GuardedSlotMemory extends SlotMemory {
  #mode = 'back'
  #slots: string

  constructor(capacity: number, settings: SlotPoolSettings) {
    super(capacity, settings)
    this.#slots = '-'.repeat(settings.slots)
    trace(this, 'slot-pool', this.owner, abandonSlotPool)
  }

  override writable(length: number): Uint8Array {
    this.#hideViews()
    const view = this.ask(length)
    this.publish()
    return view
  }

  override take(): Slice {
    this.#hideViews()
    const slice = super.take()
    this.publish()
    return slice
  }

  override truncate(hidden: number, length: number): void {
    this.#hideViews()
    super.truncate(hidden, length)
  }

  override claim(_slot: number, index: number, generation: number, heap: ShownMemory | null): OwnedMemory {
    return new GuardedSlice({ index, generation }, this, this.heapSlices, heap)
  }

  override close(): void {
    if (this.closed) return
    this.#hideViews()
    // Slices that have left, and have not arrived, count for the native pool alone.
    revokeSlots(this.owner)
    super.close()
  }

  /** Publishes what has changed since the last time, if anything listens. */
  override publish(): void {
    if (this.closed || !changes.hasSubscribers) return
    const { mode, slots } = slotPoolReport(this.owner)
    const now = { pool: this.source.id, capacity: this.capacity, mode, slots }
    const [from, before] = [this.#mode, this.#slots]
    this.#mode = mode
    this.#slots = slots
    if (mode !== from) changes.publish({ ...now, event: 'mode', from } satisfies SlotPoolChange)
    for (let slot = 1; slot <= slots.length; slot++) {
      const [was, is] = [before[slot - 1], slots[slot - 1]]
      if (is === was) continue
      if (was !== '-') changes.publish({ ...now, event: 'slot', slot, taken: false } satisfies SlotPoolChange)
      if (is !== '-') changes.publish({ ...now, event: 'slot', slot, taken: true } satisfies SlotPoolChange)
    }
  }

  protected override free(): void {
    super.free()
    untrace(this)
  }

  /** Ends the views of the pending bytes, which are valid until the next call. Slices have other memory. Throws once the pool is closed. */
  #hideViews(): void {
    this.checkOpen()
    concealSlotPool(this.owner)
  }
}

/** A slice of a slot pool in debug mode. */
class GuardedSlice extends TracedHeapMemory {
  readonly #pool: GuardedSlotMemory

  constructor(owner: Handle, pool: GuardedSlotMemory, count: SliceCount, shown: ShownMemory | null) {
    super(owner, count, shown)
    this.#pool = pool
  }

  override release(): void {
    super.release()
    this.#pool.publish()
  }
}
