import { createChannel } from '../native/channel.js'
import { Fixed } from '../native/fixed.js'
import { integerArgument } from '../support/arguments.js'
import type { Movable } from './movable.js'
import { makeReceiver, type SliceReceiver } from './slice-receiver.js'
import { makeSender, type SliceSender } from './slice-sender.js'

const DEFAULT_CAPACITY = 64

/**
 * A channel of slices, buffers and allocations for one sender and one receiver. Each of the two ends can `move()` to another isolate.
 * Objects change their owner without a copy and without a message, through a byte ring of tokens.
 */
// biome-ignore lint/complexity/noStaticOnlyClass: its users know it as a class, beside `ByteRing`.
export class SliceChannel {
  /**
   * Makes a channel and returns its two ends. Throws `ERR_NO_MEMORY` when the system has no memory.
   *
   * @param capacity How many objects may be on their way at a time: 1 to 65,536, by default 64; otherwise `ERR_OUT_OF_RANGE`.
   */
  static create<T extends Movable = Movable>(
    capacity: number = DEFAULT_CAPACITY,
  ): {
    /** End that sends. */
    sender: SliceSender<T>
    /** End that receives. */
    receiver: SliceReceiver<T>
  } {
    const { sender, receiver } = createChannel(integerArgument(capacity, 'capacity', 1, Fixed.MaxCapacity))
    return { sender: makeSender(sender), receiver: makeReceiver(receiver) }
  }
}
