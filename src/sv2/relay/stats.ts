import { defaultRelayMemory, type RelayLinkReport, type RelayReport } from '../../native/relay.js'

/** Figures of a relay's memory budget. */
export interface RelayBudget {
  /** `maxMemory`, in bytes. */
  limit: number
  /** Bytes reserved for connections and for large frames. Never more than `limit`. */
  reserved: number
  /** Large frames that wait for memory. */
  waiting: number
}

/** Number of refusals to clients, by reason. */
export interface RelayRefusals {
  /** There were `maxConnections`, or as many as descriptors allow. */
  connections: number
  /** The address had `maxConnectionsPerAddress`. */
  address: number
  /** The address made more than `maxConnectionsPerSecond`. */
  connectionRate: number
  /** It was the oldest handshake when there were more than `maxHandshakes`. */
  handshakes: number
  /** `maxMemory` had no room for the connection, or could never have room for a frame. */
  memory: number
  /** Accepting paused, because descriptors were about to run out. */
  descriptors: number
  /** No genuine frame came within `handshakeTimeoutMs`. */
  handshakeTimeout: number
  /** The first bytes were no Stratum V2, or did not know the keys. */
  foreign: number
  /** A frame was larger than `maxFrameSize`. */
  frameTooLarge: number
  /** A started frame came more slowly than `minBytesPerSecond`. */
  slowFrame: number
  /** A side took the bytes that waited for it more slowly than `minBytesPerSecond`. */
  slowReader: number
  /** A miner left in its handshake, or in the middle of a frame. */
  cutFrame: number
  /** More than `maxFramesPerSecond` came: they waited. */
  frameRate: number
  /** More than `maxBytesPerSecond` came: they waited. */
  byteRate: number
  /** Nothing had moved for `idleTimeoutMs`. */
  idle: number
}

/** Figures of a relay: see `Relay.stats()`. Counts are exact up to 2^53, and rounded beyond. */
export interface RelayStats {
  /** Connections of miners that are open. */
  connections: number
  /** Connections accepted since the relay was made. */
  connectionsTotal: number
  /** Connections refused when they came. `refused` says why. */
  rejected: number
  /** Connections that ended before both handshakes were done, other than by `idleTimeoutMs`. */
  handshakeFailures: number
  /** Frames forwarded to the mining pool. */
  framesUpstream: number
  /** Frames forwarded to miners. */
  framesDownstream: number
  /** Wire bytes sent to the mining pool. */
  bytesUpstream: number
  /** Wire bytes sent to miners. */
  bytesDownstream: number
  /** Batches that found no room in a slot pool. */
  heapFallbacks: number
  /** Native memory of the open connections, in bytes. */
  memoryBytes: number
  /** Figures of the budget `maxMemory`. */
  budget: RelayBudget
  /** Refusals, by reason. */
  refused: RelayRefusals
}

/** An open connection of a relay, as it was when it was looked at. */
export interface RelayConnection {
  /** Number of the connection, as in the relay's events. */
  id: number
  /** Address that the miner connected from. */
  remoteAddress: string
  /** TCP port that the miner connected from. */
  remotePort: number
  /** Whether both handshakes are done. */
  open: boolean
  /** Frames passed on to the mining pool. */
  framesUpstream: number
  /** Frames passed on to the miner. */
  framesDownstream: number
  /** Wire bytes sent to the mining pool. */
  bytesUpstream: number
  /** Wire bytes sent to the miner. */
  bytesDownstream: number
  /** Time since the miner was accepted, in milliseconds. */
  ageMs: number
}

/** Returns the figures of a relay whose budget is `maxMemory`. `report` is missing if it has never listened. */
export function statsOf(report: RelayReport | null, maxMemory: number | undefined): RelayStats {
  const limit = maxMemory ?? defaultRelayMemory()
  if (report === null) return { ...NONE, budget: { limit, reserved: 0, waiting: 0 }, refused: { ...NO_REFUSALS } }
  const { reserved, waiting, reasons, refused, ...counters } = report
  const refusals = Object.fromEntries(reasons.map((reason, index) => [reason, refused[index]!]))
  return { ...counters, budget: { limit, reserved, waiting }, refused: { ...NO_REFUSALS, ...refusals } }
}

/** Returns what is told of an open connection. */
export function connectionOf(link: RelayLinkReport): RelayConnection {
  return { ...link, ageMs: Math.round(link.ageMs) }
}

const NONE = {
  connections: 0,
  connectionsTotal: 0,
  rejected: 0,
  handshakeFailures: 0,
  framesUpstream: 0,
  framesDownstream: 0,
  bytesUpstream: 0,
  bytesDownstream: 0,
  heapFallbacks: 0,
  memoryBytes: 0,
}

const NO_REFUSALS: RelayRefusals = {
  connections: 0,
  address: 0,
  connectionRate: 0,
  handshakes: 0,
  memory: 0,
  descriptors: 0,
  handshakeTimeout: 0,
  foreign: 0,
  frameTooLarge: 0,
  slowFrame: 0,
  slowReader: 0,
  cutFrame: 0,
  frameRate: 0,
  byteRate: 0,
  idle: 0,
}
