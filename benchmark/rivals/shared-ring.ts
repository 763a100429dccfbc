/** A typical hand-written ring: two counters and the bytes in a SharedArrayBuffer, copied with `set`. */
export class SharedRing {
  /** Counters: bytes written at index 0, bytes read at index 16. */
  protected readonly counters: Int32Array
  readonly #bytes: Uint8Array
  readonly #mask: number

  /** Creates a ring of `size` bytes, which is a power of two. */
  constructor(memory: SharedArrayBuffer, size: number) {
    this.counters = new Int32Array(memory, 0, 32)
    this.#bytes = new Uint8Array(memory, 128, size)
    this.#mask = size - 1
  }

  static memory(size: number): SharedArrayBuffer {
    return new SharedArrayBuffer(128 + size)
  }

  /** Writes as many bytes as there is room for, and returns their number. */
  write(source: Uint8Array): number {
    const written = Atomics.load(this.counters, 0)
    const room = this.#bytes.length - ((written - Atomics.load(this.counters, 16)) >>> 0)
    const count = Math.min(source.length, room)
    const offset = written & this.#mask
    const first = Math.min(count, this.#bytes.length - offset)
    this.#bytes.set(first === source.length ? source : source.subarray(0, first), offset)
    if (first < count) this.#bytes.set(source.subarray(first, count))
    Atomics.store(this.counters, 0, (written + count) | 0)
    return count
  }

  /** Reads as many bytes as fit, and returns their number. */
  read(target: Uint8Array): number {
    const read = Atomics.load(this.counters, 16)
    const count = Math.min(target.length, (Atomics.load(this.counters, 0) - read) >>> 0)
    const offset = read & this.#mask
    const first = Math.min(count, this.#bytes.length - offset)
    target.set(this.#bytes.subarray(offset, offset + first))
    if (first < count) target.set(this.#bytes.subarray(0, count - first), first)
    Atomics.store(this.counters, 16, (read + count) | 0)
    return count
  }
}

/** A shared ring between two threads. Each sleeps while it can do nothing, and wakes the other after each step. */
export class WaitingRing extends SharedRing {
  override write(source: Uint8Array): number {
    for (let written = 0; ; ) {
      const read = Atomics.load(this.counters, 16)
      written += super.write(source.subarray(written))
      Atomics.notify(this.counters, 0)
      if (written === source.length) return written
      Atomics.wait(this.counters, 16, read)
    }
  }

  override read(target: Uint8Array): number {
    for (let length = 0; ; ) {
      const written = Atomics.load(this.counters, 0)
      length += super.read(target.subarray(length))
      Atomics.notify(this.counters, 16)
      if (length === target.length) return length
      Atomics.wait(this.counters, 0, written)
    }
  }
}
