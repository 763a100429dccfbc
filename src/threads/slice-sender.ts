import { acquired, released } from '../native/acquired.js'
import { askChannel, endChannel, releaseSender, sendIntoChannel, waitForRoom } from '../native/channel.js'
import type { Handle } from '../native/handle.js'
import { type Carrier, departSender, makeTicket } from '../native/travel.js'
import { nativeWait } from '../native/wait.js'
import { FramePoolError, invalidArgType } from '../support/errors.js'
import { uncloneable } from '../support/inspectable.js'
import type { Ticket } from '../support/ticket.js'
import type { WaitOptions } from '../support/wait.js'
import { type Waiter, WaitQueue, waitOptions } from '../support/wait.js'
import { checkMovable, departMovable, departMovableTagged, type Movable, movableArgument } from './movable.js'

/** Key of the constructor: only this module has it. */
const senderKey = Symbol('framepool.slice-sender')

let checkOf: (sender: SliceSender) => void

const UNCLONEABLE = Symbol('a SliceSender is not cloned: post what its move() returns')

/** The sending end of a {@link SliceChannel}. It ends with its isolate: objects that were sent can still be received. */
export class SliceSender<T extends Movable = Movable> implements Disposable {
  readonly #handle: Handle
  readonly #carrier: Carrier
  /** A lower bound of the room in the channel: only this end makes that less. */
  #room = 0
  #released = false
  /** The calls of `sendAsync()` that wait, in their order. */
  readonly #waiting = new WaitQueue()
  /** Ends the native wait for room. There is one while calls of `sendAsync()` wait. */
  #watch: AbortController | null = null

  /** @internal */
  constructor(key: symbol, handle: Handle) {
    if (key !== senderKey) throw invalidArgType('a SliceSender comes from SliceChannel.create()')
    this.#handle = handle
    acquired(this, 'slice-sender', handle, releaseSender)
    uncloneable(this, UNCLONEABLE)
    this.#carrier = () => {
      this.#room = sendIntoChannel(handle)
    }
  }

  static {
    checkOf = (sender) => sender.#checkAlive()
  }

  /**
   * Sends `item`, which is the receiver's from here on. In this isolate it counts as released, as after `move()`. Throws
   * `ERR_RELEASED` if `item` was released, and `ERR_CLOSED` after `end()` or when the receiver has gone.
   *
   * @param tag Any number, which the item has as its `tag` when it is received. A batch of frames has its own by default.
   * @returns False when the channel is full, or while calls of `sendAsync()` wait. Then the item is still the caller's, as it is after
   *   every error.
   */
  send(item: T, tag?: number): boolean {
    movableArgument(item, 'item')
    tagArgument(tag)
    this.#checkAlive()
    if (this.#waiting.isEmpty && this.#send(item, tag)) return true
    // A released item is an error, even when there is no room for it.
    checkMovable(item)
    return false
  }

  /**
   * Sends `item` as soon as there is room, in the order of the calls. Until then the item is the caller's: if it is released before or
   * meanwhile, the promise rejects with `ERR_RELEASED`. A pending promise keeps the process alive. `options.tag` is as for `send()`.
   */
  async sendAsync(item: T, options?: WaitOptions & { tag?: number }): Promise<void> {
    movableArgument(item, 'item')
    const given = waitOptions(options)
    const tag = options?.tag
    tagArgument(tag)
    this.#checkAlive()
    let queued = !this.#waiting.isEmpty
    const sent = this.#waiting.join(given, (waiter) => {
      const isTurn = !queued
      queued = false
      return this.#attempt(isTurn, item, tag, waiter)
    })
    this.#watchRoom()
    try {
      await sent
    } finally {
      if (this.#waiting.isEmpty) this.#watch?.abort()
    }
  }

  /** Ends the sender. Calls of `sendAsync()` that wait reject with `ERR_CLOSED`. Objects that were sent can still be received. */
  end(): void {
    this.#checkAlive()
    endChannel(this.#handle)
    this.#room = 0
    this.#waiting.review()
  }

  /** Ends the sender and gives its memory back. Returns true the first time, and false after that. */
  release(): boolean {
    if (this.#released) return false
    this.#released = true
    released(this)
    releaseSender(this.#handle)
    this.#waiting.review()
    return true
  }

  /**
   * Returns a ticket with which another isolate of this process can `adopt()` the sender. In this isolate the sender counts as released.
   * Throws `ERR_RELEASED`, `ERR_BUSY` while calls of `sendAsync()` wait, and `ERR_NO_MEMORY` when the system has no memory.
   */
  move(): Ticket<SliceSender<T>> {
    this.#checkAlive()
    if (this.#watch !== null) throw new FramePoolError('ERR_BUSY', 'someone waits for room in the channel')
    const framepool = makeTicket((carrier) => departSender(this.#handle, carrier))
    this.#released = true
    released(this)
    return { framepool }
  }

  /** Calls `release()`. */
  [Symbol.dispose](): void {
    this.release()
  }

  #send(item: T, tag: number | undefined): boolean {
    this.#checkAlive()
    if (this.#room === 0) this.#room = askChannel(this.#handle)
    if (this.#room === 0) return false
    if (tag === undefined) departMovable(item, this.#carrier)
    else departMovableTagged(item, tag, this.#carrier)
    return true
  }

  /** Sends `item` if it is its turn and there is room. Returns false if the call is to wait. */
  #attempt(isTurn: boolean, item: T, tag: number | undefined, waiter: Waiter): boolean {
    try {
      if (!isTurn || !this.#send(item, tag)) {
        checkMovable(item)
        return false
      }
      waiter.resolve()
    } catch (error) {
      waiter.reject(error)
    }
    return true
  }

  /** Lets the calls that wait try again when there is room, or when there will be none. */
  #watchRoom(): void {
    if (this.#waiting.isEmpty || this.#watch !== null) return
    this.#watch = new AbortController()
    const over = (): void => {
      this.#watch = null
      this.#waiting.review()
      this.#watchRoom()
    }
    const { signal } = this.#watch
    nativeWait(
      () => ({ signal }),
      (settled) => waitForRoom(this.#handle, settled),
      () => {},
    ).then(over, over)
  }

  #checkAlive(): void {
    if (this.#released) refuseReleased()
  }
}

function refuseReleased(): never {
  throw new FramePoolError('ERR_RELEASED', 'the sender was released')
}

/** Makes the sending end that `handle` names. */
export function makeSender<T extends Movable = Movable>(handle: Handle): SliceSender<T> {
  return new SliceSender(senderKey, handle)
}

/** Throws `ERR_RELEASED` if `sender` was released or moved. */
export function checkSender(sender: SliceSender): void {
  checkOf(sender)
}

function tagArgument(tag: unknown): void {
  if (tag !== undefined && typeof tag !== 'number') refuseTag(tag)
}

function refuseTag(tag: unknown): never {
  throw invalidArgType(`tag must be a number, not ${typeof tag}`)
}
