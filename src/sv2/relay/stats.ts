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
  /** Connections that came while there were `maxConnections`. */
  connections: number
  /** Connections from an address that had `maxConnectionsPerAddress`. */
  address: number
  /** Connections from an address that made more than `maxConnectionsPerSecond`. */
  connectionRate: number
  /** Connections with the oldest handshake when there were more than `maxHandshakes`. */
  handshakes: number
  /** Connections for which `maxMemory` had no room, or with a frame for which it could never have room. */
  memory: number
  /** Times that accepting paused, a connection was refused, or one to a mining pool failed, because descriptors ran out or were about to. */
  descriptors: number
  /** Connections on which no genuine frame came within `handshakeTimeoutMs`. */
  handshakeTimeout: number
  /** Connections whose first bytes were no Stratum V2, or were made without the keys. */
  foreign: number
  /** Connections with a frame larger than `maxFrameSize`. */
  frameTooLarge: number
  /** Connections on which a started frame came more slowly than its least rate, `minBytesPerSecond` or more. */
  slowFrame: number
  /** Connections of which a side took waiting bytes more slowly than `minBytesPerSecond`. */
  slowReader: number
  /** Connections whose miner left in its handshake, or in the middle of a frame. */
  cutFrame: number
  /** Times that frames waited, because more than `maxFramesPerSecond` came. */
  frameRate: number
  /** Times that bytes waited, because more than `maxBytesPerSecond` came. */
  byteRate: number
  /** Connections on which nothing had moved for `idleTimeoutMs`. */
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

/** Returns an iterator over what is told of open connections. */
export function* connectionsOf(links: RelayLinkReport[]): IterableIterator<RelayConnection> {
  for (const link of links) yield { ...link, ageMs: Math.round(link.ageMs) }
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
