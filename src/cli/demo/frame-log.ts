import { createHash } from 'node:crypto'
import type { FrameHeader } from '../../sv2/index.js'

/** Length of a frame's digest. It is short, since a long run sends tens of millions of them to the coordinator. */
export const DIGEST_BYTES = 8

/** Digests of the frames at one end of one connection since the last record, in order. */
export interface FrameRecord {
  identity: string
  sent: Uint8Array
  received: Uint8Array
}

function digest(header: FrameHeader, payload: Uint8Array): Uint8Array {
  const extension = header.extensionType ?? 0
  return createHash('sha256')
    .update(Buffer.of(header.messageType, extension & 0xff, extension >> 8, header.channelMessage ? 1 : 0))
    .update(payload)
    .digest()
    .subarray(0, DIGEST_BYTES)
}

/** The frames that one end of a connection sent and received, in order. */
export class FrameLog {
  /** The miner's user_identity. The mining pool learns it some frames after the first, which wait here until then. */
  identity: string | null = null
  #sent: Uint8Array[] = []
  #received: Uint8Array[] = []

  addSent(header: FrameHeader, payload: Uint8Array): void {
    this.#sent.push(digest(header, payload))
  }

  addReceived(header: FrameHeader, payload: Uint8Array): void {
    this.#received.push(digest(header, payload))
  }

  /** Returns what was added since the last call, or null if that is nothing or the connection has no name yet. */
  take(): FrameRecord | null {
    if (this.identity === null || this.#sent.length + this.#received.length === 0) return null
    const record = { identity: this.identity, sent: Buffer.concat(this.#sent), received: Buffer.concat(this.#received) }
    this.#sent = []
    this.#received = []
    return record
  }
}
