import { connect, type Socket } from 'node:net'
import { types } from 'node:util'
import type { Handle } from '../../native/handle.js'
import { type Direction, endLink, joinLink } from '../../native/relay.js'
import { lengthOf } from '../../support/arguments.js'
import { FramePoolError, invalidArgType } from '../../support/errors.js'
import { errorText, threw } from '../../support/thrown.js'
import { clearTimeout, setTimeout } from '../../support/timers.js'
import type { Tlv } from '../messages/tlv.js'
import type { SendableMessage } from '../session/encoded.js'
import type { Frame, FrameBatch } from '../session/frame-batch.js'
import { findFrame, lastFrameOf, placeOf } from '../session/frame-batch.js'
import { coreOf, Sv2Session } from '../session/session.js'
import { SessionSocket } from '../session/socket.js'
import type { Ending } from './disconnection.js'
import { departure, failure, foreign, type Party, RELAY_CLOSED, silence, userFault } from './endings.js'
import { HEAD, isText } from './foreign-protocol.js'
import { RelayLane } from './lane.js'
import { handleOf, type RelayLinkHandle } from './link-handle.js'
import { hookedFrames, initiatorOptions, type RelayOptions, responderOptions, type Verdict } from './options.js'
import { TELLING_TYPES, toldBy } from './telling-message.js'

/** With a memory budget, the most that a connection's first read brings, in bytes: the first message of a handshake. */
const FIRST_READ = 64

const NOTHING = Buffer.alloc(0)

/** What a side begins as. */
const FREE = { waiting: null, ending: false, congested: false }

/** How long a link that user code closes may take to send what it has, in milliseconds. */
const CLOSING_MS = 5_000

/** One end of a link. */
interface Side extends Party {
  readonly wire: SessionSocket
  /** Frames that were passed on to this end. */
  forwarded: number
  head: Buffer
  /** The way of its frames, in a relay with a memory budget. */
  lane: RelayLane | null
  /** The batch with a frame whose verdict is pending, and those behind it; null while none is. */
  waiting: FrameBatch[] | null
  /** The other side ends once the verdict is there. */
  ending: boolean
  /** Nothing is read of the link until its output has drained. */
  congested: boolean
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
  readonly #handle: RelayLinkHandle
  readonly #hooked: ReadonlySet<number> | null
  #closing: NodeJS.Timeout | undefined
  /** No frame goes to `onFrame` any more. */
  #stopped = false

  /** Wires the miner's socket. The link gives `memory` back when it is over. */
  constructor(
    id: number,
    socket: Socket,
    options: RelayOptions,
    timeouts: { handshakeTimeoutMs: number; idleTimeoutMs: number },
    memory: Handle | null,
  ) {
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    this.#options = options
    this.#handle = handleOf(this, id, socket.remoteAddress ?? '', socket.remotePort ?? 0)
    this.#hooked = hookedFrames(options)
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
    this.#endOther(this.#downstream)
  }

