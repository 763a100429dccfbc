import type { Readable } from 'node:stream'
import { callbackify } from 'node:util'
import { invalidArgType } from '../../support/errors.js'
import { nodeStream } from '../../support/streams.js'
import { errorOfThrown } from '../../support/thrown.js'
import { copyOut } from '../copy.js'
import type { RingSource } from '../source.js'
import { destroyOnAbort } from './destroy-on-abort.js'
import type { RingReadableOptions } from './options.js'
import { streamOptions } from './options.js'

// An import of `node:process` would read all of its properties, and the first look at `process.stdin` opens it.
const { nextTick } = process

/** A callback instead of a promise: an error that a listener throws in a promise would be an unhandled rejection. */
const waitForBytes = callbackify((source: RingSource, signal: AbortSignal) => source.wait(1, { signal }))

/** Key of the constructor: only this module has it. */
const readableKey = Symbol('framepool.ring-readable')

/** Makes the class of Node streams of copies of what a consumer reads: see `Consumer.toReadable()`. */
function ringReadable() {
  const { Readable } = nodeStream()
  return class RingReadable extends Readable {
    readonly #source: RingSource
    readonly #closing = new AbortController()
    #stopListening = (): void => {}

    constructor(key: symbol, source: RingSource, options: RingReadableOptions) {
      if (key !== readableKey) throw invalidArgType('a stream over a ring comes from Consumer.toReadable()')
      const { highWaterMark, encoding, emitClose, signal } = streamOptions(options)
      super({ highWaterMark, encoding, emitClose })
      source.takeOver()
      this.#source = source
      // The constructor above does not get the signal: one that has aborted would destroy the stream before it has a source.
      this.#stopListening = destroyOnAbort(this, signal)
      if (this.destroyed) this.#stopListening()
    }

    override _read(size: number): void {
      const source = this.#source
      // Bytes that are there come later, too: Node's streams ignore a part of a character that is pushed at once.
      waitForBytes(source, this.#closing.signal, (error, available) => {
        if (this.destroyed) return
        if (error) {
          this.destroy(error)
        } else if (available === 0) {
          this.push(null)
        } else {
          // A high-water mark of 0 forbids reading ahead, not reading.
          this.#copy(Math.min(available, size || available))
        }
      })
    }

    /** Pushes a copy of `count` bytes. If it cannot be made, the stream errs, and the bytes stay in the ring. */
    #copy(count: number): void {
      let chunk: Buffer
      try {
        chunk = Buffer.allocUnsafe(count)
        copyOut(this.#source, chunk)
      } catch (error) {
        this.destroy(errorOfThrown(error))
        return
      }
      this.#give(chunk)
    }

    /** Pushes a chunk. An error that a listener for `data` throws is passed on, and must not keep the rest from being read. */
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
      // Ends the wait for a session's output. A half that is released ends its waits itself.
      this.#closing.abort()
      this.#source.giveUp()
      callback(error)
    }
  }
}

let RingReadable: ReturnType<typeof ringReadable> | undefined

/** Makes the stream of `source`, which it takes over. Throws `ERR_BUSY` if `source` is in use. */
export function makeRingReadable(source: RingSource, options: RingReadableOptions): Readable {
  RingReadable ??= ringReadable()
  return new RingReadable(readableKey, source, options)
}
