import { createCipheriv, createDecipheriv } from 'node:crypto'

const ALGORITHM = 'chacha20-poly1305'
const TAG = 16
const HEADER = 6
const CHUNK = 65_519

export interface Frame {
  extensionType: number
  messageType: number
  payload: Buffer
}

/**
 * The Sv2 transport of TypeScript stacks, on node:crypto, as a rival of `Sv2Session`. The caller passes the keys,
 * because the comparison begins after the handshake.
 */
export class NodeCryptoTransport {
  readonly #sealing: Cipher
  readonly #opening: Cipher
  #pending: Buffer = Buffer.alloc(0)
  #header: { extensionType: number; messageType: number; length: number } | null = null

  constructor(keys: { sealing: Buffer; opening: Buffer }) {
    this.#sealing = new Cipher(keys.sealing)
    this.#opening = new Cipher(keys.opening)
  }

  seal({ extensionType, messageType, payload }: Frame): Buffer {
    const header = Buffer.allocUnsafe(HEADER)
    header.writeUInt16LE(extensionType, 0)
    header.writeUInt8(messageType, 2)
    header.writeUIntLE(payload.length, 3, 3)
    const parts = this.#sealing.seal(header)
    for (let at = 0; at < payload.length; at += CHUNK) {
      parts.push(...this.#sealing.seal(payload.subarray(at, at + CHUNK)))
    }
    return Buffer.concat(parts)
  }

  /** Returns the frames that `chunk` completes. Throws if one does not decrypt. */
  open(chunk: Buffer): Frame[] {
    const bytes = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk
    const frames: Frame[] = []
    let at = 0
    for (;;) {
      if (this.#header === null) {
        if (bytes.length - at < HEADER + TAG) break
        const header = this.#opening.open(bytes.subarray(at, at + HEADER + TAG))
        at += HEADER + TAG
        this.#header = {
          extensionType: header.readUInt16LE(0),
          messageType: header.readUInt8(2),
          length: header.readUIntLE(3, 3),
        }
      }
      const { length, ...header } = this.#header
      const sealed = length + Math.ceil(length / CHUNK) * TAG
      if (bytes.length - at < sealed) break
      const parts: Buffer[] = []
      for (const end = at + sealed; at < end; ) {
        const next = Math.min(end, at + CHUNK + TAG)
        parts.push(this.#opening.open(bytes.subarray(at, next)))
        at = next
      }
      frames.push({ ...header, payload: parts.length === 1 ? parts[0]! : Buffer.concat(parts) })
      this.#header = null
    }
    this.#pending = bytes.subarray(at)
    return frames
  }
}

/** ChaCha20-Poly1305 with a counter as its nonce, as in Noise. */
class Cipher {
  readonly #key: Buffer
  readonly #nonce = Buffer.alloc(12)
  #counter = 0

  constructor(key: Buffer) {
    this.#key = key
  }

  /** Returns the ciphertext and its tag. */
  seal(bytes: Buffer): Buffer[] {
    const cipher = createCipheriv(ALGORITHM, this.#key, this.#next(), { authTagLength: TAG })
    return [cipher.update(bytes), cipher.final(), cipher.getAuthTag()]
  }

  open(sealed: Buffer): Buffer {
    const decipher = createDecipheriv(ALGORITHM, this.#key, this.#next(), { authTagLength: TAG })
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG))
    const bytes = decipher.update(sealed.subarray(0, sealed.length - TAG))
    // Throws on a wrong tag, and returns no bytes.
    decipher.final()
    return bytes
  }

  #next(): Buffer {
    this.#nonce.writeUIntLE(this.#counter++, 4, 6)
    return this.#nonce
  }
}
