import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { MAX_BACKLOG } from './constants.js'

/** Lines for a reader who may be slow or gone. The writer never waits: lines that find no room are left out and counted. */
export class LossyLines {
  readonly #stream: Writable
  #waiting = 0
  #leftOut = 0
  #broken = false
  #allWritten: (() => void) | null = null

  constructor(stream: Writable) {
    this.#stream = stream
    stream.on('error', () => this.break())
  }

  /** Lines that were left out, or have not been written by now. */
  get leftOut(): number {
    return this.#leftOut + this.#waiting
  }

  /** Leaves out all lines from now on: the stream cannot be written. */
  break(): void {
    this.#broken = true
  }

  /** Writes the line that `make` returns. Does not call it if there is no room. */
  write(make: () => string): void {
    if (this.#broken || this.#stream.writableLength > MAX_BACKLOG) {
      this.#leftOut++
      return
    }
    this.#waiting++
    this.#stream.write(make(), (error) => {
      this.#waiting--
      if (error) this.#leftOut++
      if (this.#waiting === 0) this.#allWritten?.()
    })
  }

  /** Resolves with true once all lines are written or lost, or with false after `ms` milliseconds. */
  async written(ms: number): Promise<boolean> {
    if (this.#waiting === 0 || this.#broken) return true
    const all = new Promise<void>((resolve) => {
      this.#allWritten = resolve
    })
    await Promise.race([all, sleep(ms, undefined, { ref: false })])
    return this.#waiting === 0
  }
}
