import type { Handle } from '../../native/handle.js'
import { createLink, createRelayMemory, endRelayMemory, relayMemoryReport } from '../../native/relay.js'

/** Figures of a relay's memory budget. */
export interface RelayBudget {
  /** `maxMemory`, in bytes. */
  limit: number
  /** Bytes reserved for connections and for large frames. Never more than `limit`. */
  reserved: number
  /** Large frames that wait for memory. */
  waiting: number
}

/** The memory budget of a relay. `crates/framepool/src/sv2/link_memory.rs` explains how it is shared out. */
export class RelayMemory {
  readonly #limit: number
  readonly #mostLinks: number | undefined
  /** Made for the first connection, and given up when the relay is closed. */
  #handle: Handle | null = null

  constructor(limit: number, mostLinks: number | undefined) {
    this.#limit = limit
    this.#mostLinks = mostLinks
  }

  /** Reserves memory for a miner's connection and its upstream. Returns null if the budget has no room for them. */
  link(): Handle | null {
    this.#handle ??= createRelayMemory(this.#limit, this.#mostLinks)
    return createLink(this.#handle)
  }

  stats(): RelayBudget {
    const { reserved, waiting } = this.#handle === null ? { reserved: 0, waiting: 0 } : relayMemoryReport(this.#handle)
    return { limit: this.#limit, reserved, waiting }
  }

  /** Gives the budget up. All connections must be over. */
  close(): void {
    if (this.#handle !== null) endRelayMemory(this.#handle)
    this.#handle = null
  }
}
