import { connect, type Socket } from 'node:net'
import { types } from 'node:util'
import type { Handle } from '../../native/handle.js'
import { type Direction, endLink, joinLink } from '../../native/relay.js'
import { lengthOf } from '../../support/arguments.js'
import { FramePoolError, invalidArgType } from '../../support/errors.js'
import { threw } from '../../support/thrown.js'
import { clearTimeout, setTimeout } from '../../support/timers.js'
import type { Frame, FrameBatch } from '../session/frame-batch.js'
import { lastFrameOf } from '../session/frame-batch.js'
import { coreOf, Sv2Session } from '../session/session.js'
import { SessionSocket } from '../session/socket.js'
import type { Ending } from './disconnection.js'
import { departure, failure, foreign, type Party, RELAY_CLOSED, silence, userFault } from './endings.js'
import { HEAD, isText } from './foreign-protocol.js'
import { RelayLane } from './lane.js'
import { initiatorOptions, type RelayOptions, responderOptions } from './options.js'
import { TELLING_TYPES, toldBy } from './telling-message.js'

/** With a memory budget, the most that a connection's first read brings, in bytes: the first message of a handshake. */
const FIRST_READ = 64

const NOTHING = Buffer.alloc(0)

/** One end of a link. */
interface Side extends Party {
  readonly wire: SessionSocket
  /** Frames that were passed on to this end. */
  forwarded: number
  head: Buffer
  /** The way of its frames, in a relay with a memory budget. */
  lane: RelayLane | null
}

/** A miner's connection, and the connection to the mining pool that belongs to it. */
export class RelayLink {
  /** Resolves when both connections are closed. Never rejects. */
  readonly closed: Promise<Ending>
  readonly #options: RelayOptions
  readonly #downstream: Side
  #upstream: Side | null = null
  /** The link's share of the relay's memory budget, if there is one. */
  readonly #memory: Handle | null
  readonly #timeouts: { handshakeTimeoutMs: number; idleTimeoutMs: number }
  /** Runs until the miner's first frame. The bytes before it could have come from any client. */
  #handshakeTimer!: NodeJS.Timeout
  /** Number of connections that are not closed. */
  #open = 1
  #ready = false
  /** The first reason for which the link ended, or will end when everything is passed on. */
  #ending: Ending | null = null
  /** The mining pool's last message that it will not go on, in words. */
  #told: string | null = null
  #resolveClosed!: (ending: Ending) => void

