import type { Socket } from 'node:net'
import type { Handle } from '../../native/handle.js'
import { createInitiator, createResponder } from '../../native/session.js'
import { Consumer } from '../../ring/consumer.js'
import { checkReadable, checkWritable, closedError, socketArgument } from '../../ring/sockets/socket-argument.js'
import { checkIdle, ringKey } from '../../ring/source.js'
import { memoryOf, SlotPool } from '../../slot/slot-pool.js'
import {
  booleanArgument,
  integerArgument,
  MAX_BYTES,
  nativeBytesArgument,
  optionsArgument,
  stringArgument,
} from '../../support/arguments.js'
import { type FramePoolError, invalidArgType, outOfRange } from '../../support/errors.js'
import type { WaitOptions } from '../../support/wait.js'
import type { EncodableFields } from '../messages/message.js'
import type { Tlv } from '../messages/tlv.js'
import type { SessionStats } from './core.js'
import { SessionCore } from './core.js'
import { encoded, isSendable, type SendableMessage } from './encoded.js'
import type { Frame, FrameBatch } from './frame-batch.js'
import { placeOf } from './frame-batch.js'
import { SessionSocket } from './socket.js'

/** Header of a frame to send. */
export interface FrameHeader {
  /** 0 … 255. */
  messageType: number
  /** 0 … 32,767; default 0. */
  extensionType?: number
  /** Bit 15 of the extension on the wire; default false. */
  channelMessage?: boolean
}

/** Options that both roles of an `Sv2Session` have. */
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

/** Options of `Sv2Session.responder()`. */
export interface ResponderOptions extends SessionOptions {
  /** base58check, as `generateAuthorityKeypair()` gives it. */
  authorityPublicKey: string
  /** Secret key that belongs to `authorityPublicKey`, as base58check. */
  authoritySecretKey: string
  /** How long the certificate made for each handshake is valid; default 3,600. */
  certificateValiditySeconds?: number
}

/** Options of `Sv2Session.initiator()`. */
export interface InitiatorOptions extends SessionOptions {
  /** Undefined: any server is accepted. */
  authorityPublicKey?: string
}

const MAX_FRAME_SIZE = 0xff_ffff
const DEFAULT_MAX_FRAME_SIZE = 1 << 20
const DEFAULT_OUTPUT_SIZE = 1 << 16
const DEFAULT_VALIDITY_SECONDS = 3_600

/** One batch is alive at a time unless batches are retained; a socket gives at most 64 KiB a read. Untouched pages cost nothing. */
const DEFAULT_POOL_CAPACITY = 2 << 20
let defaultPool: SlotPool | undefined

const sessionKey = Symbol('framepool.session')
let coreOfSession: (session: Sv2Session) => SessionCore

/**
 * One end of an Sv2 connection, without I/O: wire bytes in, frames out; frames in, wire bytes out.
 * Noise NX handshake (secp256k1) and encryption (ring), framing (framing_sv2).
 */
export class Sv2Session implements Disposable {
  readonly #core: SessionCore
  readonly #output: Consumer

  /** @internal */
  constructor(key: symbol, core: SessionCore) {
    if (key !== sessionKey) throw invalidArgType('a session comes from Sv2Session.responder() or .initiator()')
    this.#core = core
    this.#output = new Consumer(ringKey, core)
  }

