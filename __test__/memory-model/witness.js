import { bufferOf, lengthOf, touch } from './intrinsics.js'

/** Keeps views and ArrayBuffers that JavaScript ever got: each of their bytes can be read and written for ever. */
export class Witness {
  #random
  #most
  #seen = []
  /** Told of each that is about to be touched, to find out what it was that faulted. */
  #note

  /** Keeps `most` of them; which, is random. */
  constructor(random, most, note = null) {
    this.#random = random
    this.#most = most
    this.#note = note
  }

  /** Any view, or what came in place of one. */
  see(view, origin = '') {
    const kept = { view, all: lengthOf(view) === 0 ? view : new Uint8Array(bufferOf(view)), origin }
    if (this.#seen.length < this.#most) this.#seen.push(kept)
    else this.#seen[this.#random.below(this.#most)] = kept
    return view
  }

  get any() {
    return this.#seen.length === 0 ? null : this.#random.pick(this.#seen).view
  }

  /** Touches all of them: what is not theirs any more faults here. */
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
