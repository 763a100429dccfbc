import { createHash, type Hash } from 'node:crypto'
import { wireLength } from './sessions.js'

/** Counts frames, and hashes them in order. */
export class Tally {
  frames = 0
  /** Bytes on the wire. */
  bytes = 0
  readonly #hash: Hash = createHash('sha256')

  add(messageType: number, payload: Uint8Array): void {
    this.frames++
    this.bytes += wireLength(payload.length)
    const { length } = payload
    this.#hash.update(Uint8Array.of(messageType, length & 0xff, (length >> 8) & 0xff, length >> 16)).update(payload)
  }

  digest(): string {
    return this.#hash.copy().digest('hex')
  }
}
