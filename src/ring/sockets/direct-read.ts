import type { Socket } from 'node:net'
import { callSafely } from '../../support/thrown.js'
import { hasRead } from './latest-reader.js'
import { symbolOf } from './socket-symbols.js'

/** Memory that a socket reads into. */
export interface DirectTarget {
  /** Where the next bytes go; never empty. Asked for once at first and after every read. */
  next(): Uint8Array
  /** `count` bytes have come, into what `next()` gave last. False: reading pauses. */
  filled(count: number): boolean
}

type Internals = Record<symbol, unknown> & { _handle?: { useUserBuffer?: unknown } }

/**
 * Has `socket` read into `target` instead of memory that Node makes for every read, until what it returns is called. Null,
 * and nothing has changed, where it cannot be done, as with TLS: then its `data` events are all there is.
 *
 * Node takes such memory only when a socket is made (`onread`), which those that a server accepts are not by us; so what
 * `onread` would have set is set here. That is not public, and is done only where it is found as expected.
 */
export function readDirectly(socket: Socket, target: DirectTarget): (() => void) | null {
  const internals = socket as unknown as Internals
  const handle = internals._handle
  if (typeof handle?.useUserBuffer !== 'function' || isTls(socket)) return null
  const [buffer, callback, generator] = ['kBuffer', 'kBufferCb', 'kBufferGen'].map((name) => symbolOf(socket, name))
  if (buffer === undefined || callback === undefined || generator === undefined || internals[buffer]) return null
  const before = [buffer, callback, generator].map((symbol) => [symbol, internals[symbol]] as const)
  const reader = new WeakRef(socket)
  // Thrown through Node, it would keep Node from asking for the next view: what comes then would go into the last.
  internals[callback] = (count: number): boolean => {
    let more = true
    hasRead(reader)
    callSafely(() => {
      more = target.filled(count)
    })
    return more
  }
  internals[generator] = (): Uint8Array => target.next()
  internals[buffer] = target.next()
  handle.useUserBuffer(internals[buffer])
  // Otherwise the socket's next connection would read into `target`, too.
  return () => {
    for (const [symbol, value] of before) internals[symbol] = value
  }
}

/** Whether `socket` was made with `onread`, or reads directly: then nothing of what comes is told by `data` events. */
export function readsByItself(socket: Socket): boolean {
  const buffer = symbolOf(socket, 'kBuffer')
  return buffer !== undefined && Boolean((socket as unknown as Internals)[buffer])
}

/** `node:tls` takes milliseconds to load: it is loaded by programs that have sockets. */
function isTls(socket: Socket): boolean {
  return socket instanceof process.getBuiltinModule('node:tls').TLSSocket
}
