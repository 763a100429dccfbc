import { bufferOf, lengthOf, touch } from './intrinsics.js'

/**
 * Keeps views and ArrayBuffers that JavaScript received. Each of their bytes must stay readable and writable forever.
 */
export class Witness {
  #random
  #most
  #seen = []
  /** Called before each touch, so that the trace names the memory that faults. */
  #note

  /** Creates a witness that keeps up to `most` views, chosen at random. */
  constructor(random, most, note = null) {
    this.#random = random
    this.#most = most
    this.#note = note
  }

  /** Keeps a view and returns it. */
  see(view, origin = '') {
    const kept = { view, all: lengthOf(view) === 0 ? view : new Uint8Array(bufferOf(view)), origin }
    if (this.#seen.length < this.#most) this.#seen.push(kept)
    else this.#seen[this.#random.below(this.#most)] = kept
    return view
  }

  get any() {
    return this.#seen.length === 0 ? null : this.#random.pick(this.#seen).view
  }

  /** Touches all views. A view of freed memory faults here. */
  sweep() {
    for (const { view, all, origin } of this.#seen) {
      this.#note?.(`touches ${lengthOf(view)} of ${lengthOf(all)} B: ${origin}`)
      this.#touch(view)
      this.#touch(all)
    }
  }

  forget() {
    this.#seen = []
  }

  #touch(view) {
    const length = lengthOf(view)
    if (length === 0) return
    touch(view, 0)
    touch(view, length - 1)
    touch(view, this.#random.below(length))
  }
}
