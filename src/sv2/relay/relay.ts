import { captureRejectionSymbol, EventEmitter } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { endLink } from '../../native/relay.js'
import { integerArgument, optionsArgument } from '../../support/arguments.js'
import { FramePoolError } from '../../support/errors.js'
import { callSafely, threw } from '../../support/thrown.js'
import { clearTimeout, now, setTimeout } from '../../support/timers.js'
import { MAX_TIMEOUT_MS } from '../../support/wait.js'
import type { Disconnection } from './disconnection.js'
import { userFault } from './endings.js'
import { RelayLink } from './link.js'
import { type RelayBudget, RelayMemory } from './memory.js'
import { checkedOptions, type RelayOptions } from './options.js'

const DEFAULT_HANDSHAKE_TIMEOUT_MS = 10_000
const DEFAULT_DRAIN_MS = 5_000

/** Figures of a relay: see `Relay.stats()`. Counts are exact up to 2^53, and rounded beyond. */
export interface RelayStats {
  /** Connections of miners that are open. */
  connections: number
  /** Connections accepted since the relay was made. */
  connectionsTotal: number
  /** Connections refused because of `maxConnections`, `maxMemory`, or a lack of memory. */
  rejected: number
  /** Connections that ended before both handshakes were done, or that a miner ended before it had sent a frame. */
  handshakeFailures: number
  /** Frames forwarded to the mining pool. */
  framesUpstream: number
  /** Frames forwarded to miners. */
  framesDownstream: number
  /** Wire bytes sent to the mining pool. */
  bytesUpstream: number
  /** Wire bytes sent to miners. */
  bytesDownstream: number
  /** Batches that found no room in the slot pool. */
  heapFallbacks: number
  /** Native memory of the open connections, in bytes. */
  memoryBytes: number
  /** Figures of the budget `maxMemory`, or null without one. */
  budget: RelayBudget | null
}

/** Events of a relay, with the arguments of their listeners. */
export interface RelayEvents {
  /** Emitted when the relay accepts connections. */
  listening: [
    address: {
      /** IP address. */
      host: string
      /** TCP port. */
      port: number
    },
  ]
  /** Emitted when a miner has connected. */
  connection: [
    connection: {
      /** Number of the connection. */
      id: number
      /** Address that the miner connected from. */
      remoteAddress: string
    },
  ]
  /** Emitted when a connection has ended. */
  disconnect: [connection: Disconnection]
  /** Emitted when the server fails or a listener throws. */
  error: [error: Error]
}

/**
 * A relay between miners and a mining pool. Each miner's connection gets its own upstream connection. Frames are decrypted,
 * re-encrypted and passed on in native code. A slow reader stalls only its own peer.
 *
 * If a listener for `connection` throws, or rejects if it is async, that connection ends. An error that another listener throws is
 * emitted as `error`, or as a process warning if nothing listens for `error`. Neither stops anything else.
 */
