import { type FrameHeader, generateAuthorityKeypair, type SessionOptions, Sv2Session } from '../../src/sv2/index.js'

const { publicKey, secretKey } = generateAuthorityKeypair()

/** The authority keys that responders certify with and initiators trust. */
export const authority = { authorityPublicKey: publicKey, authoritySecretKey: secretKey }

/** Bytes of act 1, which the initiator sends, and of act 2, which answers it. */
export const ACT_1 = 64
export const ACT_2 = 234
/** Bytes of a sealed header, and of the tag of each chunk. A chunk has at most 65,519 B of payload. */
export const SEALED_HEADER = 22
export const TAG = 16

/** Returns the bytes on the wire of a frame with `payload` bytes. */
export function wireLength(payload: number): number {
  return SEALED_HEADER + payload + Math.ceil(payload / 65_519) * TAG
}

/** Takes all bytes out of the output of a session. */
export function drain(session: Sv2Session): Buffer {
  const parts: Buffer[] = []
  while (session.output.available > 0) {
    const part = Buffer.alloc(session.output.available)
    session.output.read(part)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

export interface Pair {
  initiator: Sv2Session
  responder: Sv2Session
}

/** Returns the two sessions of a connection before the handshake. */
export function strangers(options: SessionOptions = {}): Pair {
  return {
    initiator: Sv2Session.initiator({ ...options, authorityPublicKey: publicKey }),
    responder: Sv2Session.responder({ ...options, ...authority }),
  }
}

/** Returns the two sessions of a connection after the handshake. */
export function pair(options?: SessionOptions): Pair {
  const { initiator, responder } = strangers(options)
  responder.receive(drain(initiator))
  initiator.receive(drain(responder))
  return { initiator, responder }
}

/** Sends a frame from `from` and returns its bytes on the wire. */
export function wireOf(from: Sv2Session, header: FrameHeader, payload: Uint8Array): Buffer {
  from.send(header, payload)
  return drain(from)
}

/** A copy of a frame that outlives its batch. */
export interface FrameCopy {
  messageType: number
  payload: Buffer
}

/**
 * Passes `wire` to a session in pieces and returns copies of the frames. `cut` returns the length of the next piece.
 */
export function receiveInPieces(session: Sv2Session, wire: Uint8Array, cut: () => number): FrameCopy[] {
  const frames: FrameCopy[] = []
  for (let at = 0; at < wire.length; ) {
    const next = Math.min(wire.length, at + cut())
    for (const { messageType, payload } of session.receive(wire.subarray(at, next))) {
      frames.push({ messageType, payload: Buffer.from(payload) })
    }
    at = next
  }
  return frames
}
