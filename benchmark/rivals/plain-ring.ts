/** A ring in a plain ArrayBuffer, for one thread. */
export class PlainRing {
  readonly #bytes: Uint8Array
  #written = 0
  #read = 0

  /** Creates a ring of `size` bytes, which is a power of two. */
  constructor(size: number) {
    this.#bytes = new Uint8Array(size)
  }

  /** Writes as many bytes as there is room for, and returns their number. */
  write(source: Uint8Array): number {
    const size = this.#bytes.length
    const count = Math.min(source.length, size - (this.#written - this.#read))
    const offset = this.#written & (size - 1)
    const first = Math.min(count, size - offset)
    this.#bytes.set(first === source.length ? source : source.subarray(0, first), offset)
    if (first < count) this.#bytes.set(source.subarray(first, count))
    this.#written += count
    return count
  }

  /** Reads as many bytes as fit, and returns their number. */
  read(target: Uint8Array): number {
    const size = this.#bytes.length
    const count = Math.min(target.length, this.#written - this.#read)
    const offset = this.#read & (size - 1)
    const first = Math.min(count, size - offset)
    target.set(this.#bytes.subarray(offset, offset + first))
    if (first < count) target.set(this.#bytes.subarray(0, count - first), first)
    this.#read += count
    // Both restart together, so that the counters stay small whole numbers.
    if (this.#read === this.#written) this.#read = this.#written = this.#read & (size - 1)
    return count
  }
}
