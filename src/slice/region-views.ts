import { ShownMemory } from '../native/shown-memory.js'

/**
 * The region of a slot pool as this isolate sees it. It keeps a view of the place that was last shown twice in a row, because messages
 * often come back to the place of the one before: making a view costs more than all other work on a message. Messages that take turns
 * in many slots would gain nothing from a view of each: reading a view for each slot costs more than making it.
 */
export class RegionViews extends ShownMemory {
  #offset = -1
  #length = -1
  #view: Uint8Array | null = null

  /** Returns a view of `length` bytes from `offset`, where a message begins. It can be one that was returned before. */
  usualView(offset: number, length: number): Uint8Array {
    if (offset !== this.#offset || length !== this.#length) return this.#otherView(offset, length)
    const known = this.#view
    // A script may have detached it. Then it has no elements, as a view of 0 bytes, which could not be mended.
    return known?.[0] !== undefined ? known : this.#keptView(offset, length)
  }

  #otherView(offset: number, length: number): Uint8Array {
    this.#offset = offset
    this.#length = length
    this.#view = null
    return this.view(offset, length)
  }

  #keptView(offset: number, length: number): Uint8Array {
    const view = this.view(offset, length)
    this.#view = view
    return view
  }
}
