/** Capacity of a ring, in tokens: a power of two. */
const TOKENS = 4096
const [WRITTEN, READ, FIRST] = [0, 1, 2]

/** A ring of small whole numbers in shared memory, from one thread to another. */
export class TokenRing {
  readonly #words: Int32Array

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory)
  }

  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * (FIRST + TOKENS))
  }

  /** Adds a token, for which there must be room. */
  push(token: number): void {
    const written = Atomics.load(this.#words, WRITTEN)
    this.#words[FIRST + (written & (TOKENS - 1))] = token
    Atomics.store(this.#words, WRITTEN, written + 1)
    Atomics.notify(this.#words, WRITTEN)
  }

  /** Takes the next token. Returns -1 if there is none. */
  pop(): number {
    const read = Atomics.load(this.#words, READ)
    if (read === Atomics.load(this.#words, WRITTEN)) return -1
    const token = this.#words[FIRST + (read & (TOKENS - 1))]!
    Atomics.store(this.#words, READ, read + 1)
    return token
  }

  /** Blocks until there is a token, and takes it. */
  popWhenThere(): number {
    for (;;) {
      const token = this.pop()
      if (token !== -1) return token
      Atomics.wait(this.#words, WRITTEN, Atomics.load(this.#words, READ))
    }
  }
}
