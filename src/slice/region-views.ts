import { ShownMemory } from '../native/shown-memory.js'

/**
 * The region of a slot pool as this isolate sees it. It keeps the last view of each slot, because messages often come back to the place of
 * an earlier one: making a view costs more than all other work on a message.
 */
export class RegionViews {
  readonly #shown: ShownMemory
  readonly #views: (Uint8Array | null)[]
  readonly #offsets: number[]
  readonly #lengths: number[]

  /** `show` returns an ArrayBuffer over the region, which has `slots` slots. */
  constructor(slots: number, show: () => ArrayBuffer) {
    this.#shown = new ShownMemory(show)
    this.#views = Array.from({ length: slots + 1 }, () => null)
    this.#offsets = Array.from({ length: slots + 1 }, () => 0)
    this.#lengths = Array.from({ length: slots + 1 }, () => 0)
  }

  /** Returns a view of `length` bytes from `offset`. */
  view(offset: number, length: number): Uint8Array {
    return this.#shown.view(offset, length)
  }

  /** Returns a view of `length` bytes from `offset`, which lie in `slot`. It can be one that was returned before. */
  viewIn(slot: number, offset: number, length: number): Uint8Array {
    const known = this.#views[slot]!
    // A script may have detached it. Then it has no elements, as a view of 0 bytes, which could not be mended.
    if (known?.[0] !== undefined && this.#lengths[slot] === length && this.#offsets[slot] === offset) return known
    const view = this.#shown.view(offset, length)
    this.#views[slot] = view
    this.#offsets[slot] = offset
    this.#lengths[slot] = length
    return view
  }
}
