import type { ReadableStream, WritableStream, WritableStreamDefaultController } from 'node:stream/web'
import { types } from 'node:util'
import { bytesArgument, lengthOf } from '../../support/arguments.js'
import { nodeStream } from '../../support/streams.js'
import { copyAllIn, copyOut } from '../copy.js'
import type { HalfCore } from '../half.js'
import type { RingSource } from '../source.js'

/** Node's types lack the signal. It aborts at once, whereas `abort()` is called only when the write under way is over. */
type Controller = WritableStreamDefaultController & { readonly signal: AbortSignal }

/** Node's web streams, loaded when they are first used. Node takes milliseconds for that, and few programs use them. */
function webStreams(): typeof import('node:stream/web') {
  return process.getBuiltinModule('node:stream/web')
}

/** Most bytes that a reader without its own buffer gets at once. */
const MAX_CHUNK = 65_536

/** Makes a web byte stream of copies of what a consumer reads: see `Consumer.toReadableStream()`. */
export function webReadable(source: RingSource): ReadableStream<Uint8Array> {
  source.takeOver()
  const closing = new AbortController()
  let open = true
  // Once: after that another stream may have the source.
  const giveUp = (): void => {
    if (open) source.giveUp()
    open = false
  }
  const { ReadableStream } = webStreams()
  return new ReadableStream({
    type: 'bytes',
    // No `autoAllocateChunkSize`: a buffer made before the wait would mostly be too large for what comes.
    async pull(controller) {
      try {
        const available = await source.wait(1, { signal: closing.signal })
        closing.signal.throwIfAborted()
        // Asked for after the wait: the reader may have gone meanwhile, and taken its buffer with it.
        const request = controller.byobRequest
        if (available === 0) {
          giveUp()
          controller.close()
          // A read into a buffer is over only when the reader has the buffer back.
          request?.respond(0)
        } else if (request) {
          request.respond(copyOut(source, request.view as Uint8Array))
        } else {
          // The chunk has its own memory, because the stream detaches it.
          const chunk = Buffer.allocUnsafeSlow(Math.min(available, MAX_CHUNK))
          copyOut(source, chunk)
          controller.enqueue(chunk)
        }
      } catch (error) {
        // The stream calls nothing else when it errs.
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

/** Makes a web stream that copies into a producer's ring: see `Producer.toWritableStream()`. */
export function webWritable(half: HalfCore): WritableStream<Uint8Array> {
  half.takeOver()
  const { WritableStream } = webStreams()
  return new WritableStream<Uint8Array>(
    {
      async write(chunk, controller) {
        const { signal } = controller as Controller
        try {
          await copyAllIn(half, [bytesArgument(chunk, 'chunk')], signal)
        } catch (error) {
          // The stream calls nothing else when it errs.
          half.giveUp()
          throw error
        }
      },
      close: () => half.giveUp(),
      abort: () => half.giveUp(),
    },
    {
      highWaterMark: nodeStream().getDefaultHighWaterMark(false),
      // `write()` refuses other chunks. A failure here would keep them from it.
      size: (chunk) => (types.isUint8Array(chunk) ? lengthOf(chunk) : 0),
    },
  )
}