  /** Closes both connections when what is in their outputs has gone out. */
  close(reason = 'closed by user code'): void {
    this.#ending ??= { side: 'relay', code: 'LINK_CLOSED', reason: errorText({ message: reason }), error: null }
    const upstream = this.#upstream
    if (upstream === null || !this.#ready) {
      this.destroy()
      return
    }
    if (this.#stopped) return
    this.#stopped = true
    this.#closing = setTimeout(() => this.destroy(), CLOSING_MS)
    for (const { wire, lane } of [this.#downstream, upstream]) {
      wire.ignore()
      lane?.stop()
      wire.end()
    }
  }

  /** Sends a message of the user's own. */
  send(
    direction: Direction,
    message: SendableMessage<object>,
    fields: object,
    tlvs: readonly Tlv[] | undefined,
  ): boolean {
    const to = direction === 'upstream' ? this.#upstream : this.#downstream
    const from = to && this.#other(to)
    if (!to || !from || !this.#ready || this.#stopped) {
      throw new FramePoolError('ERR_SV2_STATE', 'the link is not open')
    }
    const sent = withRoom(
      from,
      () => message.byteLength(fields, tlvs),
      () => to.session.send(message, fields, tlvs),
    )
    to.wire.flush()
    if (!sent) this.#decongest(to, from)
    return sent
  }

  /** Reads nothing until `to` has drained: what user code sends may answer either side. */
  #decongest(to: Side, from: Side): void {
    if (to.congested) return
    to.congested = true
    for (const { wire } of [to, from]) wire.hold()
    const resume = (): void => {
      to.congested = false
      for (const { wire } of [to, from]) wire.resume()
    }
    coreOf(to.session).drained().then(resume, resume)
  }

  /** Closes both connections at once. */
  destroy(ending: Ending = RELAY_CLOSED): void {
    this.#ending ??= ending
    this.#stopped = true
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
      onRead: () => {
        // What waits for a verdict is not in the output yet.
        if (side.waiting === null) side.lane?.review()
      },
      onEnd: () => this.#ended(side),
      onClose: (error: Error | null) => this.#sideClosed(side, error),
    }
    const core = coreOf(session)
    let side: Side
    try {
      if (this.#memory !== null) joinLink(this.#memory, core.handle)
      const wire = new SessionSocket(core, socket, events, this.#memory === null ? undefined : FIRST_READ)
      side = { session, wire, socket, direction, forwarded: 0, head: NOTHING, lane: null, ...FREE }
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
    if (this.#options.onFrame) {
      // What it calls may receive into the pool that the batch lies in.
      batch.retain()
      if (from.waiting === null) this.#filter(batch, 0, from, to)
      else from.waiting.push(batch)
      return
    }
    try {
      this.#forwardAll(batch, from, to)
    } catch (error) {
      this.#failed(error, from, to)
      return
    } finally {
      batch.release()
    }
    this.#forwarded(from, to)
  }

  /** Frames are in the output. */
  #forwarded(from: Side, to: Side): void {
    to.wire.flush()
    if (coreOf(to.session).over) from.wire.holdUntilDrained(coreOf(to.session))
  }

  #failed(error: unknown, from: Side, to: Side): void {
    // What came before it goes out.
    to.wire.flush()
    this.destroy(error instanceof UserFault ? userFault(error.error) : failure(sideOf(error, from, to), error))
  }

  /** A side has sent its first frame, which only one that knows the keys can do. */
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

  /** Deals with the frames of a batch from `start` on, and releases it. Returns false if a verdict is pending. */
  #filter(batch: FrameBatch, start: number, from: Side, to: Side): boolean {
    try {
      for (let index = start; index < batch.length && !this.#stopped; index++) {
        index = this.#forwardUnhooked(batch, index, from, to)
        const frame = batch.at(index)
        if (frame === undefined) break
        const verdict = this.#ask(frame, to.direction)
        if (isVerdict(verdict)) {
          this.#apply(frame, verdict, from, to)
        } else {
          this.#wait(verdict, batch, index, from, to)
          return false
        }
      }
    } catch (error) {
      batch.release()
      this.#failed(error, from, to)
      return true
    }
    batch.release()
    this.#forwarded(from, to)
    return true
  }

  /** Forwards the frames from `start` on up to the next that goes to `onFrame`, and returns where that is. */
  #forwardUnhooked(batch: FrameBatch, start: number, from: Side, to: Side): number {
    if (this.#hooked === null) return start
    const next = findFrame(batch, start, this.#hooked)
    if (next === start) return next
    coreOf(to.session).forward(placeOf(batch)!.place, start, next - start)
    to.forwarded += next - start
    for (let index = start; index < next && from === this.#upstream; index++) this.#hear(batch.at(index)!)
    return next
  }

  /** What `onFrame` wants done with a frame, or the promise of it. */
  #ask(frame: Frame, direction: Direction): Verdict | PromiseLike<unknown> {
    let verdict: unknown
    try {
      verdict = this.#options.onFrame?.(frame, direction, this.#handle)
      if (isVerdict(verdict) || isThenable(verdict)) return verdict
    } catch (thrown) {
      throw new UserFault(threw('onFrame', thrown))
    }
    throw noVerdict()
  }

  #apply(frame: Frame, verdict: Verdict, from: Side, to: Side): void {
    if (verdict === 'drop') return
    if (verdict === 'forward') {
      from.session.forward(frame, to.session)
    } else {
      // A payload larger than the frame's takes memory of a budget only if that is free at once.
      withRoom(
        from,
        () => lengthOf(verdict),
        () => to.session.send(headerOf(frame), verdict),
      )
    }
    to.forwarded++
    if (from === this.#upstream) this.#hear(frame, verdict === 'forward' ? undefined : verdict)
  }

  /** Notes what the mining pool says of why it will not go on. */
  #hear(frame: Frame, payload?: Uint8Array): void {
    const telling = TELLING_TYPES[frame.messageType] === 1 && frame.extensionType === 0
    if (telling) this.#told = toldBy(frame.messageType, payload ?? frame.payload)
  }