  /** Wires the miner's socket. The link gives `memory` back when it is over. */
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
    this.#timeouts = timeouts
    this.#downstream = this.#wire(Sv2Session.responder(responderOptions(options)), socket, 'downstream')
    this.#startHandshakeTimer()
  }

  /** Returns whether the link ended before both handshakes were done, or before the miner had shown that it knows the keys. */
  failedHandshake({ side, code }: Ending): boolean {
    if (!this.#ready) return true
    return side === 'downstream' && code !== 'IDLE_TIMEOUT' && this.#downstream.session.stats().framesIn === 0
  }

  /** Returns the link's figures. Wire bytes of handshakes count as bytes, not as frames. */
  stats() {
    const downstream = this.#downstream.session.stats()
    const upstream = this.#upstream?.session.stats()
    return {
      framesUpstream: this.#upstream?.forwarded ?? 0,
      framesDownstream: this.#downstream.forwarded,
      bytesUpstream: upstream?.bytesOut ?? 0,
      bytesDownstream: downstream.bytesOut,
      heapFallbacks: downstream.heapFallbacks + (upstream?.heapFallbacks ?? 0),
      memoryBytes: downstream.memoryBytes + (upstream?.memoryBytes ?? 0),
    }
  }

  /** Reads nothing more from the miner. Frames that were read, and the answers of the mining pool, still go through. */
  drain(): void {
    this.#ending ??= RELAY_CLOSED
    if (this.#upstream === null) {
      this.destroy(this.#ending)
      return
    }
    this.#downstream.wire.ignore()
    this.#downstream.lane?.stop()
    this.#upstream.wire.end()
  }

  /** Closes both connections at once. */
  destroy(ending: Ending = RELAY_CLOSED): void {
    this.#ending ??= ending
    this.#downstream.wire.destroy()
    this.#upstream?.wire.destroy()
  }

  #wire(session: Sv2Session, socket: Socket, direction: Direction): Side {
    const events = {
      onHandshake: (chunk: Uint8Array) => {
        if (side.head.length < HEAD) side.head = Buffer.concat([side.head, chunk.subarray(0, HEAD - side.head.length)])
      },
      onTransport: () => this.#secured(side),
      onBatch: (batch: FrameBatch) => this.#forward(batch, side),
      onRead: () => side.lane?.review(),
      onEnd: () => this.#ended(side),
      onClose: (error: Error | null) => this.#sideClosed(side, error),
    }
    const core = coreOf(session)
    let side: Side
    try {
      if (this.#memory !== null) joinLink(this.#memory, core.handle)
      const wire = new SessionSocket(core, socket, events, this.#memory === null ? undefined : FIRST_READ)
      side = { session, wire, socket, direction, forwarded: 0, head: NOTHING, lane: null }
    } catch (error) {
      session.close()
      throw error
    }
    this.#endWhenIdle(side)
    return side
  }

  /** Ends the link when a connection is idle. While a frame waits for memory, no connection is. */
  #endWhenIdle({ socket, direction }: Side): void {
    const ms = this.#timeouts.idleTimeoutMs
    if (ms === 0) return
    socket.setTimeout(ms)
    // A callback given to `setTimeout()` would be called once only.
    socket.on('timeout', () => {
      if (this.#downstream.lane?.waiting || this.#upstream?.lane?.waiting) socket.setTimeout(ms)
      else this.destroy({ side: direction, code: 'IDLE_TIMEOUT', reason: 'idle timeout', error: null })
    })
  }

  #startHandshakeTimer(): void {
    this.#handshakeTimer = setTimeout(() => this.#handshakeIsLate(), this.#timeouts.handshakeTimeoutMs)
  }

  #handshakeIsLate(): void {
    const [downstream, upstream] = [this.#downstream, this.#upstream]
    if (downstream.lane?.waiting) {
      // A frame whose header has been authenticated waits for memory.
      this.#startHandshakeTimer()
      return
    }
    this.destroy(silence(this.#ready || upstream === null ? downstream : upstream))
  }

  /** Begins the upstream handshake when the miner's is done. When that is done too, the miner's frames are read. */
  #secured(side: Side): void {
    if (side !== this.#downstream) {
      this.#ready = true
      this.#downstream.wire.resume()
      return
    }
    const spoken = isText(side.head) ? foreign(side, null) : null
    if (spoken !== null) {
      // A handshake accepts any 64 bytes as its first message, but text is no key: the mining pool need not hear of it.
      this.destroy(spoken)
      return
    }
    side.wire.hold()
    try {
      this.#connectUpstream()
    } catch (error) {
      this.destroy(failure('relay', error))
    }
  }

  #connectUpstream(): void {
    const { host, port } = this.#options.upstream
    const socket = connect({ host, port })
    let upstream: Side
    try {
      upstream = this.#wire(Sv2Session.initiator(initiatorOptions(this.#options)), socket, 'upstream')
    } catch (error) {
      // Errors of an unused socket must not be uncaught.
      socket.on('error', () => {}).destroy()
      throw error
    }
    this.#open++
    this.#upstream = upstream
    if (this.#memory === null) return
    const downstream = this.#downstream
    const failed = (from: Side) => (error: Error) => this.destroy(failure(from.direction, error))
    downstream.lane = new RelayLane(this.#memory, 'upstream', downstream.wire, upstream.wire, failed(downstream))
    upstream.lane = new RelayLane(this.#memory, 'downstream', upstream.wire, downstream.wire, failed(upstream))
  }

  #other(side: Side): Side | null {
    return side === this.#downstream ? this.#upstream : this.#downstream
  }

  #forward(batch: FrameBatch, from: Side): void {
    const to = this.#other(from)
    if (to === null || !this.#ready) {
      // No such frame can be genuine: before the handshake is done, no one knows the keys.
      batch.release()
      const reason = `${from.direction}: frames before the upstream handshake was done`
      this.destroy({ side: from.direction, code: 'ERR_SV2_STATE', reason, error: null })
      return
    }
    if (from.head.length > 0) this.#heard(from)
    try {
      if (this.#options.onFrame) this.#filter(batch, from, to, this.#options.onFrame)
      else this.#forwardAll(batch, from, to)
    } catch (error) {
      // The frames before the failure still go out.
      to.wire.flush()
      this.destroy(error instanceof UserFault ? userFault(error.error) : failure(sideOf(error, from, to), error))
      return
    } finally {
      batch.release()
    }
    to.wire.flush()
    if (coreOf(to.session).over) from.wire.holdUntilDrained(coreOf(to.session))
  }

  /** Notes that a side has sent its first frame, and so knows the keys. */
  #heard(from: Side): void {
    from.head = NOTHING
    if (from === this.#downstream) clearTimeout(this.#handshakeTimer)
  }

  #forwardAll(batch: FrameBatch, from: Side, to: Side): void {
    from.session.forward(batch, to.session)
    to.forwarded += batch.length
    if (from !== this.#upstream) return
    const telling = lastFrameOf(batch, TELLING_TYPES)
    if (telling !== null) this.#told = toldBy(telling.messageType, telling.payload)
  }

  #filter(batch: FrameBatch, from: Side, to: Side, onFrame: NonNullable<RelayOptions['onFrame']>): void {
    // `onFrame` may have another session receive into the slot pool that the batch lies in.
    batch.retain()
    for (const frame of batch) {
      const verdict = verdictOf(onFrame, frame, to.direction)
      if (verdict === 'drop') continue
      if (verdict === 'forward') from.session.forward(frame, to.session)
      else replace(frame, verdict, from, to)
      to.forwarded++
      const telling = from === this.#upstream && TELLING_TYPES[frame.messageType] === 1 && frame.extensionType === 0
      if (telling) this.#told = toldBy(frame.messageType, verdict === 'forward' ? frame.payload : verdict)
    }
  }

  /** Ends the other side once everything from `side`, which has ended, has gone out. */
  #ended(side: Side): void {
    const other = this.#other(side)
    const ending = departure(side, null)
    if (other === null || !this.#ready) {
      this.destroy(ending)
      return
    }
    this.#ending ??= ending
    other.wire.end()
  }

  #sideClosed(side: Side, error: Error | null): void {
    this.#open--
    this.#downstream.lane?.stop()
    this.#upstream?.lane?.stop()
    this.#ending ??= departure(side, error)
    // Frames that this side sent before it ended still go out. After an error nothing is certain.
    const other = this.#other(side)
    if (error === null) other?.wire.end()
    else other?.wire.destroy()
    if (this.#open > 0) return
    clearTimeout(this.#handshakeTimer)
    if (this.#memory !== null) endLink(this.#memory)
    const { reason } = this.#ending
    this.#resolveClosed(
      this.#told === null ? this.#ending : { ...this.#ending, reason: `${reason}; the pool had sent ${this.#told}` },
    )
  }
}

/** Asks `onFrame` what is to be done with a frame. */
function verdictOf(
  onFrame: NonNullable<RelayOptions['onFrame']>,
  frame: Frame,
  direction: Direction,
): 'forward' | 'drop' | Uint8Array {
  let verdict: unknown
  try {
    verdict = onFrame(frame, direction)
  } catch (thrown) {
    throw new UserFault(threw('onFrame', thrown))
  }
  if (verdict === 'forward' || verdict === 'drop' || types.isUint8Array(verdict)) return verdict
  if (types.isPromise(verdict)) ignoreRejection(verdict)
  throw new UserFault(invalidArgType("onFrame must return 'forward', 'drop' or a Uint8Array, and no promise"))
}

/** Ignores a rejection of `promise`, which would end the process. */
function ignoreRejection(promise: Promise<unknown>): void {
  try {
    Promise.prototype.then.call(promise, undefined, () => {})
  } catch {
    // The promise's own constructor throws, and nothing more can be done.
  }
}

/** Carries an error of `onFrame` out of the loop over the frames. */
class UserFault extends Error {
  readonly error: Error

  constructor(error: Error) {
    super()
    this.error = error
  }
}

/** Sends `payload` in place of a frame's. A payload larger than the frame's needs memory that is free at once. */
function replace(frame: Frame, payload: Uint8Array, from: Side, to: Side): void {
  try {
    to.session.send(headerOf(frame), payload)
  } catch (error) {
    const noRoom = error instanceof FramePoolError && error.code === 'ERR_MEMORY_LIMIT'
    if (!noRoom || !from.lane?.makeRoom(lengthOf(payload))) throw error
    to.session.send(headerOf(frame), payload)
  }
}

function headerOf(frame: Frame) {
  const { messageType, extensionType, channelMessage } = frame
  return { messageType, extensionType, channelMessage }
}

/** Returns the side at fault when frames of `from` could not be passed on to `to`. */
function sideOf(error: unknown, from: Side, to: Side): Ending['side'] {
  if (error === to.session.error) return to.direction
  return error instanceof FramePoolError && error.code === 'ERR_MEMORY_LIMIT' ? from.direction : 'relay'
}
