import type { Socket } from 'node:net'
import type { Handle } from '../../native/handle.js'
import { createInitiator, createResponder } from '../../native/session.js'
import { MAX_RING_SIZE, powerOfTwo } from '../../ring/byte-ring.js'
import { type Consumer, makeConsumer } from '../../ring/consumer.js'
import { checkReadable, checkWritable, closedError, socketArgument } from '../../ring/sockets/socket-argument.js'
import { checkIdle } from '../../ring/source.js'
import { memoryOf, SlotPool } from '../../slot/slot-pool.js'
import {
  booleanArgument,
  functionArgument,
  integerArgument,
  MAX_BYTES,
  nativeBytesArgument,
  objectArgument,
  optionsArgument,
  stringArgument,
} from '../../support/arguments.js'
import { type FramePoolError, invalidArgType, invalidArgValue } from '../../support/errors.js'
import { inspectable, uncloneable } from '../../support/inspectable.js'
import type { WaitOptions } from '../../support/wait.js'
import { wireExtension } from '../messages/frame-type.js'
import type { EncodableFields } from '../messages/message.js'
import { MAX_PAYLOAD } from '../messages/read.js'
import type { Tlv } from '../messages/tlv.js'
import type { SessionStats } from './core.js'
import { SessionCore } from './core.js'
import { encoded, isSendable, type SendableMessage } from './encoded.js'
import type { Frame, FrameBatch } from './frame-batch.js'
import { isReceivedFrame, placeOf } from './frame-batch.js'
import { SessionSocket } from './socket.js'

/** Header of a frame for `Sv2Session.send()`. */
export interface FrameHeader {
  /** Message type, 0 to 255. */
  messageType: number
  /** Extension type, 0 to 32,767. Default 0. */
  extensionType?: number
  /** Whether the channel bit is set: bit 15 of the extension on the wire. Default false. */
  channelMessage?: boolean
}

/** Options of both roles of an `Sv2Session`. */
export interface SessionOptions {
  /**
   * Size of the largest frame that is received, in bytes: at most 16,777,215, by default 1 MiB. A larger one fails the session with
   * `ERR_SV2_FRAME_TOO_LARGE`, before its bytes are held.
   */
  maxFrameSize?: number
  /**
   * High-water mark of the output, and the most that its ring grows to, in bytes: a power of two from 64 to 2^30, by default 64 KiB.
   */
  outputSize?: number
  /**
   * Slot pool in which received frames are decrypted. Sessions may share one: a batch goes back before the next is made. Default: one
   * pool for all sessions of the isolate.
   */
  pool?: SlotPool
}

/** Options of `Sv2Session.responder()`. */
export interface ResponderOptions extends SessionOptions {
  /** Public key of the authority, as base58check: see `generateAuthorityKeypair()`. */
  authorityPublicKey: string
  /** Secret key that belongs to `authorityPublicKey`, as base58check. */
  authoritySecretKey: string
  /** Validity of the certificate of each handshake, in seconds: 0 to 2^32 − 1, by default 3,600. */
  certificateValiditySeconds?: number
}

/** Options of `Sv2Session.initiator()`. */
export interface InitiatorOptions extends SessionOptions {
  /** Key that the server's certificate must be signed with, as base58check. Without it, any server is accepted. */
  authorityPublicKey?: string
}

/** Size of the largest frame that is received, unless an option says otherwise, in bytes. */
export const DEFAULT_MAX_FRAME_SIZE = 1 << 20
const DEFAULT_OUTPUT_SIZE = 1 << 16
const DEFAULT_VALIDITY_SECONDS = 3_600

/**
 * Capacity of the default pool, in bytes: enough for one batch, of 64 KiB at most when it comes from a socket, and for a few retained ones.
 * Untouched pages cost nothing.
 */
const DEFAULT_POOL_CAPACITY = 2 << 20
let defaultPool: SlotPool | undefined

/** Key of the constructor: only this module has it. */
const sessionKey = Symbol('framepool.session')

let coreOfSession: (session: Sv2Session) => SessionCore

const UNCLONEABLE = Symbol('an Sv2Session stays in its thread: post copies of its payloads')

