import { types } from 'node:util'
import type { Handle } from '../../native/handle.js'
import {
  closeLink,
  type Direction,
  endHanded,
  forwardHanded,
  replaceHanded,
  sendOnLink,
  watchOutput,
} from '../../native/relay.js'
import { nativeBytesArgument } from '../../support/arguments.js'
import { lengthOf } from '../../support/bytes.js'
import { FramePoolError, invalidArgType, outOfRange } from '../../support/errors.js'
import { isThenable, threw } from '../../support/thrown.js'
import { wireExtension } from '../messages/frame-type.js'
import { MAX_PAYLOAD } from '../messages/read.js'
import type { Tlv } from '../messages/tlv.js'
import { encoded, isSendable, type SendableMessage } from '../session/encoded.js'
import { type Frame, type FrameBatch, findFrame } from '../session/frame-batch.js'
import type { Ending } from './disconnection.js'
import { userClose, userFault } from './endings.js'
import { handleOf, type LinkControl, type RelayLinkHandle } from './link-handle.js'
import type { Verdict } from './options.js'

/** Bytes that may be sent at once in one direction before `send()` returns false. */
const MUCH = 1 << 16

/** The parts that the links of one relay share. */
export interface LinkHost {
  readonly relay: Handle
  /** Messages whose frames go to `onFrame`, as `frameKey()` numbers them. Null: all. */
  readonly hooked: ReadonlySet<number> | null
  readonly onFrame: (frame: Frame, direction: Direction, link: RelayLinkHandle) => unknown
  /** Number of the present turn. Commands of earlier turns have gone to the engine. */
  readonly turn: number
  /** Notes why user code ends a link. */
  endBy(id: number, ending: Ending): void
  /** Sends the commands to the engine, at the end of this turn at the latest. */
  flushSoon(): void
}

/** The bytes that user code has sent in one direction. */
interface Sent {
  turn: number
  bytes: number
  /** Whether `send()` returns false, until the engine tells that the output has drained. */
  full: boolean
}

/** Frames that `onFrame` decides about. Those that it forwards are forwarded together. */
interface Course {
  readonly batch: FrameBatch
  readonly direction: Direction
  /** The first frame to be forwarded that the engine has not been told of. */
  from: number
  /** Index after the last of these frames. */
  to: number
}

