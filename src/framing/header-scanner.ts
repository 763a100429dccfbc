import { copyInto, lengthOf, partOf } from '../support/arguments.js'
import { FramePoolError, invalidArgType, invalidArgValue } from '../support/errors.js'

/** The largest length that native code takes. It refuses all above the longest frame. */
const MOST = 0xffff_ffff

/** Finds the headers in a stream, and asks JavaScript for the length of each frame, once. */
export class HeaderScanner {
  readonly #frameLength: (header: Uint8Array) => number
  /** Length of a header, in bytes. */
  readonly #size: number
  /** Bytes of the header that is not complete. */
  readonly #header: Uint8Array
  #have = 0
  /** Bytes that are still to come of the frame whose header was complete. */
  #rest = 0
  #asking = false

  constructor(headerLength: number, frameLength: (header: Uint8Array) => number) {
    this.#size = headerLength
    this.#header = new Uint8Array(headerLength)
    this.#frameLength = frameLength
  }

  /**
   * Returns the lengths of the frames whose headers end in `chunk`, and a function that moves on behind the chunk. It asks for no further
   * length behind a frame that is shorter than its header. Throws what `frameLength` throws, and nothing has changed then.
   */
  scan(chunk: Uint8Array): { lengths: number[]; moveOn: () => void } {
    const size = this.#size
    const length = lengthOf(chunk)
    // A chunk of 0 bytes may be detached, and has no parts then.
    if (length === 0) return { lengths: [], moveOn: () => {} }
    const lengths: number[] = []
    let at = Math.min(this.#rest, length)
    let rest = this.#rest - at
    let have = this.#have
    let begin = at
    while (rest === 0 && at < length) {
      begin = at
      const more = size - have
      if (length - at < more) {
        at = length
        break
      }
      // A copy: the function may keep it, and write into it.
      const header = new Uint8Array(size)
      copyInto(header, partOf(this.#header, 0, have), 0)
      copyInto(header, partOf(chunk, at, more), have)
      at += more
      have = 0
      const frame = this.#asked(header)
      if (lengthOf(chunk) !== length) throw invalidArgValue('frameLength must not detach the bytes that are received')
      lengths.push(frame)
      if (frame < size) break
      const skipped = Math.min(frame - size, length - at)
      at += skipped
      rest = frame - size - skipped
      begin = at
    }
    const more = rest === 0 ? at - begin : 0
    const partial = partOf(chunk, begin, more)
    const before = have
    return {
      lengths,
      moveOn: () => {
        this.#rest = rest
        copyInto(this.#header, partial, before)
        this.#have = before + more
      },
    }
  }

  #asked(header: Uint8Array): number {
    if (this.#asking) throw new FramePoolError('ERR_BUSY', 'frameLength must not call the reader')
    this.#asking = true
    let length: unknown
    try {
      length = this.#frameLength.call(undefined, header)
    } finally {
      this.#asking = false
    }
    if (typeof length !== 'number' || !Number.isInteger(length)) {
      throw invalidArgType('frameLength must return a whole number')
    }
    return Math.min(Math.max(length, 0), MOST)
  }
}
