import type { Handle } from '../../native/handle.js'
import { createLink, createRelayMemory, endRelayMemory, relayMemoryReport } from '../../native/relay.js'

/** What a relay's connections have of `maxMemory`. */
export interface RelayBudget {
  /** `maxMemory`, in bytes. */
  limit: number
  /** Bytes reserved for connections and for large frames; never more than `limit`. */
  reserved: number
  /** Large frames that wait for memory. */
  waiting: number
}

/** The memory budget of a relay: how it is shared out is told in `crates/framepool/src/sv2/link_memory.rs`. */
export class RelayMemory {
  readonly #limit: number
  readonly #mostLinks: number | undefined
  /** Made for the first connection, given up when the relay is closed. */
  #handle: Handle | null = null

  constructor(limit: number, mostLinks: number | undefined) {
    this.#limit = limit
    this.#mostLinks = mostLinks
  }

  /** What a miner's connection and its own upstream need; null if the budget has no room for them. */
  link(): Handle | null {
    this.#handle ??= createRelayMemory(this.#limit, this.#mostLinks)
    return createLink(this.#handle)
  }

  stats(): RelayBudget {
    const { reserved, waiting } = this.#handle === null ? { reserved: 0, waiting: 0 } : relayMemoryReport(this.#handle)
    return { limit: this.#limit, reserved, waiting }
  }

  /** The connections are over. */
  close(): void {
    if (this.#handle !== null) endRelayMemory(this.#handle)
    this.#handle = null
  }
}
