import type { BuddyGrant } from '../native/buddy.js'
import type { Handle } from '../native/handle.js'
import { isShown, type ShownMemory } from '../native/shown-memory.js'
import type { Kept } from './magazine.js'
import { kindFor } from './sizes.js'

/** One buffer that native code has given to this isolate. */
export class Lease implements Kept {
  readonly handle: Handle
  readonly kind: number
  readonly capacity: number
  readonly #shown: ShownMemory
  readonly #offset: number
  /** View of all bytes. It is made once, and reused while the buffer stays in the magazine. A script may have detached it. */
  view: Uint8Array

  /** `shown` shows the buffer from `offset`. */
  constructor({ index, generation, capacity }: BuddyGrant, shown: ShownMemory, offset: number) {
    this.handle = { index, generation }
    this.kind = kindFor(capacity)
    this.capacity = capacity
    this.#shown = shown
    this.#offset = offset
    this.view = shown.view(offset, capacity)
  }

  /** Returns a view of all bytes, which is not detached. */
  show(): Uint8Array {
    if (!isShown(this.view, this.capacity)) this.view = this.#shown.view(this.#offset, this.capacity)
    return this.view
  }
}
