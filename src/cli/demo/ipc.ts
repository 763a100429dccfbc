/** Messages between the coordinator and its three child processes. */
import type { Address } from '../options.js'
import type { FrameRecord } from './frame-log.js'

/** An authority's keys, as base58check strings. */
export interface AuthorityKeypair {
  publicKey: string
  secretKey: string
}

interface Listening {
  kind: 'listening'
  address: Address
}

/** Frames that went through one end of some connections since the last event of this kind. */
export interface Frames {
  kind: 'frames'
  end: 'pool' | 'miners'
  records: FrameRecord[]
}

/** A fault of a run after which the process can go on. */
interface Failure {
  kind: 'failure'
  reason: string
}

/** Commands to the mining pool's process. */
export type PoolCommand =
  | { kind: 'start'; authority: AuthorityKeypair }
  /** Ends the sending of new jobs. */
  | { kind: 'quiet' }
/** Events of the mining pool's process. */
export type PoolEvent = Listening | Frames | Failure

/** Commands to the relay's process. */
export type RelayCommand =
  | { kind: 'start'; authority: AuthorityKeypair; upstream: Address & { authorityPublicKey: string } }
  /** The load begins: measure from here. */
  | { kind: 'load' }
  /** The load has ended: measure up to here. */
  | { kind: 'finish' }
/** Events of the relay's process. Samples come several times a second once the load has begun. */
export type RelayEvent =
  | Listening
  | { kind: 'sample'; sample: RelaySample }
  | { kind: 'finished'; sample: RelaySample }
  | Failure

/** Figures of the relay since the load began, and the memory that it holds. */
export interface RelaySample {
  seconds: number
  framesUpstream: number
  framesDownstream: number
  bytesUpstream: number
  bytesDownstream: number
  /** User and system time of the whole process, in microseconds. */
  cpuMicros: number
  gcCount: number
  rssBytes: number
  /** Null until the load is 2 s old. */
  rssAfter2sBytes: number | null
  peakRssBytes: number
  heapFallbacks: number
}

/** Commands to the miners' process. */
export type MinersCommand =
  | { kind: 'start'; miners: number; relay: Address & { authorityPublicKey: string } }
  /** Starts the submission of shares. */
  | { kind: 'load' }
  /** Ends the submission, and waits for the answers that are due. */
  | { kind: 'drain' }
/** Events of the miners' process. Progress comes several times a second once the load has begun. */
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

/** Runs `handlers` on the coordinator's commands. The process ends with the coordinator. */
export function serve<Command extends { kind: string }>(
  handlers: {
    [Kind in Command['kind']]: (command: Extract<Command, { kind: Kind }>) => void
  },
): void {
  // Ctrl-C in a terminal reaches every process of the group. The coordinator decides what it means.
  process.on('SIGINT', () => {})
  process.on('disconnect', () => process.exit())
  process.on('message', (command: Command) => handlers[command.kind as Command['kind']](command as never))
}

/** Sends an event to the coordinator. */
export function report(event: PoolEvent | RelayEvent | MinersEvent): void {
  // Errors are ignored: when the coordinator has gone, 'disconnect' ends this process.
  process.send?.(event, undefined, undefined, () => {})
}
