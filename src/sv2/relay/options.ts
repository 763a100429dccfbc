import type { RelaySettings } from '../../native/relay.js'
import {
  functionArgument,
  integerArgument,
  MAX_BYTES,
  objectArgument,
  optionsArgument,
  stringArgument,
} from '../../support/arguments.js'
import { invalidArgType } from '../../support/errors.js'
import { MAX_TIMEOUT_MS } from '../../support/wait.js'
import { frameKey } from '../messages/frame-type.js'
import type { MessageType } from '../messages/message.js'
import { MAX_PAYLOAD } from '../messages/read.js'
import type { Frame } from '../session/frame-batch.js'
import type { ResponderOptions } from '../session/session.js'
import { DEFAULT_MAX_FRAME_SIZE, Sv2Session } from '../session/session.js'
import type { RelayLinkHandle } from './link-handle.js'
import { type ChooseUpstream, checkedUpstream, checkKey, type Upstream } from './upstream.js'

/** The least budget, in bytes: enough for a few connections, and for frames of some 40 KiB. */
export const MIN_MEMORY = 1 << 20

/** The most threads of a relay. */
export const MAX_THREADS = 256

/** Options of `createRelay()`. */
export interface RelayOptions {
  /** Address that miners connect to. Port 0 takes a free port. The default host is 127.0.0.1. */
  listen: {
    /** Name or IP address to listen on. */
    host?: string
    /** TCP port to listen on: 0 to 65,535. */
    port: number
  }
  /**
   * Mining pool that each miner is connected to, or a function that chooses one for each miner. The relay calls the function once the miner
   * has sent its first frame. An error that the function throws or rejects with ends the miner's connection.
   */
  upstream: Upstream | ChooseUpstream
  /** Key by which miners recognize the relay, as base58check. */
  authorityPublicKey: string
  /** Secret key that belongs to `authorityPublicKey`, as base58check. */
  authoritySecretKey: string
  /** Native threads that connections are spread over: 1 to 256, or `auto` for as many as there are processors. Default 1. */
  threads?: number | 'auto'
  /** Size of the largest frame that is received from either side, in bytes: 0 to 16,777,215. Default 1 MiB. Hooks may send larger ones. */
  maxFrameSize?: number
  /**
   * Most connections of miners at a time, 0 to 2^32 − 1. Default 16,000. One more ends a miner that has sent no frame for two seconds or more,
   * the oldest of its thread, or is refused at once.
   */
  maxConnections?: number
  /** Most connections of one IPv4 address, or of one IPv6 network of 64 bits: 1 to 2^32 − 1. Default 12,000. */
  maxConnectionsPerAddress?: number
  /** New connections a second of one such address, 0 to 2^32 − 1, with a burst of ten seconds. Default 1,000; 0: no limit. */
  maxConnectionsPerSecond?: number
  /** Most miners that have not sent their first frame yet, 1 to 2^32 − 1: one more ends the oldest of them. Default 12,000. */
  maxHandshakes?: number
  /**
   * The most native memory that connections may take together, in bytes: 2^20 (1 MiB) to 2^53 − 1, by default 1.25 GiB. It is a limit, and is not
   * allocated before it is needed.
   *
   * Each connection takes 36 KiB of the budget, or more if `maxConnections` leaves more for each. A connection that the budget has no
   * room for is refused. A frame larger than 4 KiB, or than the connection's larger share, may find no room in the budget. It then waits,
   * and its connection is not read meanwhile. A frame for which a quarter of the budget could never be enough closes its connection.
   */
  maxMemory?: number
  /**
   * Time limit in milliseconds for a miner's handshake and first frame, and once more for the connection to the mining pool and its
   * handshake: 1 to 2^31 − 1. Default 10,000.
   */
  handshakeTimeoutMs?: number
  /** Time in milliseconds after which a connection is closed if nothing has moved on it: 0 to 2^31 − 1. Default 600,000; 0: never. */
  idleTimeoutMs?: number
  /**
   * Least rate in bytes a second at which a started frame must come, and at which a side must take what waits for it: 0 to 2^32 − 1. For a
   * large frame that comes in, and holds memory of `maxMemory`, the rate is at least its length in three minutes. A connection that lags
   * `graceMs` behind is closed. Default 1,000; 0: no limit.
   */
  minBytesPerSecond?: number
  /** Time that a connection may lag behind its least rate, in milliseconds: 1 to 2^31 − 1. Default 10,000. */
  graceMs?: number
  /** Frames a second of one miner, 0 to 2^32 − 1, with a burst of one second: more are read later. Default 50,000; 0: no limit. */
  maxFramesPerSecond?: number
  /** Wire bytes a second of one miner, 0 to 2^32 − 1, with a burst of one second: more are read later. Default 64 MiB; 0: no limit. */
  maxBytesPerSecond?: number
  /** Time without traffic in milliseconds after which TCP asks whether the peer is still there: 0 to 2^31 − 1. Default 60,000; 0: never. */
  keepAliveMs?: number
  /**
   * Decides what becomes of a frame. Without it all frames are forwarded in native threads. `link` is the same object for all frames of
   * one miner, both ways. A returned payload replaces the frame's; it may be `frame.payload` itself, edited in place. `'forward'` passes
   * the frame on as it came. While a returned promise is pending, the frames behind it wait, in order, and nothing more is read of that
   * direction; the frame stays valid meanwhile. An error that it throws or rejects with closes the connection, and so does any other
   * value, or a payload of more than 16,777,215 bytes.
   */
  onFrame?: (frame: Frame, direction: 'upstream' | 'downstream', link: RelayLinkHandle) => Verdict | Promise<Verdict>
  /** Messages whose frames go to `onFrame`; the others stay in native code. A number is a type of extension 0. Default: all. */
  hookMessages?: readonly (number | MessageType)[]
}

