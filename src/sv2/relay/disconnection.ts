/** Which end: the miner's (`downstream`), the pool's (`upstream`), or the relay itself. */
export type DisconnectSide = 'downstream' | 'upstream' | 'relay'

/** How a connection through a relay ended. */
export interface Ending {
  /** The side that ended it, or that did what the relay ended it for. */
  side: DisconnectSide
  /**
   * `ENDED`, `ENDED_IN_HANDSHAKE`, `ENDED_WITHOUT_FRAME`, `ENDED_IN_FRAME`, `NOT_SV2`, `HANDSHAKE_TIMEOUT`, `IDLE_TIMEOUT`,
   * `RELAY_CLOSED`, `USER_CODE`, or the code of the error that broke it: `ERR_SV2_CERTIFICATE`, `ECONNRESET`.
   */
  code: string
  /** The same in words, on one line. */
  reason: string
  /** What broke the connection, if it did not end in order. */
  error: Error | null
}

/** What the event `disconnect` tells of a miner's connection, and the one to the pool that belonged to it. */
export interface Disconnection extends Ending {
  /** Number of the connection, as in the event `connection`. */
  id: number
  /** Address that the miner connected from. */
  remoteAddress: string
  /** Frames that were passed on to the pool. */
  framesUpstream: number
  /** Frames that were passed on to the miner. */
  framesDownstream: number
  /** From when the miner was accepted until both connections were closed. */
  durationMs: number
}
