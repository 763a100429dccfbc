/** What the coordinator and its three child processes tell one another. */
import type { Address } from '../options.js'
import type { FrameRecord } from './frame-log.js'

/** base58check strings. */
export interface AuthorityKeypair {
  publicKey: string
  secretKey: string
}

interface Listening {
  kind: 'listening'
  address: Address
}

/** What went through one end of some connections since the last event of this kind. */
export interface Frames {
  kind: 'frames'
  end: 'pool' | 'miners'
  records: FrameRecord[]
}

/** Something that must not happen in a run, but leaves the process able to go on. */
interface Failure {
  kind: 'failure'
  reason: string
}

/** To the pool's process. */
export type PoolCommand =
  | { kind: 'start'; authority: AuthorityKeypair }
  /** No more new jobs. */
  | { kind: 'quiet' }
/** From it. */
export type PoolEvent = Listening | Frames | Failure

/** To the relay's process. */
export type RelayCommand =
  | { kind: 'start'; authority: AuthorityKeypair; upstream: Address & { authorityPublicKey: string } }
  /** The load begins: measure from here. */
  | { kind: 'load' }
  /** The load has ended: measure up to here. */
  | { kind: 'finish' }
/** From it; samples come several times a second once the load has begun. */
export type RelayEvent =
  | Listening
  | { kind: 'sample'; sample: RelaySample }
  | { kind: 'finished'; sample: RelaySample }
  | Failure

/** What the relay did since the load began, and what it holds. */
export interface RelaySample {
  seconds: number
  framesUpstream: number
  framesDownstream: number
  bytesUpstream: number
  bytesDownstream: number
  /** User and system time of the whole process. */
  cpuMicros: number
  gcCount: number
  rssBytes: number
  /** Null until the load is 2 s old. */
  rssAfter2sBytes: number | null
  peakRssBytes: number
  heapFallbacks: number
}

/** To the miners' process. */
export type MinersCommand =
  | { kind: 'start'; miners: number; relay: Address & { authorityPublicKey: string } }
  /** Start submitting shares. */
  | { kind: 'load' }
  /** Submit no more, wait for the answers that are due. */
  | { kind: 'drain' }
/** From it; progress comes several times a second once the load has begun. */
export type MinersEvent =
  /** Every miner has a channel and a job. */
  | { kind: 'ready' }
  | { kind: 'progress'; shares: ShareCounts }
  | { kind: 'drained'; shares: ShareCounts }
  | Frames
  | Failure

/** Shares since the load began, and the time from a share to its answer. */
export interface ShareCounts {
  sent: number
  accepted: number
  rejected: number
  rttP50Micros: number
  rttP99Micros: number
}

/** The child's side: runs `handlers` on the coordinator's commands, and ends with the coordinator. */
export function serve<Command extends { kind: string }>(
  handlers: {
    [Kind in Command['kind']]: (command: Extract<Command, { kind: Kind }>) => void
  },
): void {
  // Ctrl-C in a terminal reaches every process of the group: what it means is for the coordinator to say.
  process.on('SIGINT', () => {})
  process.on('disconnect', () => process.exit())
  process.on('message', (command: Command) => handlers[command.kind as Command['kind']](command as never))
}

/** The child's side: tells the coordinator. */
export function report(event: PoolEvent | RelayEvent | MinersEvent): void {
  // A coordinator that has gone needs no answer: its 'disconnect' ends this process.
  process.send?.(event, undefined, undefined, () => {})
}
