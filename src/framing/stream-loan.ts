import type { Duplex } from 'node:stream'
import { removeListener } from '../support/streams.js'
import { callSafely } from '../support/thrown.js'

/** A stream that is not a socket, and is borrowed until it is closed. */
export class StreamLoan {
  readonly #stream: Duplex
  readonly #allowHalfOpen: boolean
  readonly #listeners: [event: string, listener: (...args: never[]) => void][] = []

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
  }

  on(event: string, listener: (...args: never[]) => void): void {
    this.#listeners.push([event, listener])
    this.#stream.on(event, listener as () => void)
  }

  onClosed(listener: () => void): void {
    this.on('close', () => {
      if (this.#stream.destroyed) listener()
    })
  }

  destroy(): void {
    this.#stream.destroy()
  }

  giveBack(): void {
    for (const [event, listener] of this.#listeners) {
      callSafely(() => removeListener(this.#stream, event, listener))
    }
    this.#stream.allowHalfOpen = this.#allowHalfOpen
  }
}