  /** Reads nothing more of that direction until the verdict is there. */
  #wait(verdict: PromiseLike<unknown>, batch: FrameBatch, index: number, from: Side, to: Side): void {
    if (from.waiting === null) {
      from.waiting = [batch]
      from.wire.hold()
    }
    // What came before it goes out.
    to.wire.flush()
    this.#settle(verdict, batch, index, from, to)
  }

  /** Goes on when the verdict is there, with the frames and the batches behind. */
  async #settle(verdict: PromiseLike<unknown>, batch: FrameBatch, index: number, from: Side, to: Side): Promise<void> {
    try {
      const settled = await settledVerdict(verdict)
      // The link may be over, and with it its batches; or it is about to be.
      if (this.#open > 0 && !this.#stopped) this.#apply(batch.at(index)!, settled, from, to)
    } catch (error) {
      if (this.#open > 0) this.#failed(error, from, to)
    }
    if (this.#open === 0) return
    const waiting = from.waiting as FrameBatch[]
    for (let next = index + 1; waiting.length > 0; next = 0) {
      if (!this.#filter(waiting[0]!, next, from, to)) return
      waiting.shift()
    }
    from.waiting = null
    if (from.ending) to.wire.end()
    from.lane?.review()
    from.wire.resume()
  }

  /** What `side` has sent goes out, then the other side's connection ends. */
  #endOther(side: Side): void {
    if (side.waiting !== null) side.ending = true
    else this.#other(side)?.wire.end()
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
    this.#endOther(side)
  }

  #sideClosed(side: Side, error: Error | null): void {
    this.#open--
    this.#downstream.lane?.stop()
    this.#upstream?.lane?.stop()
    this.#ending ??= departure(side, error)
    // Frames that this side sent before it ended still go out. After an error nothing is certain.
    const other = this.#other(side)
    if (error === null) this.#endOther(side)
    else other?.wire.destroy()
    if (this.#open > 0) return
    clearTimeout(this.#handshakeTimer)
    clearTimeout(this.#closing)
    for (const { waiting } of [this.#downstream, this.#upstream ?? this.#downstream])
      for (const batch of waiting ?? []) batch.release()
    if (this.#memory !== null) endLink(this.#memory)
    const { reason } = this.#ending
    this.#resolveClosed(
      this.#told === null ? this.#ending : { ...this.#ending, reason: `${reason}; the pool had sent ${this.#told}` },
    )
  }
}

function isVerdict(verdict: unknown): verdict is Verdict {
  return verdict === 'forward' || verdict === 'drop' || types.isUint8Array(verdict)
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  // A Proxy answers to everything.
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return false
  return types.isPromise(value) || typeof (value as { then?: unknown }).then === 'function'
}

/** What a promise that `onFrame` has returned comes to. */
async function settledVerdict(promise: PromiseLike<unknown>): Promise<Verdict> {
  let verdict: unknown
  try {
    verdict = await promise
  } catch (thrown) {
    throw new UserFault(threw('onFrame', thrown))
  }
  if (isVerdict(verdict)) return verdict
  throw noVerdict()
}

function noVerdict(): UserFault {
  return new UserFault(invalidArgType("onFrame must return 'forward', 'drop' or a Uint8Array, or a promise of it"))
}

/** Carries an error of `onFrame` out of the loop over the frames. */
class UserFault extends Error {
  readonly error: Error

  constructor(error: Error) {
    super()
    this.error = error
  }
}

/** Sends what is none of `from`'s frames: in a relay with a memory budget it takes what is free at once. */
function withRoom(from: Side, payload: () => number, send: () => boolean): boolean {
  try {
    return send()
  } catch (error) {
    const noRoom = error instanceof FramePoolError && error.code === 'ERR_MEMORY_LIMIT'
    if (!noRoom || !from.lane?.makeRoom(payload())) throw error
    return send()
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
