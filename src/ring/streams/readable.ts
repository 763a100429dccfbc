import { Readable } from 'node:stream'
import { callbackify } from 'node:util'
import { invalidArgType } from '../../support/errors.js'
import { copyOut } from '../copy.js'
import { type RingSource, ringKey } from '../source.js'
import { destroyOnAbort } from './destroy-on-abort.js'
import type { RingReadableOptions } from './options.js'
import { streamOptions } from './options.js'

// As an import, `node:process` would read all of its properties, and the first look at `process.stdin` opens it.
const { nextTick } = process

/** Not a promise's callback: what a listener throws there would be an unhandled rejection. */
const waitForBytes = callbackify((source: RingSource, signal: AbortSignal) => source.wait(1, { signal }))

/** What a consumer reads, as a Node stream of copies. It has the consumer from its making until it closes. */
export class RingReadable extends Readable {
  readonly #source: RingSource
  readonly #closing = new AbortController()
  #stopListening = (): void => {}

  constructor(key: symbol, source: RingSource, options: RingReadableOptions) {
    if (key !== ringKey) throw invalidArgType('a stream over a ring comes from Consumer.toReadable()')
    const { highWaterMark, encoding, emitClose, signal } = streamOptions(options)
    super({ highWaterMark, encoding, emitClose })
    source.takeOver()
    this.#source = source
    // Not left to the constructor above: a signal that has aborted destroys the stream at once.
    this.#stopListening = destroyOnAbort(this, signal)
    if (this.destroyed) this.#stopListening()
  }

  override _read(size: number): void {
    const source = this.#source
    // Also what is there already comes later: of a piece of a character that comes at once Node's streams take no notice.
    waitForBytes(source, this.#closing.signal, (error, available) => {
      if (this.destroyed) return
      if (error) {
        this.destroy(error)
      } else if (available === 0) {
        this.push(null)
      } else {
        // A high-water mark of 0 forbids to read ahead, not to read.
        const chunk = Buffer.allocUnsafe(Math.min(available, size || available))
        copyOut(source, chunk)
        this.#give(chunk)
      }
    })
  }

  /** What a listener for `data` throws is passed on, but must not keep the rest from being read. */
  #give(chunk: Buffer): void {
    try {
      this.push(chunk)
    } catch (error) {
      nextTick(() => this.read(0))
      throw error
    }
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#stopListening()
    // A half that is released ends its waits itself; a session goes on.
    this.#closing.abort()
    this.#source.giveUp()
    callback(error)
  }
}
