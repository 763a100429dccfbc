import type { BuddyGrant } from '../native/buddy.js'
import type { Handle } from '../native/handle.js'
import { mended, type ShownMemory, type Viewable } from '../native/shown-memory.js'
import type { Kept } from './magazine.js'
import { kindFor } from './sizes.js'

/** One buffer that native code has given to this isolate. */
export class Lease implements Kept, Viewable {
  readonly handle: Handle
  readonly kind: number
  readonly capacity: number
  readonly #shown: ShownMemory
  readonly #offset: number
  #whole: Uint8Array

  /** `shown` shows the buffer from `offset`. */
  constructor({ index, generation, capacity }: BuddyGrant, shown: ShownMemory, offset: number) {
    this.handle = { index, generation }
    this.kind = kindFor(capacity)
    this.capacity = capacity
    this.#shown = shown
    this.#offset = offset
    this.#whole = this.view(0, capacity)
  }

  view(offset: number, length: number): Uint8Array {
    return this.#shown.view(this.#offset + offset, length)
  }

  /** A view of all bytes, made once for as long as the buffer goes round in the magazine. */
  get whole(): Uint8Array {
    this.#whole = mended(this.#whole, this, 0, this.capacity)
    return this.#whole
  }
}
