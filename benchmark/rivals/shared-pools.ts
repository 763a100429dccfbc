import { TokenRing } from './token-ring.js'

/** A message that was taken from a pool. */
export interface Message {
  readonly length: number
  release(): void
}

/** Memory to write messages into. */
export interface Pool {
  getWritable(length: number): Uint8Array
  getDataOwned(): Message
}

/** A message that another thread knows by a number. */
export interface Numbered extends Message {
  readonly token: number
}

/** Buffers in a Map by their number, like `PPool` of buffer_sv2's bench. */
export class MapPool implements Pool {
  readonly #buffers = new Map<number, { bytes: Uint8Array; length: number }>()
  readonly #free: number[] = []
  /** Numbers of the buffers that the other thread has given back. */
  readonly #back: TokenRing

  constructor(capacity: number, back: SharedArrayBuffer) {
    this.#back = new TokenRing(back)
    for (let index = 0; index < 255; index++) {
      this.#buffers.set(index, { bytes: new Uint8Array(new SharedArrayBuffer(capacity)), length: 0 })
      this.#free.push(index)
    }
  }

  getWritable(length: number): Uint8Array {
    if (this.#free.length === 0) this.#takeBack()
    const buffer = this.#buffers.get(this.#free.at(-1)!)!
    const start = buffer.length
    buffer.length += length
    return buffer.bytes.subarray(start, start + length)
  }

  getDataOwned(): Numbered {
    const token = this.#free.pop()!
    const { length } = this.#buffers.get(token)!
    return { token, length, release: () => this.#release(token) }
  }

  #takeBack(): void {
    this.#release(this.#back.popWhenThere())
    for (let token = this.#back.pop(); token !== -1; token = this.#back.pop()) this.#release(token)
  }

  #release(token: number): void {
    this.#buffers.get(token)!.length = 0
    this.#free.push(token)
  }
}

const WHOLE: Numbered = { token: 0, length: 0, release: () => {} }

/** The least that can be done, like `MaxEfficiency` of buffer_sv2's bench: all pieces and messages are at one place. Useless. */
export class MostEfficient implements Pool {
  readonly #bytes: Uint8Array

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity)
  }

  getWritable(_: number): Uint8Array {
    return this.#bytes
  }

  getDataOwned(): Numbered {
    return WHOLE
  }
}