/** A link whose frames go to `onFrame`. */
export class HookedLink implements LinkControl {
  readonly #host: LinkHost
  readonly #id: number
  readonly #handle: RelayLinkHandle
  readonly #sent: Record<Direction, Sent> = {
    upstream: { turn: 0, bytes: 0, full: false },
    downstream: { turn: 0, bytes: 0, full: false },
  }
  readonly #courses: Record<Direction, Course | null> = { upstream: null, downstream: null }
  /** Whether no frame goes to `onFrame` any more. */
  #stopped = false

  constructor(host: LinkHost, id: number, remoteAddress: string, remotePort: number) {
    this.#host = host
    this.#id = id
    this.#handle = handleOf(this, id, remoteAddress, remotePort)
  }

  /** Decides about the frames of a batch from `first` on, and releases it. */
  decide(batch: FrameBatch, direction: Direction, first: number): void {
    const course = { batch, direction, from: first, to: first }
    this.#courses[direction] = course
    this.#goOn(course, first)
  }

  /** Notes that all bytes that were sent in a direction have gone out. */
  drained(direction: Direction): void {
    this.#sent[direction].full = false
    this.#sent[direction].bytes = 0
  }

  /** Notes that the link is over, and releases its batches. */
  ended(): void {
    this.#stopped = true
    for (const direction of ['upstream', 'downstream'] as const) {
      this.#courses[direction]?.batch.release()
      this.#courses[direction] = null
    }
  }

  send(
    direction: Direction,
    message: SendableMessage<object>,
    fields: object,
    tlvs: readonly Tlv[] | undefined,
  ): boolean {
    if (!isSendable(message)) throw invalidArgType('message must be a message of framepool/sv2/messages')
    const payload = encoded(message, fields, tlvs)
    if (this.#stopped) throw new FramePoolError('ERR_SV2_STATE', 'the link is not open')
    for (const course of Object.values(this.#courses)) if (course !== null) this.#forward(course)
    const { extensionType, messageType, channelMessage } = message
    const extension = wireExtension(extensionType, channelMessage)
    sendOnLink(this.#host.relay, this.#id, direction, extension, messageType, payload)
    this.#host.flushSoon()
    return this.#hasRoom(direction, lengthOf(payload))
  }

  close(reason = 'closed by user code'): void {
    if (this.#stopped) return
    for (const course of Object.values(this.#courses)) if (course !== null) this.#forward(course)
    this.#stopped = true
    this.#host.endBy(this.#id, userClose(reason))
    closeLink(this.#host.relay, this.#id)
    this.#host.flushSoon()
  }

  /** Counts what is sent. Returns false if it is much for one turn. */
  #hasRoom(direction: Direction, bytes: number): boolean {
    const sent = this.#sent[direction]
    if (!sent.full && sent.turn !== this.#host.turn) {
      sent.turn = this.#host.turn
      sent.bytes = 0
    }
    sent.bytes += bytes
    if (!sent.full && sent.bytes >= MUCH) {
      sent.full = true
      watchOutput(this.#host.relay, this.#id, direction)
    }
    return !sent.full
  }

  /** Asks about the frames from `start` on, until a verdict is pending or all are decided about. */
  #goOn(course: Course, start: number): void {
    const { batch, direction } = course
    const { hooked } = this.#host
    try {
      for (let index = start; !this.#stopped; index++) {
        const next = hooked === null ? index : findFrame(batch, index, hooked)
        if (next > index) this.#pass(course, index, next)
        index = next
        const frame = batch.at(index)
        if (frame === undefined) break
        const verdict = this.#ask(frame, direction)
        if (!isVerdict(verdict)) {
          this.#forward(course)
          this.#settle(verdict, course, index)
          return
        }
        if (!this.#stopped) this.#apply(verdict, course, index)
      }
    } catch (error) {
      this.#fail(error, course)
    }
    this.#finish(course)
  }

  /** Returns the verdict of `onFrame` on a frame, or the promise of it. */
  #ask(frame: Frame, direction: Direction): Verdict | PromiseLike<unknown> {
    let verdict: unknown
    try {
      verdict = this.#host.onFrame(frame, direction, this.#handle)
      if (isVerdict(verdict) || isThenable(verdict)) return verdict
    } catch (thrown) {
      throw threw('onFrame', thrown)
    }
    throw noVerdict()
  }

  #apply(verdict: Verdict, course: Course, index: number): void {
    if (verdict === 'forward') {
      this.#pass(course, index, index + 1)
    } else if (verdict !== 'drop') {
      this.#forward(course)
      const payload = nativeBytesArgument(verdict, 'the payload that onFrame returned')
      // Native code would take this for a fault of the connection, and drop the frames before it.
      const length = lengthOf(payload)
      if (length > MAX_PAYLOAD) {
        throw outOfRange(`a payload of ${length} bytes does not fit into a frame; onFrame returned it`)
      }
      replaceHanded(this.#host.relay, this.#id, course.direction, index, payload)
    }
  }

  /** Goes on when `verdict` is settled. */
  async #settle(verdict: PromiseLike<unknown>, course: Course, index: number): Promise<void> {
    try {
      const settled = await settledVerdict(verdict)
      if (!this.#stopped) this.#apply(settled, course, index)
    } catch (error) {
      if (!this.#stopped) this.#fail(error, course)
    }
    if (this.#stopped) this.#finish(course)
    else this.#goOn(course, index + 1)
    this.#host.flushSoon()
  }

  /** Notes frames to be forwarded, together with those before them. */
  #pass(course: Course, from: number, to: number): void {
    if (course.to !== from) this.#forward(course)
    if (course.from === course.to) course.from = from
    course.to = to
  }

  /** Tells the engine of the frames to be forwarded. */
  #forward(course: Course): void {
    const { direction, from, to } = course
    if (to > from) forwardHanded(this.#host.relay, this.#id, direction, from, to - from)
    course.from = to
  }

  #fail(error: unknown, course: Course): void {
    // Frames that came before it go out.
    this.#forward(course)
    this.#stopped = true
    this.#host.endBy(this.#id, userFault(error as Error))
    closeLink(this.#host.relay, this.#id)
  }

  #finish(course: Course): void {
    course.batch.release()
    if (this.#courses[course.direction] !== course) return
    this.#courses[course.direction] = null
    const { direction, from, to } = course
    endHanded(this.#host.relay, this.#id, direction, from, to - from)
  }
}

function isVerdict(verdict: unknown): verdict is Verdict {
  return verdict === 'forward' || verdict === 'drop' || types.isUint8Array(verdict)
}

/** Returns the verdict that a promise of `onFrame` resolves with. */
async function settledVerdict(promise: PromiseLike<unknown>): Promise<Verdict> {
  let verdict: unknown
  try {
    verdict = await promise
  } catch (thrown) {
    throw threw('onFrame', thrown)
  }
  if (isVerdict(verdict)) return verdict
  throw noVerdict()
}

function noVerdict(): Error {
  return invalidArgType("onFrame must return 'forward', 'drop' or a Uint8Array, or a promise of it")
}
