import { detach } from './boundary.js'

/** Native memory seen through an ArrayBuffer that is made when first needed. */
export class ShownMemory {
  #buffer: ArrayBuffer | null
  readonly #make: () => ArrayBuffer
  /**
   * An ArrayBuffer that we cannot detach shows the memory: JavaScript took it to one that we do not know, for example with
   * `buffer.transfer()`, or the isolate that the memory came from could not detach its own.
   */
  #taken: boolean

  /** `make` gives a new ArrayBuffer over the same memory each time. */
  constructor(make: () => ArrayBuffer, buffer: ArrayBuffer | null = null, taken = false) {
    this.#make = make
    this.#buffer = buffer
    this.#taken = taken
  }

  view(offset: number, length: number): Uint8Array {
    try {
      return new Uint8Array(this.#buffer ?? this.#show(), offset, length)
    } catch (error) {
      if (this.#buffer === null || this.#buffer.byteLength !== 0) throw error
      // Detached behind our back: the memory is still there, so show it anew.
      this.#taken = true
      return new Uint8Array(this.#show(), offset, length)
    }
  }

  /** Whether views of `buffer` are views of the memory, which `hide()` would detach. */
  shows(buffer: ArrayBufferLike): boolean {
    return this.#buffer === buffer
  }

  /** True when no ArrayBuffer shows the memory any more, so that it may be freed at once. */
  hide(): boolean {
    const buffer = this.#buffer
    this.#buffer = null
    if (buffer !== null && (buffer.byteLength === 0 || !detach(buffer))) this.#taken = true
    return !this.#taken
  }

  /** The same memory under another owner: what was shown so far counts for it too. */
  handOver(make: () => ArrayBuffer): ShownMemory {
    const next = new ShownMemory(make, this.#buffer, this.#taken)
    this.#buffer = null
    this.#taken = false
    return next
  }

  #show(): ArrayBuffer {
    this.#buffer = this.#make()
    return this.#buffer
  }
}
