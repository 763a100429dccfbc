import { Socket } from 'node:net'
import { types } from 'node:util'
import { FramePoolError, invalidArgType } from '../../support/errors.js'
import { isBorrowed } from './borrowed-socket.js'
import { readsByItself } from './direct-read.js'

/** Throws the documented error unless `value` is a socket. */
export function socketArgument(value: unknown, name: string): void {
  // An object that merely inherits from a socket has no state, and would fail when half of the work is done.
  if (!types.isProxy(value) && value instanceof Socket && Object.hasOwn(value, '_writableState')) return
  throw invalidArgType(`${name} must be a net.Socket`)
}

/** Throws the documented error unless bytes can be written to `socket`, now or when it has connected. */
export function checkWritable(socket: Socket): void {
  if (socket.destroyed) throw closedError('the socket is closed', socket.errored)
  if (socket.writableEnded) throw closedError('the sending side of the socket has ended')
  // Node drops what is written then.
  if (socket.pending && !socket.connecting) throw closedError('the socket is neither connected nor connecting')
}

/** Throws the documented error unless what `socket` receives can be read as bytes. */
export function checkReadable(socket: Socket, name: string): void {
  // Decoding loses bytes.
  if (socket.readableEncoding !== null) throw invalidArgType(`${name} must give bytes: no setEncoding`)
  if (isBorrowed(socket)) throw new FramePoolError('ERR_BUSY', 'a session or a relay has the socket already')
  if (readsByItself(socket)) throw new FramePoolError('ERR_BUSY', 'the socket reads into memory of its own: onread')
}

/** Makes an `ERR_CLOSED`. `cause` is what broke the socket, if anything did. */
export function closedError(message: string, cause?: unknown): FramePoolError {
  return new FramePoolError('ERR_CLOSED', message, cause == null ? undefined : { cause })
}