/**
 * One end of an Sv2 connection, without I/O: wire bytes in, frames out; frames in, wire bytes out. It does the Noise NX handshake
 * (secp256k1), the encryption (ring) and the framing (framing_sv2).
 */
export class Sv2Session implements Disposable {
  readonly #core: SessionCore
  readonly #output: Consumer

  /** @internal */
  constructor(key: symbol, core: SessionCore) {
    if (key !== sessionKey) throw invalidArgType('a session comes from Sv2Session.responder() or .initiator()')
    this.#core = core
    this.#output = makeConsumer(core)
    uncloneable(this, UNCLONEABLE)
  }

  static {
    coreOfSession = (session) => {
      if (typeof session !== 'object' || session === null || !(#core in session)) {
        throw invalidArgType('to must be an Sv2Session')
      }
      return session.#core
    }
  }

  /**
   * Makes the session of the end that is connected to. Throws `ERR_SV2_KEY` if a key is malformed, or the two do not belong together, and
   * `ERR_NO_MEMORY` when the system has no memory.
   */
  static responder(options: ResponderOptions): Sv2Session {
    const { authorityPublicKey, authoritySecretKey, certificateValiditySeconds } = optionsArgument(options, 'options')
    const publicKey = stringArgument(authorityPublicKey, 'authorityPublicKey')
    const secretKey = stringArgument(authoritySecretKey, 'authoritySecretKey')
    const validity = certificateValiditySeconds ?? DEFAULT_VALIDITY_SECONDS
    integerArgument(validity, 'certificateValiditySeconds', 0, MAX_BYTES)
    return create(options, (sizes) => createResponder(sizes, publicKey, secretKey, validity))
  }

  /**
   * Makes the session of the end that connects. Its first message is in the output at once. Throws `ERR_SV2_KEY` if the key is malformed, and
   * `ERR_NO_MEMORY` when the system has no memory.
   */
  static initiator(options?: InitiatorOptions): Sv2Session {
    const { authorityPublicKey } = optionsArgument(options, 'options')
    if (authorityPublicKey !== undefined) stringArgument(authorityPublicKey, 'authorityPublicKey')
    return create(options, (sizes) => createInitiator(sizes, authorityPublicKey))
  }

  /** State of the session: `'handshake'` at first, `'transport'` when frames can be sent, and `'closed'` after a failure or `close()`. */
  get state(): 'handshake' | 'transport' | 'closed' {
    return this.#core.state
  }

  /** Error for which the session closed by itself, or null. For a socket that broke, it is `ERR_SV2_STATE` with the socket's error as `cause`. */
  get error(): FramePoolError | null {
    return this.#core.error
  }

  /** Wire bytes to send: drain it while `output.available` is above 0. It is refilled from a queue as it is drained. */
  get output(): Consumer {
    return this.#output
  }

  /**
   * Takes wire bytes, cut anywhere, and returns the frames that are complete. The batch is valid until the next `receive()` on any
   * session that shares the slot pool, unless it is retained.
   *
   * A bad frame closes the session with `ERR_SV2_HANDSHAKE`, `ERR_SV2_CERTIFICATE`, `ERR_SV2_AEAD` or `ERR_SV2_FRAME_TOO_LARGE`. If good
   * frames came before it, this call returns them, sets `error`, and the next call throws it. Otherwise this call throws it. Throws
   * `ERR_SV2_STATE` after `close()`, `ERR_BUSY` if the slot pool holds bytes that were written and not taken, `ERR_CLOSED` if the slot pool
   * is closed, and `ERR_NO_MEMORY` when the system has no memory.
   */
  receive(chunk: Uint8Array): FrameBatch {
    return this.#core.receive(nativeBytesArgument(chunk, 'chunk'))
  }

  /**
   * Encrypts a frame into the output. Nothing is ever dropped. Throws `ERR_SV2_STATE` before the handshake is done,
   * `ERR_SV2_FRAME_TOO_LARGE` for a payload of more than 16,777,215 bytes, and `ERR_NO_MEMORY` when the system has no memory. Nothing is
   * sent then.
   *
   * @returns False when the output is over its high-water mark, `outputSize`: await `drained()` before you send more.
   */
  send(header: FrameHeader, payload: Uint8Array): boolean
  /**
   * Encodes a message of `framepool/sv2/messages` and encrypts it into the output. Makes no intermediate array if the message's
   * longest payload is at most 2,048 bytes, and without TLVs. Throws the errors of the message's `encode()` and those of
   * `send(header, payload)`.
   */
  send<F extends object>(message: SendableMessage<F>, fields: EncodableFields<F>, tlvs?: readonly Tlv[]): boolean
  send(header: FrameHeader, payload: object, tlvs?: readonly Tlv[]): boolean {
    // A message will also do as the header of a payload that is ready.
    if (!ArrayBuffer.isView(payload) && isSendable(header)) {
      const { extensionType, messageType, channelMessage } = header
      const extension = wireExtension(extensionType, channelMessage)
      return this.#core.send(extension, messageType, encoded(header, payload, tlvs))
    }
    const { messageType, extensionType = 0, channelMessage = false } = optionsArgument(header, 'header')
    integerArgument(messageType, 'messageType', 0, 0xff)
    integerArgument(extensionType, 'extensionType', 0, 0x7fff)
    const extension = wireExtension(extensionType, booleanArgument(channelMessage, 'channelMessage'))
    return this.#core.send(extension, messageType as number, nativeBytesArgument(payload as Uint8Array, 'payload'))
  }

  /**
   * Re-encrypts a frame, or a whole batch, that this session has received into the output of `to`, in native code alone. Returns and throws as
   * `to.send()` does. Throws `ERR_INVALID_ARG_VALUE` for what another session has received.
   */
  forward(frames: Frame | FrameBatch, to: Sv2Session): boolean {
    const target = coreOf(to)
    const found = placeOf(frames)
    if (found !== null && found.receiver !== this.#core.receiver) {
      throw invalidArgValue('frames were received by another session')
    }
    if (found !== null) return target.forward(found.place, found.first, found.count)
    target.checkOpen()
    return !target.over
  }

  /**
   * Resolves when the handshake is done and frames can be sent. Rejects with the session's `error` when it fails, with `ERR_SV2_STATE` when
   * it is closed, with `ERR_TIMEOUT`, and with `signal.reason`.
   */
  established(options?: WaitOptions): Promise<void> {
    return this.#core.established(options)
  }

  /**
   * Resolves when at most half of `outputSize` waits in the output. Rejects with the session's `error` when it fails, with `ERR_SV2_STATE`
   * when it is closed, with `ERR_TIMEOUT`, and with `signal.reason`.
   */
  drained(options?: WaitOptions): Promise<void> {
    return this.#core.drained(options)
  }

  /**
   * Wires the session to a socket: reads, writes, backpressure and errors. Frames come to `onBatch`. While the answers of `onBatch` are
   * over the high-water mark, nothing more is read. It may return a promise: reading waits for it, and the batch stays valid until then. An
   * error that it throws becomes an uncaught exception once the batch has been dealt with. A process that survives the exception gets the
   * next batch. Without `onBatch` the handshake is done, and frames wait for `pipe()`.
   *
   * When the peer ends its side, this side ends once the output is empty; on a socket with `allowHalfOpen` whose handshake is done, it
   * ends with `close()`. A session that fails destroys the socket with its error. A socket that closes closes the session, and the error
   * that broke the socket is the `cause` of `error`. After that the socket can be connected again: no listener and no setting is left on
   * it.
   *
   * The socket may still be connecting. If it cannot be used, this throws and nothing changes: `ERR_CLOSED`, with the error that broke
   * it as `cause`, if it is closed, has ended in either direction or was never connected; `ERR_INVALID_ARG_TYPE` if it gives text;
   * `ERR_BUSY` if it has an `onread`, a session or a relay of its own, or if a socket or a stream drains the output already.
   */
  attach(socket: Socket, onBatch?: (batch: FrameBatch) => unknown): void {
    socketArgument(socket, 'socket')
    if (onBatch !== undefined && typeof onBatch !== 'function') throw invalidArgType('onBatch must be a function')
    this.#core.checkOpen()
    checkWritable(socket)
    checkReadable(socket, 'socket')
    if (socket.readableEnded) throw closedError('the receiving side of the socket has ended')
    checkIdle(this.#core)
    const core = this.#core
    const before = core.onBatch
    core.onBatch = onBatch ?? before
    try {
      SessionSocket.attach(core, socket)
    } catch (error) {
      core.onBatch = before
      throw error
    }
  }

  /**
   * Passes all frames of this session on to `to`, with backpressure: while the output of `to` is over its high-water mark, nothing is read here.
   * For both directions call it on both sessions. It replaces the `onBatch` of `attach()`. When one of the two sessions closes, the other is
   * closed, too: what rejects then has the error of the first as its `cause`. Returns `to`.
   *
   * @param map Called with each frame. It returns the frame itself, another one to be sent instead, or null to drop it. An error that it throws
   *   becomes an uncaught exception, and the rest of the batch is dropped.
   */
  pipe(to: Sv2Session, map?: (frame: Frame) => Frame | (FrameHeader & { payload: Uint8Array }) | null): Sv2Session {
    const [from, target] = [this.#core, coreOf(to)]
    if (map !== undefined) functionArgument(map, 'map')
    from.checkOpen()
    target.checkOpen()
    from.onBatch = (batch) => {
      if (target.otherEnded) return undefined
      if (map === undefined) this.forward(batch, to)
      else for (const frame of batch) this.#pass(map.call(undefined, frame), to)
      return target.over ? target.drained().catch(() => {}) : undefined
    }
    from.onHandler?.()
    from.onHandler = null
    void from.closed.then((error) => target.close(error))
    void target.closed.then((error) => from.close(error))
    return to
  }

  #pass(frame: Frame | (FrameHeader & { payload: Uint8Array }) | null, to: Sv2Session): void {
    if (frame === null) return
    if (typeof frame === 'object' && isReceivedFrame(frame)) this.forward(frame as Frame, to)
    else to.send(frame, objectArgument(frame, 'the result of map').payload)
  }

  /**
   * Promise that resolves when the session is closed: with the error for which it closed by itself, as `error` has it, or with null after
   * `close()`.
   */
  get closed(): Promise<FramePoolError | null> {
    return this.#core.closed
  }

  /** Returns the session's figures. */
  stats(): SessionStats {
    return this.#core.stats()
  }

  /**
   * Ends the session and frees its memory. Drops the bytes in the output, unless a socket is attached: the bytes then still go out, and the
   * socket is ended. Idempotent.
   */
  close(): void {
    this.#core.close()
  }

  /** Calls `close()`. */
  [Symbol.dispose](): void {
    this.close()
  }
}

/**
 * Returns the core of a session: for the relay, which wires two sessions to each other. Throws `ERR_INVALID_ARG_TYPE` unless it is an
 * `Sv2Session`.
 */
export function coreOf(session: Sv2Session): SessionCore {
  return coreOfSession(session)
}

inspectable(Sv2Session, ({ state, error, output }) => ({
  state,
  error: error?.code ?? null,
  available: output.available,
}))

function create(
  options: SessionOptions | undefined,
  make: (sizes: { maxFrameSize: number; outputSize: number }) => Handle,
): Sv2Session {
  const {
    maxFrameSize = DEFAULT_MAX_FRAME_SIZE,
    outputSize = DEFAULT_OUTPUT_SIZE,
    pool,
  } = optionsArgument(options, 'options')
  integerArgument(maxFrameSize, 'maxFrameSize', 0, MAX_PAYLOAD)
  powerOfTwo(integerArgument(outputSize, 'outputSize', 64, MAX_RING_SIZE), 'outputSize')
  if (pool === undefined) defaultPool ??= new SlotPool(DEFAULT_POOL_CAPACITY)
  const memory = memoryOf(pool ?? (defaultPool as SlotPool))
  return new Sv2Session(sessionKey, new SessionCore(make({ maxFrameSize, outputSize }), outputSize, memory))
}
