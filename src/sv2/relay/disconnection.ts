/** Side of a connection through a relay: the miner (`downstream`), the mining pool (`upstream`), or the relay itself. */
export type DisconnectSide = 'downstream' | 'upstream' | 'relay'

/** Describes how a connection through a relay ended. */
export interface Ending {
  /** Side that ended the connection, or that made the relay end it. */
  side: DisconnectSide
  /**
   * Code of the reason: `ENDED`, `ENDED_IN_HANDSHAKE`, `ENDED_WITHOUT_FRAME`, `ENDED_IN_FRAME`, `NOT_SV2`, `HANDSHAKE_TIMEOUT`, `HANDSHAKE_LIMIT`,
   * `SLOW_FRAME`, `SLOW_READER`, `IDLE_TIMEOUT`, `RELAY_CLOSED`, `LINK_CLOSED`, `USER_CODE`, or the code of the error that broke it, such as
   * `ERR_SV2_CERTIFICATE` or `ECONNRESET`.
   */
  code: string
  /** Reason in words, on one line. */
  reason: string
  /** Error that broke the connection, or null if it ended in order. */
  error: Error | null
}

/** Describes, in the event `disconnect`, a miner's connection and the connection to the mining pool that belonged to it. */
export interface Disconnection extends Ending {
  /** Number of the connection, as in the event `connection`. */
  id: number
  /** Address that the miner connected from. */
  remoteAddress: string
  /** Frames that were passed on to the mining pool. */
  framesUpstream: number
  /** Frames that were passed on to the miner. */
  framesDownstream: number
  /** Time from accepting the miner until both connections were closed, in milliseconds. */
  durationMs: number
}
