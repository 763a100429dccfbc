/**
 * Node's classes of streams and sockets, as they are when they are first needed. Node takes milliseconds to load them, and a program that
 * has no stream for framepool needs none. Scripts may replace them and their methods later.
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { callSafely } from './thrown.js'

type NodeStream = Pick<typeof import('node:stream'), 'Duplex' | 'Readable' | 'Writable' | 'getDefaultHighWaterMark'>

/** Methods of all streams. Those of one stream may be replaced. */
interface StreamMethods {
  cork(this: Duplex): void
  uncork(this: Duplex): void
  destroy(this: Duplex, error?: Error): unknown
  removeListener(this: Duplex, event: string, listener: () => void): unknown
  /** The getter of the number of bytes that a stream holds. */
  writableLength(this: Duplex): number
}

/** Methods of all sockets. Those of one socket may be replaced. */
interface SocketMethods {
  pause(this: Socket): void
  _destroy(this: Socket, error: Error | null, callback: () => void): void
}

let stream: NodeStream | undefined
let methods: StreamMethods | undefined
let socketClass: typeof Socket | undefined
let socketMethods: SocketMethods | undefined

/** Returns what framepool needs of `node:stream`. */
export function nodeStream(): NodeStream {
  if (stream !== undefined) return stream
  const { Duplex, Readable, Writable, getDefaultHighWaterMark } = process.getBuiltinModule('node:stream')
  stream = { Duplex, Readable, Writable, getDefaultHighWaterMark }
  return stream
}

/** Returns the methods of all streams. */
export function streamMethods(): StreamMethods {
  if (methods !== undefined) return methods
  const { prototype } = nodeStream().Duplex
  const { cork, uncork, destroy, removeListener } = prototype
  const writableLength = Object.getOwnPropertyDescriptor(prototype, 'writableLength')!.get!
  methods = { cork, uncork, destroy, removeListener, writableLength } as StreamMethods
  return methods
}

/** Returns whether `value` is a `net.Socket`. */
export function isSocket(value: unknown): value is Socket {
  socketClass ??= process.getBuiltinModule('node:net').Socket
  return value instanceof socketClass
}

/**
 * Returns whether the reading of a socket was paused. A listener of `readable` stops the flow, too, until the turn after its removal, but
 * keeps nobody else from reading.
 */
export function isPaused(socket: Socket): boolean {
  const { _readableState: state } = socket as unknown as { _readableState?: { readableListening?: boolean } }
  return socket.readableFlowing === false && state?.readableListening !== true
}

function methodsOfSockets(): SocketMethods {
  if (socketMethods !== undefined) return socketMethods
  const { pause, _destroy } = process.getBuiltinModule('node:net').Socket.prototype
  socketMethods = { pause, _destroy }
  return socketMethods
}

/** Pauses a socket by the method of all sockets: that of `socket` may be replaced. */
export function pauseSocket(socket: Socket): void {
  methodsOfSockets().pause.call(socket)
}

/** Closes the handle of a socket that is being destroyed, if it is still open, by the method of all sockets. `close` follows. */
export function closeHandle(socket: Socket): void {
  const { _handle: handle } = socket as unknown as { _handle?: object | null }
  if (handle != null) methodsOfSockets()._destroy.call(socket, null, () => {})
}

/**
 * Calls `listener` when `stream` is closed, and then for each later `close` of it. Returns a function that stops listening. The listener
 * comes before the present ones, which could throw. A stream whose own method throws keeps this from listening.
 */
export function whenClosed(stream: Duplex, listener: () => void): () => void {
  // Anybody can emit the event.
  const onClose = (): void => {
    if (stream.destroyed) listener()
  }
  callSafely(() => stream.prependListener('close', onClose))
  return () => callSafely(() => removeListener(stream, 'close', onClose))
}

/** Removes a listener by the method of all streams: that of `socket` may be replaced. */
export function removeListener(socket: Duplex, event: string, listener: (...args: never[]) => void): void {
  streamMethods().removeListener.call(socket, event, listener as () => void)
}
