import type { Duplex } from 'node:stream'
import { guardDestroy, watchMethod } from '../ring/sockets/watch-method.js'
import { removeListener } from '../support/streams.js'
import { callSafely } from '../support/thrown.js'
import { setImmediate } from '../support/timers.js'

/** A stream that is not a socket, and is borrowed until it is closed. */
export class StreamLoan {
  readonly #stream: Duplex
  readonly #allowHalfOpen: boolean
  readonly #listeners: [event: string, listener: (...args: never[]) => void][] = []
  #onClosed = (): void => {}
  readonly #unwatch: (() => void)[] = []

  constructor(stream: Duplex) {
    this.#stream = stream
    this.#allowHalfOpen = stream.allowHalfOpen
  }

  /** Whether the stream was destroyed. */
  get over(): boolean {
    return this.#stream.destroyed
  }

  borrow(): void {
    // Otherwise Node ends the sending side with the receiving one, before everything has gone out.
    this.#stream.allowHalfOpen = true
    this.#unwatch.push(guardDestroy(this.#stream, () => this.over))
    // A getter of the user may throw.
    this.#unwatch.push(this.#watchClose())
  }

  /** Learns of the end of a stream that emits no `close`, too. */
  #watchClose(): () => void {
    return watchMethod(this.#stream, '_destroy', (call, [error, callback]) => {
      // Node emits an `error` first.
      const over = (): unknown => setImmediate(() => this.#onClosed())
      try {
        return call([
          error,
          (failure: unknown) => {
            over()
            ;(callback as (failure: unknown) => void)(failure)
          },
        ])
      } catch (thrown) {
        over()
        throw thrown
      }
    })
  }

  on(event: string, listener: (...args: never[]) => void): void {
    this.#listeners.push([event, listener])
    this.#stream.on(event, listener as () => void)
  }

  onClosed(listener: () => void): void {
    this.#onClosed = listener
    this.on('close', () => {
      if (this.#stream.destroyed) listener()
    })
  }

  destroy(): void {
    this.#stream.destroy()
  }

  giveBack(): void {
    this.#onClosed = () => {}
    for (const end of this.#unwatch) callSafely(end)
    for (const [event, listener] of this.#listeners) {
      callSafely(() => removeListener(this.#stream, event, listener))
    }
    this.#stream.allowHalfOpen = this.#allowHalfOpen
  }
}
