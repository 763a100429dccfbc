import type { Handle } from '../native/handle.js'
import { type SlotBacklog, settleSlots } from '../native/slot.js'
import { MAX_BYTES } from '../support/arguments.js'

/**
 * Changes to a slot pool that native code has not been told of, and the place for the next message.
 *
 * The next bytes go right after the last while they fit there, and to the start when nothing is alive. Both places are known without asking
 * native code. So views are made and slices taken without crossing, and the next crossing reports all releases, messages and writes in
 * order. Releases are bit masks, with one bit for each slot.
 *
 * If a message is taken with nothing else alive, and released before native code was told of it, it is only counted.
 */
export class Backlog implements SlotBacklog {
  readonly handle: Handle
  released = 0
  cameAndWent = 0
  lastLength = 0
  alone = 0
  takenCount = 0
  takenSlot = 0
  takenStart = 0
  readonly takenLengths: number[]
  releasedLater = 0
  start = 0
  written = 0
  returned = 0
  nextSlot = 1
  lastSlot: number
  next = 0
  room: number
  /** Slot that the written bytes will be taken in; 0 if they were begun with nothing alive, at the start of the region. */
  startSlot = 0
  /** Longest length of a message that was begun behind a slice and stays where it is, in bytes. */
  #limit = 0
  readonly #capacity: number
  readonly #slots: number

  constructor(handle: Handle, capacity: number, slots: number) {
    this.handle = handle
    this.lastSlot = slots
    this.takenLengths = Array.from({ length: slots }, () => 0)
    this.#slots = slots
    this.#capacity = capacity
    this.room = capacity
  }

  /** Begins a message of `length` bytes at the start of the region: nothing is alive. */
  beginAlone(length: number): void {
    this.startSlot = 0
    this.start = 0
    this.written = length
  }

  /** Begins a message of `length` bytes, which fit into `room`, behind the last slice. */
  beginBehind(length: number): void {
    this.startSlot = this.nextSlot
    this.start = this.next
    this.#limit = this.room
    this.written = length
  }

  /** Returns whether the current message may grow to `length` bytes where it is. */
  fits(length: number): boolean {
    return length <= (this.startSlot === 0 ? this.#capacity : this.#limit)
  }

  /** Takes the written bytes, which were begun with nothing alive, as a slice in slot 1. Returns its length. */
  takeAlone(): number {
    const length = this.written
    this.written = 0
    this.alone = length
    this.nextSlot = 2
    this.lastSlot = this.#slots
    this.next = length
    this.room = this.#slots > 1 ? this.#capacity - length : 0
    return length
  }

  /** Takes the written bytes as a slice behind the last one, at `start`, and returns its slot. */
  takeBehind(): number {
    const { start, written } = this
    const slot = this.startSlot
    if (this.takenCount === 0) {
      this.takenSlot = slot
      this.takenStart = start
    }
    this.takenLengths[this.takenCount++] = written
    this.written = 0
    this.nextSlot = slot + 1
    this.next = start + written
    this.room = slot < this.lastSlot ? this.#limit - written : 0
    return slot
  }

  /** Notes a release. `known` are the pending bytes that native code knows of. Returns false if native code must be told at once. */
  release(bit: number, known: number): boolean {
    if (this.alone === 0 || this.written !== 0 || known !== 0 || this.takenCount !== 0)
      return this.#releaseBeside(bit, known)
    this.lastLength = this.alone
    this.alone = 0
    // The count is a word of the control block.
    return ++this.cameAndWent !== MAX_BYTES
  }

  /** Notes the release of a slice that was not alone, or that native code has been told of. */
  #releaseBeside(bit: number, known: number): true {
    if (this.written !== 0 || known !== 0 || this.takenCount !== 0) this.releasedLater |= bit
    else this.released |= bit
    return true
  }

  /** Tells native code everything. Returns the bytes that it had not been told of. */
  settle(): number {
    settleSlots(this)
    return this.clear()
  }

  /** Notes that native code has caught up. Returns the bytes that it had not been told of. */
  clear(): number {
    const { written } = this
    this.released = 0
    this.releasedLater = 0
    this.cameAndWent = 0
    this.alone = 0
    this.takenCount = 0
    this.written = 0
    return written
  }
}
