import { lengthOf, partOf } from '../../support/arguments.js'

const SETUP_CONNECTION_ERROR = 0x02
const RECONNECT = 0x04

/** An upper bound of the length of these messages, in bytes. */
const LONGEST = 4 + 1 + 255 + 2

/** Number of characters of a peer's text that are shown. */
const SHOWN = 100

/**
 * Describes for a log a message by which a mining pool says why it will not go on. The peer wrote its text, so only printable ASCII is
 * kept.
 */
export function toldBy(messageType: number, payload: Uint8Array): string {
  const bytes = Buffer.from(partOf(payload, 0, Math.min(lengthOf(payload), LONGEST)))
  if (messageType === RECONNECT) return `Reconnect ${reconnectTarget(bytes)}`
  const name = messageType === SETUP_CONNECTION_ERROR ? 'SetupConnection.Error' : 'OpenMiningChannel.Error'
  // U32 flags or request_id, STR0_255 error_code.
  return `${name} ${quoted(text(bytes, 4))}`
}

/** Describes where a Reconnect message leads: STR0_255 new_host, U16 new_port. */
function reconnectTarget(bytes: Buffer): string {
  const host = text(bytes, 0)
  if (host === null || bytes.length < 1 + host.length + 2) return MALFORMED
  const port = bytes.readUInt16LE(1 + host.length)
  // By the protocol an empty host, or port 0, means the present one.
  return `to ${host.length === 0 ? 'the same host' : quoted(host)}, ${port === 0 ? 'the same port' : `port ${port}`}`
}

const MALFORMED = '(malformed)'

/** Returns the STR0_255 at `offset`, or null if it goes beyond the payload. */
function text(bytes: Buffer, offset: number): Buffer | null {
  const length = bytes[offset]
  if (length === undefined || bytes.length < offset + 1 + length) return null
  return bytes.subarray(offset + 1, offset + 1 + length)
}

function quoted(bytes: Buffer | null): string {
  if (bytes === null) return MALFORMED
  const printable = bytes.toString('latin1').replaceAll(/[^ -~]|["\\]/g, '?')
  return `"${printable.slice(0, SHOWN)}${printable.length > SHOWN ? '…' : ''}"`
}
