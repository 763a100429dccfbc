import { types } from 'node:util'
import type { RelayEnd } from '../../native/relay.js'
import { errorOf, FramePoolError } from '../../support/errors.js'
import { errorText } from '../../support/thrown.js'
import type { DisconnectSide, Ending } from './disconnection.js'
import { foreignProtocol } from './foreign-protocol.js'
import { connectFailure, systemFailure } from './system-failure.js'

/** Length of each end's first message in its handshake, in bytes. */
const FIRST_MESSAGE = { downstream: 64, upstream: 234, relay: 0 } as const

/** Length of a frame's sealed header, in bytes. A frame that is shorter so far does not prove that its sender has the keys of the connection. */
const SEALED_HEADER = 22

/** A likely reason for which a miner leaves, or says nothing, once the relay has answered its handshake. */
const HINT = "it may have refused the relay's certificate: check the authority public key that it has, and its clock"

const RELAY_CLOSED: Ending = { side: 'relay', code: 'RELAY_CLOSED', reason: 'the relay was closed', error: null }

/** Reasons for which the engine ends a link that takes too much, with their codes. */
const REFUSALS: Readonly<Record<string, [code: string, reason: string]>> = {
  handshakes: ['HANDSHAKE_LIMIT', 'it was the oldest handshake, and made room for a new connection'],
  slowFrame: [
    'SLOW_FRAME',
    'its frame came more slowly than the least rate (minBytesPerSecond, or more for a large frame)',
  ],
  slowReader: ['SLOW_READER', 'it read too slowly (minBytesPerSecond)'],
}

/** Describes how a link ended, from what the engine tells of it. `byUser` is what the user of the relay ended it for, if so. */
export function endingOf(end: RelayEnd, byUser: Ending | undefined): Ending {
  const { side } = end
  switch (end.cause) {
    case 'departed':
      return departure(side, end)
    case 'silent':
      return silence(side, end)
    case 'foreign':
      return foreign(side, end, null) ?? notSv2(side, 'plain text', null)
    case 'broken':
      return breach(side, end)
    case 'unreachable':
      return failure(side, connectFailure(end.faults))
    case 'idle':
      return { side, code: 'IDLE_TIMEOUT', reason: 'idle timeout', error: null }
    case 'refused': {
      const [code, reason] = REFUSALS[end.refused ?? ''] ?? ['REFUSED', 'it took too much']
      return { side, code, reason: `${side}: ${reason}`, error: null }
    }
    case 'closed':
      return RELAY_CLOSED
    case 'user':
      return byUser ?? RELAY_CLOSED
    case 'internal':
      return failure('relay', faultOf(end))
  }
}

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

/** Describes a link that user code closed. */
export function userClose(reason: string): Ending {
  return { side: 'relay', code: 'LINK_CLOSED', reason: errorText({ message: reason }), error: null }
}

function faultOf({ faults: [fault] }: RelayEnd): Error {
  return errorOf(fault?.code ?? 'ERR_INTERNAL', fault?.message ?? 'the engine failed')
}

function notSv2(side: DisconnectSide, protocol: string, error: Error | null): Ending {
  return { side, code: 'NOT_SV2', reason: `${side} speaks ${protocol}, not Stratum V2`, error }
}

/** Describes a link with a side that speaks another protocol than Sv2. Returns null if the side speaks none that is known. */
function foreign(side: DisconnectSide, { head }: RelayEnd, error: Error | null): Ending | null {
  const protocol = foreignProtocol(Buffer.from(head, 'hex'))
  return protocol === null ? null : notSv2(side, protocol, error)
}

/** Describes a link with a side that has sent what is at fault. */
function breach(side: DisconnectSide, end: RelayEnd): Ending {
  const error = faultOf(end)
  if (side !== 'relay' && end.framesIn === 0) {
    const spoken = foreign(side, end, error)
    if (spoken !== null) return spoken
  }
  const ending = failure(side, error)
  if (ending.code !== 'ERR_SV2_AEAD' || end.framesIn > 0 || side === 'relay') return ending
  return { ...ending, reason: `${ending.reason}; it was the first, so it may be no Stratum V2 at all` }
}

/** Describes a link with a side that has left, or whose connection is lost. */
function departure(side: DisconnectSide, end: RelayEnd): Ending {
  const { bytesIn, framesIn, partial, faults } = end
  const error = faults[0] === undefined ? null : systemFailure(faults[0])
  const spoken = framesIn === 0 ? foreign(side, end, error) : null
  if (spoken !== null) return spoken
  const ended = (code: string, where: string, hint = ''): Ending => {
    const loss = error === null ? '' : `: ${errorText(error)}`
    return { side, code, reason: `${side} ended${where}${loss}${hint}`, error }
  }
  if (bytesIn < FIRST_MESSAGE[side]) {
    return ended('ENDED_IN_HANDSHAKE', ` in the handshake, after ${firstMessagePart(side, bytesIn)}`)
  }
  if (framesIn === 0 && partial < SEALED_HEADER) {
    const hint = side === 'downstream' ? `; ${HINT}` : ''
    return ended('ENDED_WITHOUT_FRAME', ' after the handshake without a frame', hint)
  }
  if (partial > 0) return ended('ENDED_IN_FRAME', ` in the middle of a frame, after ${partial} bytes of it`)
  return ended('ENDED', '')
}

function firstMessagePart(side: DisconnectSide, bytes: number): string {
  return `${bytes} of the ${FIRST_MESSAGE[side]} bytes of its first message`
}

/** Describes a link with a side that has not done its part of the handshake in time. */
function silence(side: DisconnectSide, end: RelayEnd): Ending {
  const spoken = foreign(side, end, null)
  if (spoken !== null) return spoken
  const what = end.transport
    ? `${side} sent no frame after it; ${HINT}`
    : end.connecting
      ? `no connection to the ${side}`
      : `${side} sent ${firstMessagePart(side, end.bytesIn)}`
  return { side, code: 'HANDSHAKE_TIMEOUT', reason: `handshake timeout: ${what}`, error: null }
}