/** What the relay does with a frame: forward it, drop it, or forward it with this payload. */
export type Verdict = 'forward' | 'drop' | Uint8Array

/** The limits that are numbers, with the least and the most that each may be. */
const LIMITS = {
  maxFrameSize: [0, MAX_PAYLOAD],
  maxConnections: [0, MAX_BYTES],
  maxConnectionsPerAddress: [1, MAX_BYTES],
  maxConnectionsPerSecond: [0, MAX_BYTES],
  maxHandshakes: [1, MAX_BYTES],
  maxMemory: [MIN_MEMORY, Number.MAX_SAFE_INTEGER],
  handshakeTimeoutMs: [1, MAX_TIMEOUT_MS],
  idleTimeoutMs: [0, MAX_TIMEOUT_MS],
  minBytesPerSecond: [0, MAX_BYTES],
  graceMs: [1, MAX_TIMEOUT_MS],
  maxFramesPerSecond: [0, MAX_BYTES],
  maxBytesPerSecond: [0, MAX_BYTES],
  keepAliveMs: [0, MAX_TIMEOUT_MS],
} as const

type LimitName = keyof typeof LIMITS

/** Returns the messages whose frames go to `onFrame`, as `frameKey()` numbers them, or null for all. */
export function hookedFrames({ hookMessages }: RelayOptions): ReadonlySet<number> | null {
  if (hookMessages === undefined) return null
  return new Set(
    hookMessages.map((message) =>
      typeof message === 'number' ? message : frameKey(message.extensionType, message.messageType),
    ),
  )
}

