import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { types } from 'node:util'
import { FramePoolError, invalidArgType } from '../../support/errors.js'
import { isSocket, nodeStream } from '../../support/streams.js'
import { isBorrowed } from './borrowed-socket.js'
import { readsByItself } from './direct-read.js'

/** Throws the documented error unless `value` is a socket. */
export function socketArgument(value: unknown, name: string): void {
  if (!(isStream(value) && isSocket(value))) throw invalidArgType(`${name} must be a net.Socket`)
}

/** Throws the documented error unless `value` is a stream of both directions. */
export function streamArgument(value: unknown, name: string): void {
  if (!isStream(value)) throw invalidArgType(`${name} must be a net.Socket or a stream.Duplex`)
}

/** Returns whether `value` is a stream. An object that only inherits from one has no state, and would fail when half of the work is done. */
function isStream(value: unknown): value is Duplex {
  return !types.isProxy(value) && value instanceof nodeStream().Duplex && Object.hasOwn(value, '_writableState')
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
  if (isBorrowed(socket)) throw new FramePoolError('ERR_BUSY', 'a session, a reader or a relay has the socket already')
  if (readsByItself(socket)) throw new FramePoolError('ERR_BUSY', 'the socket reads into memory of its own: onread')
}

/** Throws `ERR_BUSY` if `stream` has a listener of `readable`. Its reader gets the bytes, and without a reader there is no `data`. */
export function checkFlowing(stream: Duplex): void {
  if (stream.listenerCount('readable') === 0) return
  throw new FramePoolError('ERR_BUSY', "the socket has a listener of 'readable'")
}

/** Makes an `ERR_CLOSED`. `cause` is the error that broke the socket, if one did. */
export function closedError(message: string, cause?: unknown): FramePoolError {
  return new FramePoolError('ERR_CLOSED', message, cause == null ? undefined : { cause })
}
