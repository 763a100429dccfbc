import { RingBuffer } from 'ringbuf.js'

/** The ring of `ringbuf.js`, which copies byte by byte. */
export class RingBuf {
  readonly #ring: RingBuffer

  constructor(size: number) {
    this.#ring = new RingBuffer(RingBuffer.getStorageForCapacity(size, Uint8Array), Uint8Array)
  }

  write(source: Uint8Array): number {
    return this.#ring.push(source, source.length)
  }

  read(target: Uint8Array): number {
    return this.#ring.pop(target, target.length)
  }
}