  static {
    coreOfSession = (session) => {
      if (typeof session !== 'object' || session === null || !(#core in session)) {
        throw invalidArgType('to must be an Sv2Session')
      }
      return session.#core
    }
  }

  /** The end that is connected to. Keys that are malformed or do not belong together: `ERR_SV2_KEY`. */
  static responder(options: ResponderOptions): Sv2Session {
    const { authorityPublicKey, authoritySecretKey, certificateValiditySeconds } = optionsArgument(options, 'options')
    const publicKey = stringArgument(authorityPublicKey, 'authorityPublicKey')
    const secretKey = stringArgument(authoritySecretKey, 'authoritySecretKey')
    const validity = certificateValiditySeconds ?? DEFAULT_VALIDITY_SECONDS
    integerArgument(validity, 'certificateValiditySeconds', 0, MAX_BYTES)
    return create(options, (sizes) => createResponder(sizes, publicKey, secretKey, validity))
  }

  /** The end that connects; its first message is in the output at once. A malformed key: `ERR_SV2_KEY`. */
  static initiator(options?: InitiatorOptions): Sv2Session {
    const { authorityPublicKey } = optionsArgument(options, 'options')
    if (authorityPublicKey !== undefined) stringArgument(authorityPublicKey, 'authorityPublicKey')
    return create(options, (sizes) => createInitiator(sizes, authorityPublicKey))
  }

  /** State of the session: it shakes hands, carries frames, or is closed. */
  get state(): 'handshake' | 'transport' | 'closed' {
    return this.#core.state
  }

  /** Why the session closed by itself, or null. What broke its socket is the `cause`: then the code is `ERR_SV2_STATE`. */
  get error(): FramePoolError | null {
    return this.#core.error
  }

  /** What must go out on the wire: drain it while `output.available`. It is refilled from a queue as it is drained. */
  get output(): Consumer {
    return this.#output
  }

  /**
   * Takes wire bytes, cut anywhere, and gives the frames that are complete. The batch is valid until the next
   * `receive()` on any session that shares the pool, unless retained.
   *
   * Good frames before a bad one are still given: the session is then closed, `error` is set, and the next call throws
   * it. With none before it this call throws: `ERR_SV2_HANDSHAKE`, `ERR_SV2_CERTIFICATE`, `ERR_SV2_AEAD`,
   * `ERR_SV2_FRAME_TOO_LARGE`. After `close()`: `ERR_SV2_STATE`. `ERR_BUSY` when the pool holds bytes not taken.
   */
  receive(chunk: Uint8Array): FrameBatch {
    return this.#core.receive(nativeBytesArgument(chunk, 'chunk'))
  }

  /**
   * Encrypts a frame into the output. False when the output is over its high-water mark, `outputSize`: await
   * `drained()` before more. Nothing is ever dropped. Before the handshake is done: `ERR_SV2_STATE`; a payload above
   * 16,777,215 bytes: `ERR_SV2_FRAME_TOO_LARGE`, and nothing is sent.
   */
  send(header: FrameHeader, payload: Uint8Array): boolean
  /**
   * Encodes a message of `framepool/sv2/messages` and encrypts it into the output, without an object of its own. Its errors
   * are those of the message's `encode()`; as `send(header, payload)` otherwise.
   */
  send<F extends object>(message: SendableMessage<F>, fields: EncodableFields<F>, tlvs?: readonly Tlv[]): boolean
  send(header: FrameHeader, payload: object, tlvs?: readonly Tlv[]): boolean {
    // A message will also do as the header of a payload that is ready.
    if (!ArrayBuffer.isView(payload) && isSendable(header)) {
      const { extensionType, messageType, channelMessage } = header
      const extension = channelMessage ? extensionType | 0x8000 : extensionType
      return this.#core.send(extension, messageType, encoded(header, payload, tlvs))
    }
    const { messageType, extensionType = 0, channelMessage = false } = optionsArgument(header, 'header')
    integerArgument(messageType, 'messageType', 0, 0xff)
    integerArgument(extensionType, 'extensionType', 0, 0x7fff)
    const extension = booleanArgument(channelMessage, 'channelMessage') ? extensionType | 0x8000 : extensionType
    return this.#core.send(extension, messageType as number, nativeBytesArgument(payload as Uint8Array, 'payload'))
  }

  /** Re-encrypts a frame, or a whole batch, into `to`'s output without passing through JavaScript. As `send()` otherwise. */
  forward(frames: Frame | FrameBatch, to: Sv2Session): boolean {
    const target = coreOfSession(to)
    const found = placeOf(frames)
    if (found !== null) return target.forward(found.place, found.first, found.count)
    target.checkOpen()
    return !target.over
  }

  /** Resolves when the handshake is done, so that frames can be sent. Rejects when the session fails or is closed. */
  established(options?: WaitOptions): Promise<void> {
    return this.#core.established(options)
  }

  /** Resolves when the output is down to half of `outputSize`. Rejects when the session fails or is closed. */
  drained(options?: WaitOptions): Promise<void> {
    return this.#core.drained(options)
  }

  /**
   * Wires the session to a socket: reads, writes, backpressure, errors. Frames come to `onBatch`; while its answers are
   * over the high-water mark nothing more is read. When the peer ends its side, ours ends once the output is empty; on a
   * socket with `allowHalfOpen` it ends with `close()`. A session that fails destroys the socket with its error; the
   * socket's closing closes the session, and what broke the socket is the `cause` of `error`. Then the socket can be
   * connected again: no listener and no setting is left on it. What `onBatch` throws becomes an uncaught exception once the
   * batch has been dealt with; a process that survives it gets the next batch.
   *
   * The socket may still be connecting. Refused, and nothing changes: one that is closed, has ended in either direction or
   * was never connected (`ERR_CLOSED`, with what broke it as `cause`), one that gives text (`ERR_INVALID_ARG_TYPE`), one
   * with an `onread`, a session or a relay of its own, and an output that a socket or a stream takes already (`ERR_BUSY`).
   */
  attach(socket: Socket, onBatch: (batch: FrameBatch) => void): void {
    socketArgument(socket, 'socket')
    if (typeof onBatch !== 'function') throw invalidArgType('onBatch must be a function')
    this.#core.checkOpen()
    checkWritable(socket)
    checkReadable(socket, 'socket')
    if (socket.readableEnded) throw closedError('the receiving side of the socket has ended')
    checkIdle(this.#core)
    SessionSocket.attach(this.#core, socket, onBatch)
  }

  /** Returns the session's figures. */
  stats(): SessionStats {
    return this.#core.stats()
  }

  /**
   * Ends the session and gives its memory back. What the output holds is dropped; with a socket attached it still goes
   * out, and then the socket is ended. Idempotent.
   */
  close(): void {
    this.#core.close()
  }

  /** Calls `close()`. */
  [Symbol.dispose](): void {
    this.close()
  }
}

/** For the relay, which wires two sessions to each other. */
export function coreOf(session: Sv2Session): SessionCore {
  return coreOfSession(session)
}

function create(
  options: SessionOptions | undefined,
  make: (sizes: { maxFrameSize: number; outputSize: number }) => Handle,
): Sv2Session {
  const {
    maxFrameSize = DEFAULT_MAX_FRAME_SIZE,
    outputSize = DEFAULT_OUTPUT_SIZE,
    pool,
  } = optionsArgument(options, 'options')
  integerArgument(maxFrameSize, 'maxFrameSize', 0, MAX_FRAME_SIZE)
  integerArgument(outputSize, 'outputSize', 64, 2 ** 30)
  if ((outputSize & (outputSize - 1)) !== 0) throw outOfRange(`outputSize must be a power of two, not ${outputSize}`)
  if (pool === undefined) defaultPool ??= new SlotPool(DEFAULT_POOL_CAPACITY)
  const memory = memoryOf(pool ?? (defaultPool as SlotPool))
  return new Sv2Session(sessionKey, new SessionCore(make({ maxFrameSize, outputSize }), outputSize, memory))
}
