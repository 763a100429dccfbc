import type { Socket } from 'node:net'
import { types } from 'node:util'
import type { Direction } from '../../native/relay.js'
import { FramePoolError } from '../../support/errors.js'
import { errorText } from '../../support/thrown.js'
import { coreOf, type Sv2Session } from '../session/session.js'
import type { DisconnectSide, Ending } from './disconnection.js'
import { foreignProtocol } from './foreign-protocol.js'

/** The facts about one end of a link that tell how the link ended. */
export interface Party {
  readonly session: Sv2Session
  readonly socket: Socket
  readonly direction: Direction
  /** The first bytes that came from it. Empty once it has sent a frame. */
  readonly head: Uint8Array
}

/** Length of each end's first message in its handshake, in bytes. */
const FIRST_MESSAGE = { downstream: 64, upstream: 234 } as const

/** Length of a frame's sealed header, in bytes. A frame that is shorter so far does not prove that its sender knows the keys. */
const SEALED_HEADER = 22

/** A likely reason for which a miner leaves, or says nothing, once the relay has answered its handshake. */
const HINT = "it may have refused the relay's certificate: check the authority public key that it has, and its clock"

export const RELAY_CLOSED: Ending = { side: 'relay', code: 'RELAY_CLOSED', reason: 'the relay was closed', error: null }

/** Describes a link that `error` broke. */
export function failure(side: DisconnectSide, error: unknown): Ending {
  // The error's own code must not run.
  const known = types.isNativeError(error) ? error : new Error(errorText(error), { cause: error })
  const code: unknown = Object.getOwnPropertyDescriptor(known, 'code')?.value
  const where = side === 'relay' ? '' : `${side}: `
  const limit = known instanceof FramePoolError ? limitOf(known) : ''
  return {
    side,
    code: typeof code === 'string' ? code : 'ERR_INTERNAL',
    reason: where + limit + errorText(known),
    error: known,
  }
}

/** Names the option that could be raised, if `error` says that a limit was passed. */
function limitOf({ code }: FramePoolError): string {
  if (code === 'ERR_SV2_FRAME_TOO_LARGE') return 'over maxFrameSize (--max-frame-size): '
  if (code === 'ERR_MEMORY_LIMIT') return 'over maxMemory (--max-memory): '
  return ''
}

/** Describes a link that user code ended. `error` says what that code threw or returned. */
export function userFault(error: Error): Ending {
  return { side: 'relay', code: 'USER_CODE', reason: errorText(error), error }
}

/** Describes a link with an end that speaks another protocol than Sv2. Returns null if the end speaks none that is known. */
export function foreign({ direction, head }: Party, error: Error | null): Ending | null {
  const protocol = foreignProtocol(head)
  if (protocol === null) return null
  return { side: direction, code: 'NOT_SV2', reason: `${direction} speaks ${protocol}, not Stratum V2`, error }
}

/** Describes a link with an end that has left, or that `error` broke. */
export function departure(party: Party, error: Error | null): Ending {
  const { session, direction } = party
  const { framesIn, bytesIn } = session.stats()
  const spoken = framesIn === 0 ? foreign(party, error) : null
  if (spoken !== null) return spoken
  if (error !== null && !isLoss(error)) {
    const ending = failure(direction, error)
    if (ending.code !== 'ERR_SV2_AEAD' || framesIn > 0) return ending
    return { ...ending, reason: `${ending.reason}; it was the first, so it may be no Stratum V2 at all` }
  }
  const { partial } = coreOf(session)
  const ended = (code: string, where: string, hint = ''): Ending => {
    const loss = error === null ? '' : `: ${errorText(error)}`
    return { side: direction, code, reason: `${direction} ended${where}${loss}${hint}`, error }
  }
  if (bytesIn < FIRST_MESSAGE[direction]) {
    return ended('ENDED_IN_HANDSHAKE', ` in the handshake, after ${firstMessagePart(direction, bytesIn)}`)
  }
  if (framesIn === 0 && partial < SEALED_HEADER) {
    const hint = direction === 'downstream' ? `; ${HINT}` : ''
    return ended('ENDED_WITHOUT_FRAME', ' after the handshake without a frame', hint)
  }
  if (partial > 0) return ended('ENDED_IN_FRAME', ` in the middle of a frame, after ${partial} bytes of it`)
  return ended('ENDED', '')
}

function firstMessagePart(direction: Direction, bytes: number): string {
  return `${bytes} of the ${FIRST_MESSAGE[direction]} bytes of its first message`
}

/** Describes a link with an end that has not done its part of the handshake in time. */
export function silence(party: Party): Ending {
  const { session, direction, socket } = party
  const spoken = foreign(party, null)
  if (spoken !== null) return spoken
  const what =
    session.state === 'transport'
      ? `${direction} sent no frame after it; ${HINT}`
      : socket.connecting
        ? `no connection to the ${direction}`
        : `${direction} sent ${firstMessagePart(direction, session.stats().bytesIn)}`
  return { side: direction, code: 'HANDSHAKE_TIMEOUT', reason: `handshake timeout: ${what}`, error: null }
}

/** Returns whether `error` says only that an established connection is gone. */
function isLoss(error: Error): boolean {
  const { syscall } = error as { syscall?: unknown }
  return syscall === 'read' || syscall === 'write' || syscall === 'writev' || syscall === 'shutdown'
}
