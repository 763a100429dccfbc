import type { SlotPool } from '../slot/slot-pool.js'

export interface FrameHeader {
  /** 0 … 255. */
  messageType: number
  /** 0 … 32,767; default 0. */
  extensionType?: number
  /** Bit 15 of the extension on the wire; default false. */
  channelMessage?: boolean
}

export interface SessionOptions {
  /** In bytes; default 1 MiB, at most 16,777,215. A larger frame is `ERR_SV2_FRAME_TOO_LARGE`, before its bytes are held. */
  maxFrameSize?: number
  /**
   * The most that the output ring grows to, and the output's high-water mark, in bytes: a power of two from 64 to 2^30;
   * default 64 KiB.
   */
  outputSize?: number
  /** Where received frames are decrypted. Sessions may share one: a batch goes back before the next is made. Default: one pool for all sessions of the isolate. */
  pool?: SlotPool
}

export interface ResponderOptions extends SessionOptions {
  /** base58check, as `generateAuthorityKeypair()` gives it. */
  authorityPublicKey: string
  authoritySecretKey: string
  /** How long the certificate made for each handshake is valid; default 3,600. */
  certificateValiditySeconds?: number
}

export interface InitiatorOptions extends SessionOptions {
  /** Undefined: any server is accepted. */
  authorityPublicKey?: string
}

/** Counts are exact up to 2^53, and rounded to a number beyond: native code counts in 64 bits. */
export interface SessionStats {
  framesIn: number
  framesOut: number
  /** Wire bytes, the handshake included. */
  bytesIn: number
  bytesOut: number
  /** Batches that found no room in the pool. */
  heapFallbacks: number
  /** Batches retained and not yet released. */
  retainedBatches: number
  /** Native memory that the session holds, in bytes: output, partial frame, scratch. */
  memoryBytes: number
}

/** The frames that one `receive()` opened, in order. */
export interface FrameBatch extends Iterable<Frame> {
  /** How many frames. */
  readonly length: number
  /** Like `Array.prototype.at`. */
  at(index: number): Frame | undefined
  /** Gives the memory back. True the first time, false after. */
  release(): boolean
  /** Keeps the frames beyond the next `receive()`, until `release()`. */
  retain(): FrameBatch & Disposable
}

/** One frame of a batch. Once the batch is released, its members throw `ERR_RELEASED`. */
export interface Frame {
  readonly messageType: number
  /** Without the channel bit. */
  readonly extensionType: number
  readonly channelMessage: boolean
  /** First u32 of the payload of a channel message, else null. */
  readonly channelId: number | null
  /** The decrypted payload, not copied. */
  readonly payload: Uint8Array
}
