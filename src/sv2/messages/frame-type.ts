import { invalidArgType } from '../../support/errors.js'
import type { MessageType } from './message.js'

/** Reads the extension and the type of a frame, once each. Throws `ERR_INVALID_ARG_TYPE` if it has none. */
export function typeOfFrame(frame: MessageType): MessageType {
  if (typeof frame !== 'object' || frame === null) throw invalidArgType('frame must be an object')
  const { extensionType, messageType } = frame
  if (typeof extensionType !== 'number' || typeof messageType !== 'number') {
    throw invalidArgType('frame.extensionType and frame.messageType must be numbers')
  }
  return { extensionType, messageType }
}
