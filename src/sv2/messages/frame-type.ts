import { invalidArgType } from '../../support/errors.js'

/** Extension and type of a frame, which tell its message. The channel bit, bit 15 of the extension, makes no difference. */
export interface MessageType {
  /** Extension, without the channel bit. */
  readonly extensionType: number
  /** Type within the extension: 0 to 255. */
  readonly messageType: number
}

/**
 * Returns one number for the extension of a frame, without the channel bit, and its type. Reads each once. Throws
 * `ERR_INVALID_ARG_TYPE` if the frame has none.
 */
export function keyOf(frame: MessageType): number {
  const { extensionType, messageType } = frame ?? {}
  if (typeof extensionType !== 'number' || typeof messageType !== 'number') {
    throw invalidArgType('not a frame')
  }
  return messageType * 0x8000 + (extensionType & 0x7fff)
}
