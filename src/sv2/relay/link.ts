import { connect, type Socket } from 'node:net'
import { types } from 'node:util'
import type { Handle } from '../../native/handle.js'
import { endLink, joinLink } from '../../native/relay.js'
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

type Direction = 'upstream' | 'downstream'

/** With a memory budget, a connection's first read brings no more than the first message of a handshake, in bytes. */
const FIRST_READ = 64

const NOTHING = Buffer.alloc(0)

/** One end of a link. */
interface Side extends Party {
  readonly wire: SessionSocket
  forwarded: number
  head: Buffer
  /** Where its frames go, in a relay with a memory budget. */
  lane: RelayLane | null
}

/** One miner's connection and the one to the pool that belongs to it. */
export class RelayLink {
  /** Resolves when both connections are closed; never rejects. */
  readonly closed: Promise<Ending>
  readonly #options: RelayOptions
  readonly #miner: Side
  #pool: Side | null = null
  /** What it has of the relay's memory budget, if there is one. */
  readonly #memory: Handle | null
  readonly #timeouts: { handshakeTimeoutMs: number; idleTimeoutMs: number }
  /** Runs until the miner's first frame: what it sent before could be anybody's bytes. */
  #handshakeTimer!: NodeJS.Timeout
  /** Connections that are not closed. */
  #open = 1
  #ready = false
  /** The first thing that ended it, or will when all is through. */
  #ending: Ending | null = null
  /** What the pool has said last of why it will not go on. */
  #told: string | null = null
  #resolveClosed!: (ending: Ending) => void

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
    this.#timeouts = timeouts
    this.#miner = this.#wire(Sv2Session.responder(responderOptions(options)), socket, 'downstream')
    this.#startHandshakeTimer()
  }

  /** Whether it ended, as `ending` says, before both handshakes were done and the miner had shown that it knows the keys. */
  failedHandshake({ side, code }: Ending): boolean {
    if (!this.#ready) return true
    return side === 'downstream' && code !== 'IDLE_TIMEOUT' && this.#miner.session.stats().framesIn === 0
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
    this.#ending ??= RELAY_CLOSED
    if (this.#pool === null) {
      this.destroy(this.#ending)
      return
    }
    this.#miner.wire.ignore()
    this.#miner.lane?.stop()
    this.#pool.wire.end()
  }

  /** Closes both connections at once. */
  destroy(ending: Ending = RELAY_CLOSED): void {
    this.#ending ??= ending
    this.#miner.wire.destroy()
    this.#pool?.wire.destroy()
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

  /** Who waits for memory that others have is not idle. */
  #endWhenIdle({ socket, direction }: Side): void {
    const ms = this.#timeouts.idleTimeoutMs
    if (ms === 0) return
    socket.setTimeout(ms)
    // Not given to `setTimeout`, which would call it once.
    socket.on('timeout', () => {
      if (this.#miner.lane?.waiting || this.#pool?.lane?.waiting) socket.setTimeout(ms)
      else this.destroy({ side: direction, code: 'IDLE_TIMEOUT', reason: 'idle timeout', error: null })
    })
  }

  #startHandshakeTimer(): void {
    this.#handshakeTimer = setTimeout(() => this.#handshakeIsLate(), this.#timeouts.handshakeTimeoutMs)
  }

  #handshakeIsLate(): void {
    const [miner, pool] = [this.#miner, this.#pool]
    if (miner.lane?.waiting) {
      // A frame whose header has been authenticated waits for memory.
      this.#startHandshakeTimer()
      return
    }
    this.destroy(silence(this.#ready || pool === null ? miner : pool))
  }

  /** The miner's handshake is done, so the pool's begins; when that is done too, the miner's frames are read. */
  #secured(side: Side): void {
    if (side !== this.#miner) {
      this.#ready = true
      this.#miner.wire.resume()
      return
    }
    const spoken = isText(side.head) ? foreign(side, null) : null
    if (spoken !== null) {
      // Any 64 bytes will do as a handshake's first message, but these are nobody's key: no pool need hear of them.
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
    let pool: Side
    try {
      pool = this.#wire(Sv2Session.initiator(initiatorOptions(this.#options)), socket, 'upstream')
    } catch (error) {
      // Whatever it still says, nobody listens.
      socket.on('error', () => {}).destroy()
      throw error
    }
    this.#open++
    this.#pool = pool
    if (this.#memory === null) return
    const miner = this.#miner
    const failed = (from: Side) => (error: Error) => this.destroy(failure(from.direction, error))
    miner.lane = new RelayLane(this.#memory, 0, miner.wire, pool.wire, failed(miner))
    pool.lane = new RelayLane(this.#memory, 1, pool.wire, miner.wire, failed(pool))
  }

  #other(side: Side): Side | null {
    return side === this.#miner ? this.#pool : this.#miner
  }

  #forward(batch: FrameBatch, from: Side): void {
    const to = this.#other(from)
    if (to === null || !this.#ready) {
      // Nobody can know the keys before the handshake is done, so no such frame can be genuine.
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
      // What came before it goes out.
      to.wire.flush()
      this.destroy(error instanceof UserFault ? userFault(error.error) : failure(sideOf(error, from, to), error))
      return
    } finally {
      batch.release()
    }
    to.wire.flush()
    if (coreOf(to.session).over) from.wire.holdUntilDrained(coreOf(to.session))
  }

  /** A side has sent its first frame, which only one that knows the keys can do. */
  #heard(from: Side): void {
    from.head = NOTHING
    if (from === this.#miner) clearTimeout(this.#handshakeTimer)
  }

  #forwardAll(batch: FrameBatch, from: Side, to: Side): void {
    from.session.forward(batch, to.session)
    to.forwarded += batch.length
    if (from !== this.#pool) return
    const telling = lastFrameOf(batch, TELLING_TYPES)
    if (telling !== null) this.#told = toldBy(telling.messageType, telling.payload)
  }

  #filter(batch: FrameBatch, from: Side, to: Side, onFrame: NonNullable<RelayOptions['onFrame']>): void {
    // What it calls may receive into the pool that the batch lies in.
    batch.retain()
    for (const frame of batch) {
      const verdict = verdictOf(onFrame, frame, to.direction)
      if (verdict === 'drop') continue
      if (verdict === 'forward') from.session.forward(frame, to.session)
      else replace(frame, verdict, from, to)
      to.forwarded++
      const telling = from === this.#pool && TELLING_TYPES[frame.messageType] === 1 && frame.extensionType === 0
      if (telling) this.#told = toldBy(frame.messageType, verdict === 'forward' ? frame.payload : verdict)
    }
  }

  /** One direction is over: what came before it goes out, then the other side hears of it. */
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
    this.#miner.lane?.stop()
    this.#pool?.lane?.stop()
    this.#ending ??= departure(side, error)
    // What this side sent before it ended still goes out; after an error nothing can be relied on.
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

/** What `onFrame` wants done with a frame. */
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

/** A rejection of a promise that nobody wants would end the process. */
function ignoreRejection(promise: Promise<unknown>): void {
  try {
    Promise.prototype.then.call(promise, undefined, () => {})
  } catch {
    // The promise's own constructor throws: then it is on its own.
  }
}

/** Carries what `onFrame` has done wrong out of the loop over its frames. */
class UserFault extends Error {
  readonly error: Error

  constructor(error: Error) {
    super()
    this.error = error
  }
}

/** Of a memory budget, a payload larger than the frame's takes what is free at once. */
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

/** Whose fault it is that frames of `from` could not be passed on to `to`. */
function sideOf(error: unknown, from: Side, to: Side): Ending['side'] {
  if (error === to.session.error) return to.direction
  return error instanceof FramePoolError && error.code === 'ERR_MEMORY_LIMIT' ? from.direction : 'relay'
}
