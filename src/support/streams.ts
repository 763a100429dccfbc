/**
 * Node's classes of streams and sockets. Node takes milliseconds to load them, and a program that shows no stream to framepool does not
 * need them: they are loaded when the first is looked at.
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

type NodeStream = typeof import('node:stream')
type NodeNet = typeof import('node:net')

let stream: NodeStream | undefined
let net: NodeNet | undefined

/** Returns `node:stream`. */
export function nodeStream(): NodeStream {
  stream ??= process.getBuiltinModule('node:stream')
  return stream
}

/** Returns `node:net`. */
export function nodeNet(): NodeNet {
  net ??= process.getBuiltinModule('node:net')
  return net
}

/** Returns whether `value` is a `net.Socket`. */
export function isSocket(value: unknown): value is Socket {
  return value instanceof nodeNet().Socket
}

/** Removes a listener with the method of all streams: that of `socket` may be replaced. */
export function removeListener(socket: Duplex, event: string, listener: (...args: never[]) => void): void {
  nodeStream().Duplex.prototype.removeListener.call(socket, event, listener as () => void)
}
