import {
  functionArgument,
  integerArgument,
  MAX_BYTES,
  objectArgument,
  optionsArgument,
  stringArgument,
} from '../../support/arguments.js'
import { FramePoolError, invalidArgType } from '../../support/errors.js'
import { MAX_TIMEOUT_MS } from '../../support/wait.js'
import type { MessageType } from '../messages/message.js'
import type { Frame } from '../session/frame-batch.js'
import type { InitiatorOptions, ResponderOptions } from '../session/session.js'
import { Sv2Session } from '../session/session.js'
import type { RelayLinkHandle } from './link-handle.js'

/** The least budget, in bytes: enough for a few connections, and for frames of some 40 KiB. */
const MIN_MEMORY = 1 << 20

/** Options of `createRelay()`. */
export interface RelayOptions {
  /** Address that miners connect to. Port 0 takes a free port. The default host is 127.0.0.1. */
  listen: {
    /** Name or IP address to listen on. */
    host?: string
    /** TCP port to listen on: 0 to 65,535. */
    port: number
  }
  /** Mining pool that each miner is connected to. Without a key, any server is accepted. */
  upstream: {
    /** Name or IP address of the mining pool. */
    host: string
    /** TCP port of the mining pool: 1 to 65,535. */
    port: number
    /** Key that the mining pool's certificate must be signed with, as base58check. */
    authorityPublicKey?: string
  }
  /** Key by which miners recognize the relay, as base58check. */
  authorityPublicKey: string
  /** Secret key that belongs to `authorityPublicKey`, as base58check. */
  authoritySecretKey: string
  /** Size of the largest frame in either direction, in bytes: at most 16,777,215, by default 1 MiB. */
  maxFrameSize?: number
  /** Most connections of miners at a time: more are refused at once. Default: no limit. */
  maxConnections?: number
  /**
   * The most native memory that connections may take together, in bytes: at least 1 MiB. Default: no limit.
   *
   * Each connection takes 36 KiB, or more if `maxConnections` leaves more for each. A connection that the budget has no room for is
   * refused. A frame larger than 4 KiB, or than the connection's larger share, may find no room in the budget. It then waits, and its
   * connection is not read meanwhile. A frame for which a quarter of the budget could never be enough closes its connection.
   */
  maxMemory?: number
  /** Time limit for both handshakes and the miner's first frame, in milliseconds. Default 10,000. */
  handshakeTimeoutMs?: number
  /** Time in milliseconds after which a connection is closed if nothing has moved on it. Default 0: never. */
  idleTimeoutMs?: number
  /**
   * Without it frames are forwarded natively. `link` is the same object for all frames of one miner, both ways. A returned
   * payload replaces the frame's. While a returned promise is pending, the frames behind it wait, in order, and nothing more is
   * read of that direction; the frame stays valid meanwhile. What it throws or rejects with closes the connection, as does what
   * it returns otherwise.
   */
  onFrame?: (frame: Frame, direction: 'upstream' | 'downstream', link: RelayLinkHandle) => Verdict | Promise<Verdict>
  /** Messages whose frames go to `onFrame`, numbers being types of extension 0; the others stay in native code. Default: all. */
  hookMessages?: readonly (number | MessageType)[]
}

/** What becomes of a frame: a payload takes the place of the frame's. */
export type Verdict = 'forward' | 'drop' | Uint8Array

/** The frames that go to `onFrame`: extension × 256 + type. */
export function hookedFrames({ hookMessages }: RelayOptions): ReadonlySet<number> | null {
  if (hookMessages === undefined) return null
  return new Set(
    hookMessages.map((message) =>
      typeof message === 'number' ? message : (message.extensionType << 8) | message.messageType,
    ),
  )
}

/** The messages as numbers and types that nobody can change. */
function checkedMessages(messages: RelayOptions['hookMessages']): NonNullable<RelayOptions['hookMessages']> {
  const name = 'options.hookMessages'
  if (!Array.isArray(messages)) throw invalidArgType(`${name} must be an array`)
  return (messages as readonly (number | MessageType)[]).map((message, index) => {
    if (typeof message === 'number') return integerArgument(message, `${name}[${index}]`, 0, 0xff)
    const { extensionType, messageType } = objectArgument(message, `${name}[${index}]`)
    integerArgument(extensionType, `${name}[${index}].extensionType`, 0, 0x7fff)
    integerArgument(messageType, `${name}[${index}].messageType`, 0, 0xff)
    return { extensionType, messageType }
  })
}

