import stream from 'node:stream'
import { ReadableStream, WritableStream, type WritableStreamDefaultController } from 'node:stream/web'
import { types } from 'node:util'
import { bytesArgument, lengthOf } from '../../support/arguments.js'
import { copyAllIn, copyOut } from '../copy.js'
import type { HalfCore } from '../half.js'
import type { RingSource } from '../source.js'

/** Node's types lack the signal, which aborts at once: `abort` is called only when the write under way is over. */
type Controller = WritableStreamDefaultController & { readonly signal: AbortSignal }

/** The most that a reader without a buffer of its own gets at once. */
const MAX_CHUNK = 65_536

/** What a consumer reads, as a web byte stream of copies. It has the consumer until it closes, errs or is cancelled. */
export function webReadable(source: RingSource): ReadableStream<Uint8Array> {
  source.takeOver()
  const closing = new AbortController()
  let open = true
  // Once: from then on others may have it.
  const giveUp = (): void => {
    if (open) source.giveUp()
    open = false
  }
  return new ReadableStream({
    type: 'bytes',
    // No `autoAllocateChunkSize`: what is allocated before the wait would be too large for most of what comes.
    async pull(controller) {
      try {
        const available = await source.wait(1, { signal: closing.signal })
        closing.signal.throwIfAborted()
        // Only now: while it waited, the reader may have gone and taken its buffer with it.
        const request = controller.byobRequest
        if (available === 0) {
          giveUp()
          controller.close()
          // A read into a buffer is over only when it has the buffer back.
          request?.respond(0)
        } else if (request) {
          request.respond(copyOut(source, request.view as Uint8Array))
        } else {
          // Memory of its own, for the stream detaches it.
          const chunk = Buffer.allocUnsafeSlow(Math.min(available, MAX_CHUNK))
          copyOut(source, chunk)
          controller.enqueue(chunk)
        }
      } catch (error) {
        // The stream errs, and tells nobody else.
        giveUp()
        throw error
      }
    },
    cancel() {
      closing.abort()
      giveUp()
    },
  })
}

/** What a producer writes, as a web stream that copies. It has the producer until it closes, errs or is aborted. */
export function webWritable(half: HalfCore): WritableStream<Uint8Array> {
  half.takeOver()
  return new WritableStream<Uint8Array>(
    {
      async write(chunk, controller) {
        const { signal } = controller as Controller
        try {
          await copyAllIn(half, [bytesArgument(chunk, 'chunk')], signal)
        } catch (error) {
          // The stream errs, and tells nobody else.
          half.giveUp()
          throw error
        }
      },
      close: () => half.giveUp(),
      abort: () => half.giveUp(),
    },
    {
      highWaterMark: stream.getDefaultHighWaterMark(false),
      // Whatever else is written is left for `write` to refuse: a failure here would never reach it.
      size: (chunk) => (types.isUint8Array(chunk) ? lengthOf(chunk) : 0),
    },
  )
}
