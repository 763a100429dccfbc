import { copyInto, lengthOf, partOf } from '../support/arguments.js'
import { FramePoolError } from '../support/errors.js'
import type { HalfCore } from './half.js'
import type { RingSource } from './source.js'

/** Copies as much out of the ring as `target` holds. Returns the number of bytes. */
export function copyOut(source: RingSource, target: Uint8Array): number {
  const length = lengthOf(target)
  const count = Math.min(length, source.atLeast(length))
  if (count === 0) return 0
  const { memory, offset, memorySize } = source
  const first = Math.min(count, memorySize - offset)
  copyInto(target, memory.view(offset, first), 0)
  if (first < count) copyInto(target, memory.view(0, count - first), first)
  source.advance(count)
  return count
}

/**
 * Copies all of `chunks` into the ring, and waits for room until `signal` aborts. Rejects with `ERR_CLOSED` when the consumer has
 * ended.
 */
export async function copyAllIn(half: HalfCore, chunks: Iterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  for (const chunk of chunks) {
    let copied = 0
    while (copied < lengthOf(chunk)) {
      if (half.otherEnded) {
        throw new FramePoolError('ERR_CLOSED', 'the consumer has ended: nobody reads what is written')
      }
      copied += half.fill(partOf(chunk, copied, lengthOf(chunk) - copied))
      // A wait for more than one byte may never end: the reader may have read a little, and wait for a full ring.
      if (copied < lengthOf(chunk)) await half.wait(1, { signal })
    }
  }
}
