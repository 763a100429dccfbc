import { acquired, released } from '../native/acquired.js'
import { askChannel, endChannel, releaseSender, sendIntoChannel, waitForRoom } from '../native/channel.js'
import type { Handle } from '../native/handle.js'
import { type Carrier, depart, makeTicket } from '../native/transfer.js'
import { nativeWait } from '../native/wait.js'
import { Kind } from '../native/words.js'
import { FramePoolError, invalidArgType } from '../support/errors.js'
import type { WaitOptions } from '../support/wait.js'
import { type Waiter, WaitQueue, waitOptions } from '../support/wait.js'
import { checkMovable, departMovable, type Movable, movableArgument } from './movable.js'
import { channelKey } from './slice-receiver.js'
import type { Ticket } from './ticket.js'

/** The sending end of a {@link SliceChannel}. Once its isolate has ended, so has it: what was sent can still be received. */
export class SliceSender<T extends Movable = Movable> implements Disposable {
  readonly #handle: Handle
  readonly #carrier: Carrier
  /** No more than there is: only this end makes it less. */
  #room = 0
  #released = false
  /** Those of `sendAsync()`, in the order in which they came. */
  readonly #waiting = new WaitQueue()
  /** Ends the native wait for room, which there is while someone waits. */
  #watch: AbortController | null = null

  /** @internal */
  constructor(key: symbol, handle: Handle) {
    if (key !== channelKey) throw invalidArgType('a SliceSender comes from SliceChannel.create()')
    this.#handle = handle
    acquired(this, 'slice-sender', handle, freeSender(handle))
    this.#carrier = () => {
      this.#room = sendIntoChannel(handle)
    }
  }

  /**
   * Sends `item`, which is the receiver's from here on: in this isolate it counts as released, as after `move()`. False when the
   * channel is full, or others wait in `sendAsync()`: then it stays the caller's, as it does with every error. Throws
   * `ERR_RELEASED` if `item` was released, and `ERR_CLOSED` after `end()` or when the receiver has gone.
   */
  send(item: T): boolean {
    movableArgument(item, 'item')
    this.#checkAlive()
    if (this.#waiting.isEmpty && this.#send(item)) return true
    // A released item is an error, even where there is no room for it.
    checkMovable(item)
    return false
  }

  /**
   * Sends `item` as soon as there is room, in the order of the calls. Until then the item is the caller's: released meanwhile it
   * rejects with `ERR_RELEASED`. A pending promise keeps the process alive.
   */
  async sendAsync(item: T, options?: WaitOptions): Promise<void> {
    movableArgument(item, 'item')
    const given = waitOptions(options)
    this.#checkAlive()
    let queued = !this.#waiting.isEmpty
    const sent = this.#waiting.join(given, (waiter) => {
      if (!queued) return this.#attempt(item, waiter)
      queued = false
      return false
    })
    this.#watchRoom()
    try {
      await sent
    } finally {
      if (this.#waiting.isEmpty) this.#watch?.abort()
    }
  }

  /** Nothing more will be sent, nor what still waits for room (`ERR_CLOSED`). What was sent can be received. */
  end(): void {
    this.#checkAlive()
    endChannel(this.#handle)
    this.#room = 0
    this.#waiting.review()
  }

  /** Ends, and gives the memory back. True the first time, false after. */
  release(): boolean {
    if (this.#released) return false
    this.#released = true
    released(this)
    releaseSender(this.#handle)
    this.#waiting.review()
    return true
  }

  /** A ticket with which another isolate of this process can `adopt()` this end. While someone waits to send: `ERR_BUSY`. */
  move(): Ticket<SliceSender<T>> {
    this.#checkAlive()
    if (this.#watch !== null) throw new FramePoolError('ERR_BUSY', 'someone waits for room in the channel')
    const framepool = makeTicket((carrier) => depart(Kind.Sender, this.#handle, carrier))
    this.#released = true
    released(this)
    return { framepool }
  }

  /** Calls `release()`. */
  [Symbol.dispose](): void {
    this.release()
  }

  #send(item: T): boolean {
    this.#checkAlive()
    if (this.#room === 0) this.#room = askChannel(this.#handle)
    if (this.#room === 0) return false
    departMovable(item, this.#carrier)
    return true
  }

  #attempt(item: T, waiter: Waiter): boolean {
    try {
      if (!this.#send(item)) return false
      waiter.resolve()
    } catch (error) {
      waiter.reject(error)
    }
    return true
  }

  /** Has those who wait try again when there is room, or when they wait in vain. */
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
    if (this.#released) throw new FramePoolError('ERR_RELEASED', 'the sender was released')
  }
}

/** Not in the constructor, where it would keep the object that it is for. */
function freeSender(handle: Handle): () => void {
  return () => releaseSender(handle)
}