/** Returns a checked copy of the options. Keys are checked, too: a bad one should not wait for the first connection. */
export function checkedOptions(options: RelayOptions): RelayOptions {
  const given = optionsArgument(options, 'options')
  const { listen, upstream, authorityPublicKey, authoritySecretKey, maxFrameSize } = given
  const { onFrame, hookMessages, maxConnections, maxMemory, handshakeTimeoutMs, idleTimeoutMs } = given
  const checked = {
    listen: listenOptions(listen),
    upstream: upstreamOptions(upstream),
    ...{ authorityPublicKey, authoritySecretKey, maxFrameSize },
    ...(hookMessages !== undefined && { hookMessages: checkedMessages(hookMessages) }),
    ...{ onFrame, maxConnections, maxMemory, handshakeTimeoutMs, idleTimeoutMs },
  } as RelayOptions
  if (onFrame !== undefined) functionArgument(onFrame, 'options.onFrame')
  if (maxConnections !== undefined) integerArgument(maxConnections, 'options.maxConnections', 0, MAX_BYTES)
  if (maxMemory !== undefined) integerArgument(maxMemory, 'options.maxMemory', MIN_MEMORY, Number.MAX_SAFE_INTEGER)
  if (handshakeTimeoutMs !== undefined) {
    integerArgument(handshakeTimeoutMs, 'options.handshakeTimeoutMs', 1, MAX_TIMEOUT_MS)
  }
  if (idleTimeoutMs !== undefined) integerArgument(idleTimeoutMs, 'options.idleTimeoutMs', 0, MAX_TIMEOUT_MS)
  stringArgument(authorityPublicKey, 'options.authorityPublicKey')
  stringArgument(authoritySecretKey, 'options.authoritySecretKey')
  // Sessions of both roles check keys and sizes. The first tells a bad public key from a bad secret one.
  checkKey('options.authorityPublicKey', () => Sv2Session.initiator({ authorityPublicKey: checked.authorityPublicKey }))
  checkKey('options.authoritySecretKey', () => Sv2Session.responder(responderOptions(checked)))
  checkKey('options.upstream.authorityPublicKey', () => Sv2Session.initiator(initiatorOptions(checked)))
  return checked
}

/** Makes a session that uses the key called `name`, and names it in the error if it is bad. */
function checkKey(name: string, make: () => Sv2Session): void {
  try {
    make().close()
  } catch (cause) {
    if (!(cause instanceof FramePoolError) || cause.code !== 'ERR_SV2_KEY') throw cause
    throw new FramePoolError('ERR_SV2_KEY', `${name}: ${cause.message}`, { cause })
  }
}

function listenOptions(options: RelayOptions['listen'] | undefined) {
  const { host, port } = optionsArgument(options, 'options.listen')
  integerArgument(port, 'options.listen.port', 0, 65_535)
  if (host !== undefined) stringArgument(host, 'options.listen.host')
  return { host, port }
}

function upstreamOptions(options: RelayOptions['upstream'] | undefined) {
  const { host, port, authorityPublicKey } = optionsArgument(options, 'options.upstream')
  stringArgument(host, 'options.upstream.host')
  integerArgument(port, 'options.upstream.port', 1, 65_535)
  if (authorityPublicKey !== undefined) stringArgument(authorityPublicKey, 'options.upstream.authorityPublicKey')
  return { host, port, authorityPublicKey }
}

export function responderOptions(options: RelayOptions): ResponderOptions {
  const { authorityPublicKey, authoritySecretKey, maxFrameSize } = options
  return { authorityPublicKey, authoritySecretKey, ...(maxFrameSize !== undefined && { maxFrameSize }) }
}

export function initiatorOptions({ upstream: { authorityPublicKey }, maxFrameSize }: RelayOptions): InitiatorOptions {
  return {
    ...(authorityPublicKey !== undefined && { authorityPublicKey }),
    ...(maxFrameSize !== undefined && { maxFrameSize }),
  }
}
