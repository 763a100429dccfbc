import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/** Memory that a socket reads into. */
export interface DirectTarget {
  /** Where the next bytes go; never empty. Asked for once at first and after every read. */
  next(): Uint8Array
  /** `count` bytes have come, into what `next()` gave last. False: reading pauses. */
  filled(count: number): boolean
}

/**
 * Has `socket` read into `target` instead of memory that Node makes for every read. False, and nothing has changed, where it
 * cannot be done, as with TLS: then its `data` events are all there is.
 *
 * Node takes such memory only when a socket is made (`onread`), which those that a server accepts are not by us; so what
 * `onread` would have set is set here. That is not public, and is done only where it is found as expected.
 */
export function readDirectly(socket: Socket, target: DirectTarget): boolean {
  const internals = socket as unknown as Record<symbol, unknown> & { _handle?: { useUserBuffer?: unknown } }
  const handle = internals._handle
  if (socket instanceof TLSSocket || typeof handle?.useUserBuffer !== 'function') return false
  const symbols = Object.getOwnPropertySymbols(socket)
  const [buffer, callback, generator] = ['kBuffer', 'kBufferCb', 'kBufferGen'].map((name) =>
    symbols.find(({ description }) => description === name),
  )
  if (buffer === undefined || callback === undefined || generator === undefined || internals[buffer]) return false
  internals[callback] = (count: number): boolean => target.filled(count)
  internals[generator] = (): Uint8Array => target.next()
  internals[buffer] = target.next()
  handle.useUserBuffer(internals[buffer])
  return true
}