export class Relay extends EventEmitter<RelayEvents> implements AsyncDisposable {
  readonly #options: RelayOptions
  readonly #server: Server
  readonly #memory: RelayMemory | null
  readonly #links = new Map<number, RelayLink>()
  readonly #total = {
    connectionsTotal: 0,
    rejected: 0,
    handshakeFailures: 0,
    framesUpstream: 0,
    framesDownstream: 0,
    bytesUpstream: 0,
    bytesDownstream: 0,
    heapFallbacks: 0,
  }
  #listening: Promise<{ host: string; port: number }> | null = null
  #closing: Promise<void> | null = null

  /** @internal */
  constructor(options: RelayOptions) {
    super({ captureRejections: true })
    // Receives the rejections of async listeners. Not a method, because any code could call that.
    Object.defineProperty(this, captureRejectionSymbol, {
      value: (reason: unknown, event: string, ...args: unknown[]) => this.#listenerThrew(reason, event, args),
    })
    this.#options = checkedOptions(options)
    const { maxMemory, maxConnections } = this.#options
    this.#memory = maxMemory === undefined ? null : new RelayMemory(maxMemory, maxConnections)
    this.#server = createServer((socket) => this.#accept(socket))
    this.#server.on('error', (error) => {
      if (this.listenerCount('error') > 0) this.#tell('error', error)
    })
  }

  /**
   * Starts listening. Resolves with the address when the relay accepts connections. Rejects with the system's error if it cannot
   * listen, and may be called again then. Rejects with `ERR_BUSY` if the relay is listening already, and with `ERR_CLOSED` once it is
   * closed.
   */
  async listen(): Promise<{
    /** IP address that the relay listens on. */
    host: string
    /** TCP port that the relay listens on. */
    port: number
  }> {
    if (this.#closing) throw new FramePoolError('ERR_CLOSED', 'the relay is closed')
    if (this.#listening) throw new FramePoolError('ERR_BUSY', 'the relay is listening already')
    this.#listening = this.#listen()
    try {
      return await this.#listening
    } catch (error) {
      this.#listening = null
      throw error
    }
  }

  async #listen(): Promise<{ host: string; port: number }> {
    const server = this.#server
    const { host = '127.0.0.1', port } = this.#options.listen
    await new Promise<void>((resolve, reject) => {
      const heard = (): void => {
        server.off('error', failed)
        resolve()
      }
      const failed = (error: Error): void => {
        server.off('listening', heard)
        reject(error)
      }
      server.once('listening', heard).once('error', failed)
      try {
        server.listen(port, host)
      } catch (error) {
        server.off('error', failed)
        failed(error as Error)
      }
    })
    const bound = server.address() as AddressInfo
    const listening = { host: bound.address, port: bound.port }
    this.#tell('listening', { ...listening })
    return listening
  }

  /** Returns the relay's figures. */
  stats(): RelayStats {
    const stats = { connections: this.#links.size, ...this.#total, memoryBytes: 0 }
    const budget = this.#memory?.stats() ?? null
    for (const link of this.#links.values()) {
      const { memoryBytes, ...counters } = link.stats()
      add(stats, counters)
      stats.memoryBytes += memoryBytes
    }
    return { ...stats, budget }
  }

  /**
   * Closes the relay. It accepts no more connections, reads nothing more from miners, and ends the sending sides of the upstream
   * connections. Frames that were read, and the answers to them, still go through until the mining pool ends its sides, too. Connections
   * still open after `drainMs` milliseconds (0 to 2^31 − 1, by default 5,000) are destroyed. Idempotent.
   */
  async close(options?: { drainMs?: number }): Promise<void> {
    const { drainMs = DEFAULT_DRAIN_MS } = optionsArgument(options, 'options')
    integerArgument(drainMs, 'drainMs', 0, MAX_TIMEOUT_MS)
    const links = this.#links
    const timer = setTimeout(() => {
      for (const link of links.values()) link.destroy()
    }, drainMs)
    this.#closing ??= this.#drain()
    try {
      await this.#closing
    } finally {
      clearTimeout(timer)
    }
  }

  /** Calls `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #drain(): Promise<void> {
    // A server that is about to listen would do so after its closing.
    await this.#listening?.catch(() => {})
    const accepted = new Promise<void>((resolve) => {
      if (this.#server.listening) this.#server.close(() => resolve())
      else resolve()
    })
    for (const link of this.#links.values()) link.drain()
    await Promise.all([accepted, ...[...this.#links.values()].map((link) => link.closed)])
    this.#memory?.close()
  }

  #accept(socket: Socket): void {
    const { maxConnections = Number.POSITIVE_INFINITY } = this.#options
    const link = this.#links.size < maxConnections ? this.#link(socket) : null
    if (link === null) {
      this.#total.rejected++
      socket.destroy()
      return
    }
    const id = ++this.#total.connectionsTotal
    const remoteAddress = socket.remoteAddress ?? ''
    const start = now()
    this.#links.set(id, link)
    link.closed.then((ending) => {
      this.#links.delete(id)
      if (link.failedHandshake(ending)) this.#total.handshakeFailures++
      const { memoryBytes: _freed, ...counters } = link.stats()
      add(this.#total, counters)
      const { framesUpstream, framesDownstream } = counters
      const durationMs = Math.round(now() - start)
      this.#tell('disconnect', { id, remoteAddress, ...ending, framesUpstream, framesDownstream, durationMs })
    })
    // Frozen, since a listener that rejects ends the connection that `id` names.
    this.#tell('connection', Object.freeze({ id, remoteAddress }))
  }

  /** Emits an event. A listener may throw anything, so call this when everything that belongs to the event is done. */
  #tell<E extends keyof RelayEvents>(event: E, ...args: RelayEvents[E]): void {
    try {
      // The arguments fit the event, which the types cannot see.
      ;(this as EventEmitter).emit(event, ...args)
    } catch (thrown) {
      this.#listenerThrew(thrown, event, args)
    }
  }

  #listenerThrew(thrown: unknown, event: string, args: unknown[]): void {
    const error = threw(`a '${event}' listener`, thrown)
    if (event === 'connection') this.#links.get((args[0] as { id: number }).id)?.destroy(userFault(error))
    else if (event !== 'error' && this.listenerCount('error') > 0) this.#tell('error', error)
    else callSafely(() => process.emitWarning(error))
  }

  /** Makes a link. Returns null if there is no memory for another, in the budget or at all. Other links go on. */
  #link(socket: Socket): RelayLink | null {
    const { handshakeTimeoutMs = DEFAULT_HANDSHAKE_TIMEOUT_MS, idleTimeoutMs = 0 } = this.#options
    const memory = this.#memory?.link() ?? null
    if (this.#memory !== null && memory === null) return null
    try {
      return new RelayLink(
        this.#total.connectionsTotal + 1,
        socket,
        this.#options,
        { handshakeTimeoutMs, idleTimeoutMs },
        memory,
      )
    } catch {
      if (memory !== null) endLink(memory)
      return null
    }
  }
}

/** Adds the figures of one connection to `total`. */
function add<K extends string>(total: Record<NoInfer<K>, number>, counters: Record<K, number>): void {
  for (const key of Object.keys(counters) as K[]) total[key] += counters[key]
}

/**
 * Makes a relay, which accepts connections once `listen()` is called. Throws `ERR_SV2_KEY`, with the name of the option, for a bad key,
 * and `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for another bad option.
 */
export function createRelay(options: RelayOptions): Relay {
  return new Relay(options)
}
