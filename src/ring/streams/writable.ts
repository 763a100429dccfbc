import type { Writable } from 'node:stream'
import { callbackify } from 'node:util'
import { invalidArgType } from '../../support/errors.js'
import { nodeStream } from '../../support/streams.js'
import { copyAllIn } from '../copy.js'
import type { HalfCore } from '../half.js'
import { destroyOnAbort } from './destroy-on-abort.js'
import type { RingWritableOptions } from './options.js'
import { streamOptions } from './options.js'

type Callback = (error?: Error | null) => void
/** A chunk is a string only with `decodeStrings: false`. */
type Written = { chunk: Buffer | string; encoding: BufferEncoding }

/** A callback instead of a promise: an error that a listener throws in a promise would be an unhandled rejection. */
const write = callbackify(copyAllIn)

/** Key of the constructor: only this module has it. */
const writableKey = Symbol('framepool.ring-writable')

/** Makes the class of Node streams that copy into a producer's ring: see `Producer.toWritable()`. */
function ringWritable() {
  const { Writable } = nodeStream()
  return class RingWritable extends Writable {
    readonly #half: HalfCore
    readonly #closing = new AbortController()
    #stopListening = (): void => {}

    constructor(key: symbol, half: HalfCore, options: RingWritableOptions) {
      if (key !== writableKey) throw invalidArgType('a stream over a ring comes from Producer.toWritable()')
      const { highWaterMark, decodeStrings, defaultEncoding, emitClose, signal } = streamOptions(options)
      super({ highWaterMark, decodeStrings, defaultEncoding, emitClose })
      half.takeOver()
      this.#half = half
      // The constructor above does not get the signal: one that has aborted would destroy the stream before it has a half.
      this.#stopListening = destroyOnAbort(this, signal)
      if (this.destroyed) this.#stopListening()
    }

    override _write(chunk: Buffer | string, encoding: BufferEncoding, callback: Callback): void {
      this._writev([{ chunk, encoding }], callback)
    }

    /** Writes the chunks that have piled up during a wait together. */
    override _writev(written: Written[], callback: Callback): void {
      const chunks = written.map(({ chunk, encoding }) =>
        typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk,
      )
      write(this.#half, chunks, this.#closing.signal, callback)
    }

    override _final(callback: Callback): void {
      this.#half.end()
      callback()
    }

    override _destroy(error: Error | null, callback: Callback): void {
      this.#stopListening()
      // A write that still waits fails with the error that has destroyed the stream.
      this.#closing.abort(error ?? undefined)
      this.#half.giveUp()
      callback(error)
    }
  }
}

let RingWritable: ReturnType<typeof ringWritable> | undefined

/** Makes the stream into `half`, which it takes over. Throws `ERR_BUSY` if `half` is in use. */
export function makeRingWritable(half: HalfCore, options: RingWritableOptions): Writable {
  RingWritable ??= ringWritable()
  return new RingWritable(writableKey, half, options)
}