/** Returns a checked copy of the messages, which nobody can change. */
function checkedMessages(messages: RelayOptions['hookMessages']): NonNullable<RelayOptions['hookMessages']> {
  const name = 'options.hookMessages'
  if (!Array.isArray(messages)) throw invalidArgType(`${name} must be an array`)
  // Holes are checked, too: an array's own methods pass over them.
  return Array.from(messages as readonly (number | MessageType)[], (message, index) => {
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
  const { listen, upstream, authorityPublicKey, authoritySecretKey, onFrame, hookMessages, threads } = given
  const limits: Partial<Record<LimitName, number>> = {}
  for (const [name, [least, most]] of Object.entries(LIMITS) as [LimitName, readonly [number, number]][]) {
    const limit = given[name]
    if (limit !== undefined) limits[name] = integerArgument(limit, `options.${name}`, least, most)
  }
  const checked = {
    listen: listenOptions(listen),
    ...{ authorityPublicKey, authoritySecretKey, ...limits },
    ...(hookMessages !== undefined && { hookMessages: checkedMessages(hookMessages) }),
    ...(threads !== undefined && { threads: threadsOption(threads) }),
    ...(onFrame !== undefined && { onFrame: functionArgument(onFrame, 'options.onFrame') }),
  } as RelayOptions
  stringArgument(authorityPublicKey, 'options.authorityPublicKey')
  stringArgument(authoritySecretKey, 'options.authoritySecretKey')
  // Sessions of both roles check keys and sizes. The first tells a bad public key from a bad secret one.
  checkKey('options.authorityPublicKey', () => Sv2Session.initiator({ authorityPublicKey: checked.authorityPublicKey }))
  checkKey('options.authoritySecretKey', () => Sv2Session.responder(responderOptions(checked)))
  checked.upstream = typeof upstream === 'function' ? upstream : checkedUpstream(upstream, 'options.upstream')
  return checked
}

function threadsOption(threads: unknown): number | 'auto' {
  return threads === 'auto' ? threads : integerArgument(threads, 'options.threads', 1, MAX_THREADS)
}

function listenOptions(options: RelayOptions['listen'] | undefined) {
  const { host, port } = optionsArgument(options, 'options.listen')
  integerArgument(port, 'options.listen.port', 0, 65_535)
  if (host !== undefined) stringArgument(host, 'options.listen.host')
  return { host, port }
}

function responderOptions(options: RelayOptions): ResponderOptions {
  const { authorityPublicKey, authoritySecretKey, maxFrameSize } = options
  return { authorityPublicKey, authoritySecretKey, ...(maxFrameSize !== undefined && { maxFrameSize }) }
}

/** Returns the options as native code takes them. `fixed` is the upstream of all miners, if its host is an IP address. */
export function settingsOf(options: RelayOptions, fixed: Upstream | null): RelaySettings {
  const { threads = 1, maxFrameSize = DEFAULT_MAX_FRAME_SIZE, onFrame } = options
  const hooked = hookedFrames(options)
  return {
    threads: threads === 'auto' ? 0 : threads,
    upstream: fixed === null ? [] : [fixed.host],
    upstreamPort: fixed?.port ?? 0,
    ...(fixed?.authorityPublicKey !== undefined && { upstreamKey: fixed.authorityPublicKey }),
    publicKey: options.authorityPublicKey,
    secretKey: options.authoritySecretKey,
    maxFrameSize,
    hooked: onFrame !== undefined,
    ...(hooked !== null && { hookMessages: [...hooked] }),
    limits: {
      ...given('maxMemory', options.maxMemory),
      ...given('maxConnections', options.maxConnections),
      ...given('maxConnectionsPerAddress', options.maxConnectionsPerAddress),
      ...given('maxConnectionRate', options.maxConnectionsPerSecond),
      ...given('maxHandshakes', options.maxHandshakes),
      ...given('handshakeTimeoutMs', options.handshakeTimeoutMs),
      ...given('idleTimeoutMs', options.idleTimeoutMs),
      ...given('minByteRate', options.minBytesPerSecond),
      ...given('graceMs', options.graceMs),
      ...given('maxFrameRate', options.maxFramesPerSecond),
      ...given('maxByteRate', options.maxBytesPerSecond),
      ...given('keepAliveMs', options.keepAliveMs),
    },
  }
}

function given<K extends string>(name: K, value: number | undefined): Partial<Record<K, number>> {
  return value === undefined ? {} : ({ [name]: value } as Record<K, number>)
}
