import { captureRejectionSymbol, EventEmitter } from 'node:events'
import { isIP } from 'node:net'
import type { Handle } from '../../native/handle.js'
import {
  closeLink,
  connectLink,
  destroyRelay,
  drainRelay,
  flushCommands,
  type HandedFrames,
  hasLink,
  makeHandedFrames,
  nextRecord,
  type RelayEvent,
  relayLinks,
  relayReport,
  releaseRelay,
  startRelay,
  watchRecords,
} from '../../native/relay.js'
import { integerArgument, optionsArgument } from '../../support/arguments.js'
import { errorOf, FramePoolError, invalidArgType } from '../../support/errors.js'
import { inspectable, uncloneable } from '../../support/inspectable.js'
import { callSafely, threw } from '../../support/thrown.js'
import {
  clearInterval,
  clearTimeout,
  queueMicrotask,
  setImmediate,
  setInterval,
  setTimeout,
  type Timer,
} from '../../support/timers.js'
import { MAX_TIMEOUT_MS } from '../../support/wait.js'
import type { Disconnection, Ending } from './disconnection.js'
import { endingOf, failure, userFault } from './endings.js'
import { handedBatch } from './handed-batch.js'
import { HookedLink, type LinkHost } from './hooked-link.js'
import { checkedOptions, hookedFrames, type RelayOptions, settingsOf } from './options.js'
import { connectionsOf, type RelayConnection, type RelayRefusals, type RelayStats, statsOf } from './stats.js'
import { systemFailure } from './system-failure.js'
import { toldBy } from './telling-message.js'
import { addressesOf, checkedUpstream, type Upstream, type UpstreamRequest } from './upstream.js'

const DEFAULT_DRAIN_MS = 5_000

/** Records that one turn of the event loop takes at most. */
const RECORDS_A_TURN = 1_000

/** Milliseconds after which a record is asked for again, when there was no memory for it. */
const RETRY_MS = 100

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
  /** Emitted when clients were refused something, at most once a second for each reason. */
  refused: [
    refusal: {
      /** Reason of the refusals: a member of `stats().refused`. */
      reason: keyof RelayRefusals
      /** Refusals for that reason since the last such event. */
      count: number
    },
  ]
  /** Emitted when the relay fails or a listener throws. */
  error: [error: Error]
}

/** Key of the constructor: only this module has it. */
const relayKey = Symbol('framepool.relay')

let isClosed: (relay: Relay) => boolean

const UNCLONEABLE = Symbol('a Relay stays in its thread: post what its stats() returns')

/**
 * A relay between miners and a mining pool. Each miner's connection gets its own upstream connection. Frames are decrypted,
 * re-encrypted and passed on in native threads, which JavaScript does not delay. A slow reader stalls only its own peer.
 *
 * If a listener for `connection` throws, or rejects if it is async, that connection ends. An error that another listener throws is
 * emitted as `error`, or as a process warning if nothing listens for `error`. Neither stops anything else.
 */
export class Relay extends EventEmitter<RelayEvents> implements AsyncDisposable {
  readonly #options: RelayOptions
  /** The record of the frames that are being handed over. */
  readonly #handed = makeHandedFrames()
  /** Links whose frames go to `onFrame`. */
  readonly #hooked = new Map<number, HookedLink>()
  /** Addresses and ports of the miners of such links, until their first frame. */
  readonly #origins = new Map<number, { address: string; port: number }>()
  /** Endings by user code of links that have not ended yet. */
  readonly #endedByUser = new Map<number, Ending>()
  #handle: Handle | null = null
  #host: LinkHost | null = null
  #turn = 0
  /** Whether the commands of this turn go out at its end anyway. */
  #flushing = false
  /** Whether the system had no memory to take in the next record. */
  #starved = false
  /** Timer that keeps the event loop alive. */
  #alive: Timer | null = null
  #referenced = true
  #final: RelayStats | null = null
  #listening: Promise<{ host: string; port: number }> | null = null
  #closing: Promise<void> | null = null
  #resolveClosed: () => void = () => {}

  /** @internal */
  constructor(key: symbol, options: RelayOptions) {
    if (key !== relayKey) throw invalidArgType('a Relay comes from createRelay()')
    super({ captureRejections: true })
    // Receives the rejections of async listeners. Not a method, because any code could call that.
    Object.defineProperty(this, captureRejectionSymbol, {
      value: (reason: unknown, event: string, ...args: unknown[]) => this.#listenerThrew(reason, event, args),
    })
    this.#options = checkedOptions(options)
    uncloneable(this, UNCLONEABLE)
  }

