import { acquired, released } from '../native/acquired.js'
import { receiveFromChannel, releaseReceiver, waitForObject, waitForObjectSync } from '../native/channel.js'
import type { Handle } from '../native/handle.js'
import { onBehalf } from '../native/trace.js'
import { departReceiver, makeArrivals, makeTicket } from '../native/travel.js'
import { nativeWait } from '../native/wait.js'
import { FramePoolError, invalidArgType } from '../support/errors.js'
import { uncloneable } from '../support/inspectable.js'
import type { Ticket } from '../support/ticket.js'
import { now } from '../support/timers.js'
import type { WaitOptions } from '../support/wait.js'
import { leftOf, timeoutArgument, waitOptions } from '../support/wait.js'
import { arrivedMovable, type Movable } from './movable.js'

/** Key of the constructor: only this module has it. */
const receiverKey = Symbol('framepool.slice-receiver')

let checkOf: (receiver: SliceReceiver) => void

const UNCLONEABLE = Symbol('a SliceReceiver is not cloned: post what its move() returns')

/** The receiving end of a {@link SliceChannel}. When its isolate ends, objects not yet received go back to their pools. */
export class SliceReceiver<T extends Movable = Movable> implements AsyncIterable<T>, Disposable {
  readonly #handle: Handle
  readonly #arrivals = makeArrivals()
  #released = false
  /** Whether the channel was last found empty, with its sender ended. */
  #atEnd = false
  /** Number of waits that are not over. */
  #waiting = 0

  /** @internal */
  constructor(key: symbol, handle: Handle) {
    if (key !== receiverKey) throw invalidArgType('a SliceReceiver comes from SliceChannel.create()')
    this.#handle = handle
    acquired(this, 'slice-receiver', handle, releaseReceiver)
    uncloneable(this, UNCLONEABLE)
  }

  static {
    checkOf = (receiver) => receiver.#checkAlive()
  }

  /**
   * Returns the next object, which is the caller's from here on, or null when none is there. Throws `ERR_RELEASED`, and `ERR_NO_MEMORY` when
   * the system has no memory: the object is still in the channel then.
   */
  tryReceive(): T | null {
    this.#checkAlive()
    const arrived = receiveFromChannel(this.#handle, this.#arrivals)
    if (typeof arrived === 'object') return arrivedMovable(arrived) as T
    this.#atEnd = arrived === 'ended'
    return null
  }

  /**
   * Resolves with the next object as soon as it is there, or with null at the end. A pending promise keeps the process alive. Rejects with
   * `ERR_RELEASED`, with `ERR_TIMEOUT`, with `signal.reason`, and with `ERR_NO_MEMORY` when the system has no memory: what was sent is still
   * in the channel then.
   */
  async receive(options?: WaitOptions): Promise<T | null> {
    const start = now()
    const given = waitOptions(options)
    this.#checkAlive()
    this.#waiting++
    const receive = onBehalf(() => this.tryReceive())
    try {
      for (let left = given; ; left = leftOf(given, start)) {
        const item = await nativeWait(
          () => left,
          (settled) => waitForObject(this.#handle, settled),
          receive,
        )
        // Another wait may have received the object.
        if (item !== null || this.#atEnd) return item
      }
    } finally {
      this.#waiting--
    }
  }

  /**
   * Receives as `receive()` does, but blocks this thread: for workers. `timeoutMs` is 0 to 2^31 − 1 milliseconds; after that it throws
   * `ERR_TIMEOUT`. Throws `ERR_RELEASED` and `ERR_NO_MEMORY` as `tryReceive()` does.
   */
  receiveSync(options: { timeoutMs: number }): T | null {
    const timeoutMs = timeoutArgument(options)
    const item = this.tryReceive()
    if (item !== null || this.#atEnd) return item
    waitForObjectSync(this.#handle, timeoutMs)
    return this.tryReceive()
  }

  /** Iterates over the objects until the end. Leaving the loop early leaves the channel as it is. */
  [Symbol.asyncIterator](): AsyncIterator<T, void> {
    this.#checkAlive()
    // A generator would make three promises of each item.
    return { next: async () => this.#resultOf(this.tryReceive() ?? (this.#atEnd ? null : await this.receive())) }
  }

  #resultOf(item: T | null): IteratorResult<T, void> {
    return item === null ? { done: true, value: undefined } : { done: false, value: item }
  }

  /**
   * Ends the channel: objects that were sent and not received go back to their pools. Returns true the first time, and false after that.
   */
  release(): boolean {
    if (this.#released) return false
    this.#released = true
    released(this)
    releaseReceiver(this.#handle)
    return true
  }

  /**
   * Returns a ticket with which another isolate of this process can `adopt()` the receiver. In this isolate the receiver counts as
   * released. Throws `ERR_RELEASED`, `ERR_BUSY` while `receive()` waits, and `ERR_NO_MEMORY` when the system has no memory.
   */
  move(): Ticket<SliceReceiver<T>> {
    this.#checkAlive()
    if (this.#waiting > 0) throw new FramePoolError('ERR_BUSY', 'someone waits for what the channel brings')
    const framepool = makeTicket((carrier) => departReceiver(this.#handle, carrier))
    this.#released = true
    released(this)
    return { framepool }
  }

  /** Calls `release()`. */
  [Symbol.dispose](): void {
    this.release()
  }

  #checkAlive(): void {
    if (this.#released) refuseReleased()
  }
}

function refuseReleased(): never {
  throw new FramePoolError('ERR_RELEASED', 'the receiver was released')
}

/** Makes the receiving end that `handle` names. */
export function makeReceiver<T extends Movable = Movable>(handle: Handle): SliceReceiver<T> {
  return new SliceReceiver(receiverKey, handle)
}

/** Throws `ERR_RELEASED` if `receiver` was released or moved. */
export function checkReceiver(receiver: SliceReceiver): void {
  checkOf(receiver)
}
