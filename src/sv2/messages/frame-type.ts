import { invalidArgType } from '../../support/errors.js'

/** Extension and type of a frame, which tell its message. The channel bit, bit 15 of the extension, makes no difference. */
export interface MessageType {
  /** Extension, without the channel bit. */
  readonly extensionType: number
  /** Type within the extension: 0 to 255. */
  readonly messageType: number
}

/** Bit of a frame's extension on the wire that marks a channel message. */
export const CHANNEL_BIT = 0x8000

/** Returns the extension of a frame as it is on the wire: with the channel bit for a channel message. */
export function wireExtension(extensionType: number, channelMessage: boolean): number {
  return channelMessage ? extensionType | CHANNEL_BIT : extensionType
}

/** Returns one number for the extension of a frame, whose channel bit makes no difference, and its type: extension × 256 + type. */
export function frameKey(extensionType: number, messageType: number): number {
  return ((extensionType & 0x7fff) << 8) | messageType
}

/**
 * Returns one number for the extension of a frame, without the channel bit, and its type, which any script may have made. Unlike
 * `frameKey()` it keeps a type that is not a byte apart from all others. Reads each once. Throws `ERR_INVALID_ARG_TYPE` if the frame has
 * none.
 */
export function keyOf(frame: MessageType): number {
  const { extensionType, messageType } = frame ?? {}
  if (typeof extensionType !== 'number' || typeof messageType !== 'number') {
    throw invalidArgType('not a frame')
  }
  return messageType * 0x8000 + (extensionType & 0x7fff)
}
