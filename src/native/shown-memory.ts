import { isDetached } from '../support/arguments.js'

/** Memory of which views can be made. */
export interface Viewable {
  /** Returns a view of `length` bytes from `offset`. */
  view(offset: number, length: number): Uint8Array
}

/**
 * Returns a view of `length` bytes of `memory` from `offset`: `cached` if it still shows them, otherwise a new one. A script can
 * detach a cached view, for example with `buffer.transfer()`; the memory is still there then, and is shown anew.
 */
export function mended(cached: Uint8Array | null, memory: Viewable, offset: number, length: number): Uint8Array {
  // A view of no bytes always looks detached, and has nothing to show.
  return cached === null || (length > 0 && isDetached(cached)) ? memory.view(offset, length) : cached
}

/**
 * Native memory seen through an ArrayBuffer, which is made when first needed. Native code alone detaches the ArrayBuffer, and
 * decides when the memory may be freed.
 */
export class ShownMemory implements Viewable {
  #buffer: ArrayBuffer | null
  readonly #show: () => ArrayBuffer

  /** `show` returns an ArrayBuffer over the memory: the one that shows it already, or a new one. */
  constructor(show: () => ArrayBuffer, buffer: ArrayBuffer | null = null) {
    this.#show = show
    this.#buffer = buffer
  }

  /** Returns a view of `length` bytes from `offset`. */
  view(offset: number, length: number): Uint8Array {
    const buffer = this.#buffer
    try {
      if (buffer !== null) return new Uint8Array(buffer, offset, length)
    } catch (error) {
      // A script may have detached it. The memory is still there, so it is shown anew.
      this.#buffer = this.#show()
      if (this.#buffer === buffer) throw error
      return new Uint8Array(this.#buffer, offset, length)
    }
    this.#buffer = this.#show()
    return new Uint8Array(this.#buffer, offset, length)
  }

  /** Returns whether views of `buffer` are views of the memory. */
  shows(buffer: ArrayBufferLike): boolean {
    return this.#buffer === buffer
  }

  /** Passes the memory to another owner, which `show` asks for it from here on. */
  handOver(show: () => ArrayBuffer): ShownMemory {
    return new ShownMemory(show, this.#buffer)
  }
}