  static {
    isClosed = (relay) => relay.#closing !== null
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
      if (this.listenerCount('error') > 0) this.#tell('error', error as Error)
      throw error
    }
  }

  async #listen(): Promise<{ host: string; port: number }> {
    const { host = '127.0.0.1', port } = this.#options.listen
    const addresses = await addressesOf(host)
    if (addresses instanceof Error) throw addresses
    const { upstream } = this.#options
    const fixed = typeof upstream !== 'function' && isIP(upstream.host) !== 0 ? upstream : null
    const { relay, address, port: bound, fault } = startRelay(addresses, port, settingsOf(this.#options, fixed))
    if (relay == null) throw systemFailure(fault ?? { message: 'the relay did not start' }, true)
    this.#handle = relay
    this.#host = this.#linkHost(relay)
    this.#alive = setInterval(() => {}, MAX_TIMEOUT_MS)
    if (!this.#referenced) this.#alive.unref()
    this.#watch(relay)
    const listening = { host: address, port: bound }
    this.#tell('listening', { ...listening })
    return listening
  }

  /** Returns the relay's figures. */
  stats(): RelayStats {
    if (this.#final !== null) return structuredClone(this.#final)
    return statsOf(this.#handle === null ? null : relayReport(this.#handle), this.#options.maxMemory)
  }

  /** Returns an iterator over the open connections, as they are now. */
  connections(): IterableIterator<RelayConnection> {
    return this.#handle === null ? [].values() : connectionsOf(relayLinks(this.#handle))
  }

  /** Keeps the process alive while the relay listens, which is the default. Returns the relay. */
  ref(): this {
    this.#referenced = true
    this.#alive?.ref()
    return this
  }

  /** Lets the process end while the relay listens. Returns the relay. */
  unref(): this {
    this.#referenced = false
    this.#alive?.unref()
    return this
  }

  /**
   * Closes the relay. It accepts no more connections, reads nothing more from miners, and ends the sending sides of the upstream
   * connections. Frames that were read, and the answers to them, still go through until the mining pool ends its sides, too. Connections
   * still open after `drainMs` milliseconds (0 to 2^31 − 1, by default 5,000) are destroyed. Idempotent.
   */
  async close(options?: { drainMs?: number }): Promise<void> {
    const { drainMs = DEFAULT_DRAIN_MS } = optionsArgument(options, 'options')
    integerArgument(drainMs, 'drainMs', 0, MAX_TIMEOUT_MS)
    this.#closing ??= this.#drain()
    const timer = setTimeout(() => {
      if (this.#handle !== null) destroyRelay(this.#handle)
    }, drainMs)
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
    // A relay that is about to listen would do so after its closing. One that listens reads nothing more from here on.
    if (this.#handle === null) await this.#listening?.catch(() => {})
    if (this.#handle === null) return
    drainRelay(this.#handle)
    await new Promise<void>((resolve) => {
      this.#resolveClosed = resolve
    })
  }

  #linkHost(relay: Handle): LinkHost {
    const turn = (): number => this.#turn
    return {
      relay,
      hooked: hookedFrames(this.#options),
      onFrame: (frame, direction, link) => this.#options.onFrame?.(frame, direction, link),
      get turn() {
        return turn()
      },
      endBy: (id, ending) => this.#endBy(id, ending),
      flushSoon: () => this.#flushSoon(),
    }
  }

  #endBy(id: number, ending: Ending): void {
    if (!this.#endedByUser.has(id)) this.#endedByUser.set(id, ending)
  }

  #watch(relay: Handle): void {
    watchRecords(relay, () => this.#takeRecords(relay))
  }

  /** Takes the records that the engine has made, as many as one turn may take. */
  #takeRecords(relay: Handle): void {
    this.#turn++
    this.#flushing = true
    let left = RECORDS_A_TURN
    for (; left > 0; left--) {
      const record = this.#next(relay)
      if (record === null) break
      if (record === this.#handed) this.#decide(this.#handed)
      else this.#hear(relay, record as RelayEvent)
      if (this.#handle === null) return
    }
    this.#flushing = false
    flushCommands(relay)
    if (this.#starved) setTimeout(() => this.#handle !== null && this.#takeRecords(relay), RETRY_MS).unref()
    else if (left > 0) this.#watch(relay)
    // Other code of the event loop has its turn between.
    else setImmediate(() => this.#handle !== null && this.#takeRecords(relay))
  }

  /** Takes the next record. Returns null if there is none, or if the system has no memory to take it in: then it waits. */
  #next(relay: Handle): RelayEvent | HandedFrames | null {
    this.#starved = false
    try {
      return nextRecord(relay, this.#handed)
    } catch (error) {
      if ((error as FramePoolError).code !== 'ERR_NO_MEMORY') throw error
      this.#starved = true
      return null
    }
  }

  /** Sends the commands of links to the engine when the code that runs now is over. */
  #flushSoon(): void {
    if (this.#flushing) return
    this.#flushing = true
    queueMicrotask(() => {
      this.#flushing = false
      if (this.#handle !== null) flushCommands(this.#handle)
    })
  }

  #decide(frames: HandedFrames): void {
    const { link: id, direction, first } = frames
    const batch = handedBatch(frames)
    let link = this.#hooked.get(id)
    if (link === undefined) {
      const { address, port } = this.#origins.get(id) ?? { address: '', port: 0 }
      this.#origins.delete(id)
      link = new HookedLink(this.#host!, id, address, port)
      this.#hooked.set(id, link)
    }
    link.decide(batch, direction, first)
  }

  #hear(relay: Handle, event: RelayEvent): void {
    const { id, address } = event
    switch (event.kind) {
      case 'connected':
        if (this.#options.onFrame !== undefined) this.#origins.set(id, { address, port: event.port })
        // Frozen, since a listener that rejects ends the connection that `id` names.
        this.#tell('connection', Object.freeze({ id, remoteAddress: address }))
        break
      case 'wanted':
        void this.#connect(relay, { id, remoteAddress: address, remotePort: event.port })
        break
      case 'drained':
        this.#hooked.get(id)?.drained(event.direction!)
        break
      case 'disconnected':
        this.#disconnected(event)
        break
      case 'refused':
        this.#tell('refused', { reason: event.reason as keyof RelayRefusals, count: event.count })
        break
      case 'failed':
        this.#failed(event.reason)
        break
      case 'closed':
        this.#closed(relay)
    }
  }

  /** Connects a link to its mining pool. */
  async #connect(relay: Handle, request: UpstreamRequest): Promise<void> {
    const ended = (ending: Ending): void => this.#destroy(request.id, ending)
    let upstream: Upstream
    try {
      upstream = await this.#upstreamOf(request)
    } catch (thrown) {
      ended(userFault(threw('upstream', thrown)))
      return
    }
    try {
      const addresses = await addressesOf(upstream.host)
      if (addresses instanceof Error) ended(failure('upstream', addresses))
      else if (this.#handle !== null) {
        connectLink(relay, request.id, addresses, upstream.port, upstream.authorityPublicKey)
      }
    } catch (error) {
      ended(failure('relay', error))
    }
  }

  async #upstreamOf(request: UpstreamRequest): Promise<Upstream> {
    const { upstream } = this.#options
    if (typeof upstream !== 'function') return upstream
    return checkedUpstream(await upstream(Object.freeze(request)), 'the upstream')
  }

  /** Ends a link with `ending`, unless it has ended. */
  #destroy(id: number, ending: Ending): void {
    // Nobody would take the ending of a link that has ended.
    if (this.#handle === null || !hasLink(this.#handle, id)) return
    this.#endBy(id, ending)
    closeLink(this.#handle, id)
    this.#flushSoon()
  }

  #disconnected({ id, address, end }: RelayEvent): void {
    const byUser = this.#endedByUser.get(id)
    this.#endedByUser.delete(id)
    this.#origins.delete(id)
    this.#hooked.get(id)?.ended()
    this.#hooked.delete(id)
    if (end == null) return
    const ending = endingOf(end, byUser)
    const told =
      end.told == null ? '' : `; the mining pool had sent ${toldBy(end.told, Buffer.from(end.toldPayload, 'hex'))}`
    this.#tell('disconnect', {
      id,
      remoteAddress: address,
      ...ending,
      reason: ending.reason + told,
      framesUpstream: end.framesUpstream,
      framesDownstream: end.framesDownstream,
      durationMs: Math.ceil(end.durationMs),
    })
  }

  /** Reports that a thread of the engine has failed, and ends the relay. */
  #failed(reason: string): void {
    const error = errorOf(
      'ERR_INTERNAL',
      `internal error in framepool: a relay's thread failed: ${reason}; please report it`,
    )
    if (this.listenerCount('error') > 0) this.#tell('error', error)
    else callSafely(() => process.emitWarning(error))
    callSafely(() => void this.close({ drainMs: 0 }))
  }

  #closed(relay: Handle): void {
    this.#final = this.stats()
    this.#handle = null
    this.#endedByUser.clear()
    this.#origins.clear()
    if (this.#alive !== null) clearInterval(this.#alive)
    releaseRelay(relay)
    this.#resolveClosed()
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
    if (event === 'connection') this.#destroy((args[0] as { id: number }).id, userFault(error))
    else if (event !== 'error' && this.listenerCount('error') > 0) this.#tell('error', error)
    else callSafely(() => process.emitWarning(error))
  }
}

inspectable(Relay, (relay) => {
  const { connections, connectionsTotal, framesUpstream, framesDownstream, memoryBytes } = relay.stats()
  if (isClosed(relay)) return `closed, connections: ${connections}, connectionsTotal: ${connectionsTotal}`
  return { connections, connectionsTotal, framesUpstream, framesDownstream, memoryBytes }
})

/**
 * Makes a relay, which accepts connections once `listen()` is called. Throws `ERR_SV2_KEY`, with the name of the option, for a bad key,
 * and `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for another bad option.
 */
export function createRelay(options: RelayOptions): Relay {
  return new Relay(relayKey, options)
}
