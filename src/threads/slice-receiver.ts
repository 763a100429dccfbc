import { acquired, released } from '../native/acquired.js'
import { reply } from '../native/call.js'
import { receiveFromChannel, releaseReceiver, waitForObject, waitForObjectSync } from '../native/channel.js'
import type { Handle } from '../native/handle.js'
import { depart, makeTicket } from '../native/transfer.js'
import { nativeWait } from '../native/wait.js'
import { Kind, Word } from '../native/words.js'
import { integerArgument, optionsArgument } from '../support/arguments.js'
import { FramePoolError, invalidArgType } from '../support/errors.js'
import { now } from '../support/timers.js'
import type { WaitOptions } from '../support/wait.js'
import { leftOf, MAX_TIMEOUT_MS, waitOptions } from '../support/wait.js'
import { arrivedMovable, type Movable } from './movable.js'
import type { Ticket } from './ticket.js'

/** Only framepool makes the ends of channels. */
export const channelKey = Symbol('framepool.channel')

/** The receiving end of a {@link SliceChannel}. What it has not received when its isolate ends goes back to its pools. */
export class SliceReceiver<T extends Movable = Movable> implements AsyncIterable<T>, Disposable {
  readonly #handle: Handle
  #released = false
  /** Nothing was there the last time, and nothing will come. */
  #atEnd = false
  /** Waits that are not over. */
  #waiting = 0

  /** @internal */
  constructor(key: symbol, handle: Handle) {
    if (key !== channelKey) throw invalidArgType('a SliceReceiver comes from SliceChannel.create()')
    this.#handle = handle
    acquired(this, 'slice-receiver', handle, freeReceiver(handle))
  }

  /** The next object, the caller's from here on; null when none is there. */
  tryReceive(): T | null {
    this.#checkAlive()
    if (receiveFromChannel(this.#handle)) return arrivedMovable() as T
    this.#atEnd = reply(Word.Ended) === 1
    return null
  }

  /** The next object as soon as it is there, or null at the end. A pending promise keeps the process alive. */
  async receive(options?: WaitOptions): Promise<T | null> {
    const start = now()
    const given = waitOptions(options)
    this.#checkAlive()
    this.#waiting++
    try {
      for (let left = given; ; left = leftOf(given, start)) {
        const item = await nativeWait(
          () => left,
          (settled) => waitForObject(this.#handle, settled),
          () => this.tryReceive(),
        )
        // Another wait may have been first.
        if (item !== null || this.#atEnd) return item
      }
    } finally {
      this.#waiting--
    }
  }

  /** Receives as `receive()` does, but blocks this thread: for workers. Throws `ERR_TIMEOUT` after `timeoutMs`. */
  receiveSync(options: { timeoutMs: number }): T | null {
    const timeoutMs = integerArgument(optionsArgument(options, 'options').timeoutMs, 'timeoutMs', 0, MAX_TIMEOUT_MS)
    const item = this.tryReceive()
    if (item !== null || this.#atEnd) return item
    waitForObjectSync(this.#handle, timeoutMs)
    return this.tryReceive()
  }

  /** What is received until the end. Leaving the loop early leaves the channel as it is. */
  [Symbol.asyncIterator](): AsyncIterator<T, void> {
    this.#checkAlive()
    // Not a generator, which would make three promises of each item.
    return { next: async () => this.#resultOf(this.tryReceive() ?? (this.#atEnd ? null : await this.receive())) }
  }

  #resultOf(item: T | null): IteratorResult<T, void> {
    return item === null ? { done: true, value: undefined } : { done: false, value: item }
  }

  /** Ends the channel: what was sent and not received goes back to its pools. True the first time, false after. */
  release(): boolean {
    if (this.#released) return false
    this.#released = true
    released(this)
    releaseReceiver(this.#handle)
    return true
  }

  /** A ticket with which another isolate of this process can `adopt()` this end. While someone waits to receive: `ERR_BUSY`. */
  move(): Ticket<SliceReceiver<T>> {
    this.#checkAlive()
    if (this.#waiting > 0) throw new FramePoolError('ERR_BUSY', 'someone waits for what the channel brings')
    const framepool = makeTicket((carrier) => depart(Kind.Receiver, this.#handle, carrier))
    this.#released = true
    released(this)
    return { framepool }
  }

  /** Calls `release()`. */
  [Symbol.dispose](): void {
    this.release()
  }

  #checkAlive(): void {
    if (this.#released) throw new FramePoolError('ERR_RELEASED', 'the receiver was released')
  }
}

/** Not in the constructor, where it would keep the object that it is for. */
function freeReceiver(handle: Handle): () => void {
  return () => releaseReceiver(handle)
}
