import { connect, type Socket } from 'node:net'
import { types } from 'node:util'
import { invalidArgType } from '../errors.js'
import type { Frame, FrameBatch } from './api.js'
import { initiatorOptions, type RelayOptions, responderOptions } from './relay-options.js'
import { coreOf, Sv2Session } from './session.js'
import { SessionSocket } from './session-socket.js'

type Direction = 'upstream' | 'downstream'

/** One end of a link. */
interface Side {
  readonly session: Sv2Session
  readonly wire: SessionSocket
  readonly direction: Direction
  forwarded: number
}

/** One miner's connection and the one to the pool that belongs to it. */
export class RelayLink {
  /** Resolves with the reason when both connections are closed. */
  readonly closed: Promise<string>
  readonly #options: RelayOptions
  readonly #miner: Side
  #pool: Side | null = null
  readonly #idleTimeoutMs: number
  readonly #handshakeTimer: NodeJS.Timeout
  /** Connections that are not closed. */
  #open = 1
  #ready = false
  #reason: string | null = null
  #resolveClosed!: (reason: string) => void

  constructor(socket: Socket, options: RelayOptions, timeouts: { handshakeTimeoutMs: number; idleTimeoutMs: number }) {
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    this.#options = options
    this.#idleTimeoutMs = timeouts.idleTimeoutMs
    this.#miner = this.#wire(Sv2Session.responder(responderOptions(options)), socket, 'downstream')
    this.#handshakeTimer = setTimeout(() => this.destroy('handshake timeout'), timeouts.handshakeTimeoutMs)
  }

  /** True once both handshakes are done. */
  get ready(): boolean {
    return this.#ready
  }

  /** Wire bytes of handshakes count as bytes, not as frames. */
  stats() {
    const miner = this.#miner.session.stats()
    const pool = this.#pool?.session.stats()
    return {
      framesUpstream: this.#pool?.forwarded ?? 0,
      framesDownstream: this.#miner.forwarded,
      bytesUpstream: pool?.bytesOut ?? 0,
      bytesDownstream: miner.bytesOut,
      heapFallbacks: miner.heapFallbacks + (pool?.heapFallbacks ?? 0),
      memoryBytes: miner.memoryBytes + (pool?.memoryBytes ?? 0),
    }
  }

  /** Takes nothing more from the miner; what was taken, and what the pool answers, still goes through. */
  drain(): void {
    this.#reason ??= 'the relay was closed'
    if (this.#pool === null) {
      this.destroy(this.#reason)
      return
    }
    this.#miner.wire.ignore()
    this.#pool.wire.end()
  }

  destroy(reason: string): void {
    this.#reason ??= reason
    this.#miner.wire.destroy()
    this.#pool?.wire.destroy()
  }

  #wire(session: Sv2Session, socket: Socket, direction: Direction): Side {
    const wire = new SessionSocket(coreOf(session), socket, {
      onTransport: () => this.#secured(side),
      onBatch: (batch) => this.#forward(batch, side),
      onEnd: () => this.#ended(side),
      onClose: (error) => this.#sideClosed(side, error),
    })
    if (this.#idleTimeoutMs > 0) socket.setTimeout(this.#idleTimeoutMs, () => this.destroy('idle timeout'))
    const side: Side = { session, wire, direction, forwarded: 0 }
    return side
  }

  /** The miner's handshake is done, so the pool's begins; when that is done too, the miner's frames are read. */
  #secured(side: Side): void {
    if (side === this.#miner) {
      side.wire.hold()
      this.#connectUpstream()
    } else {
      clearTimeout(this.#handshakeTimer)
      this.#ready = true
      this.#miner.wire.resume()
    }
  }

  #connectUpstream(): void {
    const { host, port } = this.#options.upstream
    let session: Sv2Session
    try {
      session = Sv2Session.initiator(initiatorOptions(this.#options))
    } catch (error) {
      this.destroy((error as Error).message)
      return
    }
    this.#open++
    this.#pool = this.#wire(session, connect({ host, port }), 'upstream')
  }

  #other(side: Side): Side | null {
    return side === this.#miner ? this.#pool : this.#miner
  }

  #forward(batch: FrameBatch, from: Side): void {
    const to = this.#other(from)
    if (to === null || !this.#ready) {
      // Nobody can know the keys before the handshake is done, so no such frame can be genuine.
      this.destroy('frames before the upstream handshake was done')
      return
    }
    try {
      to.forwarded += this.#options.onFrame ? this.#filter(batch, from, to) : forwardAll(batch, from, to)
    } catch (error) {
      this.destroy((error as Error).message)
    } finally {
      batch.release()
    }
    to.wire.flush()
    if (coreOf(to.session).over) from.wire.holdUntilDrained(coreOf(to.session))
  }

  #filter(batch: FrameBatch, from: Side, to: Side): number {
    const onFrame = this.#options.onFrame as NonNullable<RelayOptions['onFrame']>
    let forwarded = 0
    for (const frame of batch) {
      const verdict: unknown = onFrame(frame, to.direction)
      if (verdict === 'drop') continue
      if (verdict === 'forward') from.session.forward(frame, to.session)
      else if (types.isUint8Array(verdict)) to.session.send(headerOf(frame), verdict)
      else throw invalidArgType("onFrame must return 'forward', 'drop' or a Uint8Array")
      forwarded++
    }
    return forwarded
  }

  /** One direction is over: what came before it goes out, then the other side hears of it. */
  #ended(side: Side): void {
    const other = this.#other(side)
    if (other === null || !this.#ready) this.destroy(`${side.direction} ended in the handshake`)
    else other.wire.end()
  }

  #sideClosed(side: Side, error: Error | null): void {
    this.#open--
    this.#reason ??= error === null ? `${side.direction} ended` : `${side.direction}: ${error.message}`
    // What this side sent before it ended still goes out; after an error nothing can be relied on.
    const other = this.#other(side)
    if (error === null) other?.wire.end()
    else other?.wire.destroy()
    if (this.#open > 0) return
    clearTimeout(this.#handshakeTimer)
    this.#resolveClosed(this.#reason)
  }
}

function forwardAll(batch: FrameBatch, from: Side, to: Side): number {
  from.session.forward(batch, to.session)
  return batch.length
}

function headerOf(frame: Frame) {
  const { messageType, extensionType, channelMessage } = frame
  return { messageType, extensionType, channelMessage }
}
