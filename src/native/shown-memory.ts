/**
 * Native memory seen through an ArrayBuffer that is made when first needed. Native code alone detaches the ArrayBuffer and
 * decides when the memory may be freed.
 */
export class ShownMemory {
  #buffer: ArrayBuffer | null
  readonly #show: () => ArrayBuffer

  /** Takes `show`, which gives the ArrayBuffer over the memory: one that shows it already, or a new one. */
  constructor(show: () => ArrayBuffer, buffer: ArrayBuffer | null = null) {
    this.#show = show
    this.#buffer = buffer
  }

  view(offset: number, length: number): Uint8Array {
    const buffer = this.#buffer
    try {
      if (buffer !== null) return new Uint8Array(buffer, offset, length)
    } catch (error) {
      // It may have been detached behind our back. The memory is still there, so it is shown anew.
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

  /** Passes the memory to another owner, of which `show` asks for it from here on. */
  handOver(show: () => ArrayBuffer): ShownMemory {
    return new ShownMemory(show, this.#buffer)
  }
}
