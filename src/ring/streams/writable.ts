import { Writable } from 'node:stream'
import { callbackify } from 'node:util'
import { invalidArgType } from '../../support/errors.js'
import { copyAllIn } from '../copy.js'
import type { HalfCore } from '../half.js'
import { ringKey } from '../source.js'
import { destroyOnAbort } from './destroy-on-abort.js'
import type { RingWritableOptions } from './options.js'
import { streamOptions } from './options.js'

type Callback = (error?: Error | null) => void
/** A string only with `decodeStrings: false`. */
type Written = { chunk: Buffer | string; encoding: BufferEncoding }

/** Not a promise's callback: what a listener throws there would be an unhandled rejection. */
const write = callbackify(copyAllIn)

/** What a producer writes, as a Node stream that copies. It has the producer from its making until it closes. */
export class RingWritable extends Writable {
  readonly #half: HalfCore
  readonly #closing = new AbortController()
  #stopListening = (): void => {}

  constructor(key: symbol, half: HalfCore, options: RingWritableOptions) {
    if (key !== ringKey) throw invalidArgType('a stream over a ring comes from Producer.toWritable()')
    const { highWaterMark, decodeStrings, defaultEncoding, emitClose, signal } = streamOptions(options)
    super({ highWaterMark, decodeStrings, defaultEncoding, emitClose })
    half.takeOver()
    this.#half = half
    // Not left to the constructor above: a signal that has aborted destroys the stream at once.
    this.#stopListening = destroyOnAbort(this, signal)
    if (this.destroyed) this.#stopListening()
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, callback: Callback): void {
    this._writev([{ chunk, encoding }], callback)
  }

  /** What has piled up during a wait goes in together. */
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
    // A write that still waits fails with what has destroyed the stream.
    this.#closing.abort(error ?? undefined)
    this.#half.giveUp()
    callback(error)
  }
}
