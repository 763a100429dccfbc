/**
 * Returns whether a cached view still shows its `length` bytes. If not, ask its memory for another: a script can detach a view, for
 * example with `buffer.transfer()`, but the memory still exists and can be shown again.
 */
export function isShown(view: Uint8Array | null, length: number): view is Uint8Array {
  // An element is read, since no script can replace that. A view of no bytes has none, and nothing to show.
  return view !== null && (length === 0 || view[0] !== undefined)
}

/**
 * Returns a view of a cached ArrayBuffer, or null if there is none, or if a script has detached it. Then the memory still exists, and
 * must be shown again.
 */
export function viewOf(buffer: ArrayBufferLike | null, offset: number, length: number): Uint8Array | null {
  try {
    return buffer === null ? null : new Uint8Array(buffer, offset, length)
  } catch {
    return null
  }
}

/**
 * Native memory seen through an ArrayBuffer, which is made when first needed. Native code alone detaches the ArrayBuffer, and
 * decides when the memory may be freed.
 */
export class ShownMemory {
  #buffer: ArrayBuffer | null
  readonly #show: () => ArrayBuffer

  /** `show` returns an ArrayBuffer over the memory: the one that shows it already, or a new one. */
  constructor(show: () => ArrayBuffer, buffer: ArrayBuffer | null = null) {
    this.#show = show
    this.#buffer = buffer
  }

  /** Returns a view of `length` bytes from `offset`. */
  view(offset: number, length: number): Uint8Array {
    const view = viewOf(this.#buffer, offset, length)
    if (view !== null) return view
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
