import { connect, type Socket } from 'node:net'
import { types } from 'node:util'
import { endLink, type Handle, joinLink } from '../boundary.js'
import { FramePoolError, invalidArgType } from '../errors.js'
import { clearTimeout, setTimeout } from '../timers.js'
import type { Frame, FrameBatch } from './api.js'
import { RelayLane } from './relay-lane.js'
import { initiatorOptions, type RelayOptions, responderOptions } from './relay-options.js'
import { coreOf, Sv2Session } from './session.js'
import { SessionSocket } from './session-socket.js'

type Direction = 'upstream' | 'downstream'

/** With a memory budget, a connection's first read brings no more than the first message of a handshake, in bytes. */
const FIRST_READ = 64

/** One end of a link. */
interface Side {
  readonly session: Sv2Session
  readonly wire: SessionSocket
  readonly direction: Direction
  forwarded: number
  /** Where its frames go, in a relay with a memory budget. */
  lane: RelayLane | null
}

/** One miner's connection and the one to the pool that belongs to it. */
export class RelayLink {
  /** Resolves with the reason when both connections are closed. */
  readonly closed: Promise<string>
  readonly #options: RelayOptions
  readonly #miner: Side
  #pool: Side | null = null
  /** What it has of the relay's memory budget, if there is one. */
  readonly #memory: Handle | null
  readonly #idleTimeoutMs: number
  readonly #handshakeTimer: NodeJS.Timeout
  /** Connections that are not closed. */
  #open = 1
  #ready = false
  #reason: string | null = null
  #resolveClosed!: (reason: string) => void

  /** `memory` is given back when the link is over. */
  constructor(
    socket: Socket,
    options: RelayOptions,
    timeouts: { handshakeTimeoutMs: number; idleTimeoutMs: number },
    memory: Handle | null,
  ) {
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    this.#options = options
    this.#memory = memory
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
    this.#miner.lane?.stop()
    this.#pool.wire.end()
  }

  destroy(reason: string): void {
    this.#reason ??= reason
    this.#miner.wire.destroy()
    this.#pool?.wire.destroy()
  }

  #wire(session: Sv2Session, socket: Socket, direction: Direction): Side {
    const events = {
      onTransport: () => this.#secured(side),
      onBatch: (batch: FrameBatch) => this.#forward(batch, side),
      onRead: () => side.lane?.review(),
      onEnd: () => this.#ended(side),
      onClose: (error: Error | null) => this.#sideClosed(side, error),
    }
    const core = coreOf(session)
    if (this.#memory !== null) joinLink(this.#memory, core.handle)
    const wire = new SessionSocket(core, socket, events, this.#memory === null ? undefined : FIRST_READ)
    const side: Side = { session, wire, direction, forwarded: 0, lane: null }
    this.#endWhenIdle(socket)
    return side
  }

  /** Who waits for memory that others have is not idle. */
  #endWhenIdle(socket: Socket): void {
    const ms = this.#idleTimeoutMs
    if (ms === 0) return
    socket.setTimeout(ms)
    // Not given to `setTimeout`, which would call it once.
    socket.on('timeout', () => {
      if (this.#miner.lane?.waiting || this.#pool?.lane?.waiting) socket.setTimeout(ms)
      else this.destroy('idle timeout')
    })
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
    const pool = this.#wire(session, connect({ host, port }), 'upstream')
    const miner = this.#miner
    this.#pool = pool
    if (this.#memory === null) return
    const failed = (error: Error): void => this.destroy(error.message)
    miner.lane = new RelayLane(this.#memory, 0, miner.wire, pool.wire, failed)
    pool.lane = new RelayLane(this.#memory, 1, pool.wire, miner.wire, failed)
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
      else if (types.isUint8Array(verdict)) replace(frame, verdict, from, to)
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
    this.#miner.lane?.stop()
    this.#pool?.lane?.stop()
    this.#reason ??= error === null ? `${side.direction} ended` : `${side.direction}: ${error.message}`
    // What this side sent before it ended still goes out; after an error nothing can be relied on.
    const other = this.#other(side)
    if (error === null) other?.wire.end()
    else other?.wire.destroy()
    if (this.#open > 0) return
    clearTimeout(this.#handshakeTimer)
    if (this.#memory !== null) endLink(this.#memory)
    this.#resolveClosed(this.#reason)
  }
}

function forwardAll(batch: FrameBatch, from: Side, to: Side): number {
  from.session.forward(batch, to.session)
  return batch.length
}

/** Of a memory budget, a payload larger than the frame's takes what is free at once. */
function replace(frame: Frame, payload: Uint8Array, from: Side, to: Side): void {
  try {
    to.session.send(headerOf(frame), payload)
  } catch (error) {
    const noRoom = error instanceof FramePoolError && error.code === 'ERR_MEMORY_LIMIT'
    if (!noRoom || !from.lane?.makeRoom(payload.length)) throw error
    to.session.send(headerOf(frame), payload)
  }
}

function headerOf(frame: Frame) {
  const { messageType, extensionType, channelMessage } = frame
  return { messageType, extensionType, channelMessage }
}
