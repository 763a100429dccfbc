import type { Socket } from 'node:net'
import { bufferOf, lengthOf, offsetOf } from '../../support/bytes.js'
import { hasRead } from './latest-reader.js'
import { symbolOf } from './socket-symbols.js'

/** Memory that a socket reads into. */
export interface DirectTarget {
  /** Returns the memory for the next bytes, which is never empty. Called once at first, and after every read. */
  next(): Uint8Array
  /** Called when `count` bytes have come into the memory that `next()` returned last. Returns false to pause the reading. */
  filled(count: number): boolean
  /**
   * Called with what `next()` or `filled()` has thrown: the memory cannot be shown, for example. Bytes are lost, or would be, so this must
   * end the connection.
   */
  failed(error: unknown): void
}

/** A socket that reads directly. */
export interface DirectRead {
  /** Directs the next bytes to the place that `next()` returns by now. The socket must be paused. */
  aim(): void
  /** Undoes everything. */
  restore(): void
}

type Internals = Record<symbol, unknown> & {
  _handle?: { useUserBuffer?: (memory: unknown) => void; readStop?: () => void }
}

/**
 * Makes `socket` read into `target` instead of memory that Node makes for every read. Returns null,
 * and changes nothing, if it cannot be done, as with TLS: then there are only `data` events.
 *
 * Node takes such memory only when a socket is made (`onread`), and a server makes its sockets itself. So this sets what `onread` would
 * have set. These fields are not public, and nothing is done unless they are found as expected.
 */
export function readDirectly(socket: Socket, target: DirectTarget): DirectRead | null {
  const internals = socket as unknown as Internals
  const found = fieldsOf(socket)
  if (found === null) return null
  const { buffer, callback, generator } = found
  const before = [buffer, callback, generator].map((symbol) => [symbol, internals[symbol]] as const)
  let aimed: Uint8Array | null = null
  const aim = (): void => {
    const memory = target.next()
    // Node keeps some memory for every call until the socket is closed, and most calls would change nothing.
    if (aimed !== null && isSamePlace(aimed, memory)) return
    aimed = memory
    internals[buffer] = memory
    internals._handle?.useUserBuffer?.(memory)
  }
  // This may throw, and nothing has changed by then.
  aim()
  const reader = new WeakRef(socket)
  // An error thrown through Node would keep Node from asking for the next view, and the next bytes would go into the last one.
  internals[callback] = (count: number): boolean => {
    hasRead(reader)
    try {
      return target.filled(count)
    } catch (error) {
      target.failed(error)
      return false
    }
  }
  internals[generator] = (): Uint8Array | null => {
    try {
      aimed = target.next()
      return aimed
    } catch (error) {
      target.failed(error)
      // Node would give the memory to the socket, which may have been restored.
      return null
    }
  }
  // Otherwise the socket's next connection would read into `target`, too.
  const restore = (): void => {
    for (const [symbol, value] of before) internals[symbol] = value
    // A `_destroy()` of the user's own may leave the handle open. It must not read into memory that is freed soon.
    if (socket.destroyed) internals._handle?.readStop?.()
  }
  return { aim, restore }
}

function isSamePlace(a: Uint8Array, b: Uint8Array): boolean {
  return bufferOf(a) === bufferOf(b) && offsetOf(a) === offsetOf(b) && lengthOf(a) === lengthOf(b)
}

/** Returns whether `readDirectly()` would succeed. */
export function canReadDirectly(socket: Socket): boolean {
  return fieldsOf(socket) !== null
}

/** Returns the symbols of the fields that `readDirectly()` sets, or null if `socket` is not as expected. */
function fieldsOf(socket: Socket): { buffer: symbol; callback: symbol; generator: symbol } | null {
  const internals = socket as unknown as Internals
  if (typeof internals._handle?.useUserBuffer !== 'function' || isTls(socket)) return null
  const [buffer, callback, generator] = ['kBuffer', 'kBufferCb', 'kBufferGen'].map((name) => symbolOf(socket, name))
  if (buffer === undefined || callback === undefined || generator === undefined || internals[buffer]) return null
  return { buffer, callback, generator }
}

/** Returns whether `socket` was made with `onread`, or reads directly. Such a socket emits no `data` events. */
export function readsByItself(socket: Socket): boolean {
  const buffer = symbolOf(socket, 'kBuffer')
  return buffer !== undefined && Boolean((socket as unknown as Internals)[buffer])
}

/** `node:tls` takes milliseconds to load: it is loaded by programs that have sockets. */
function isTls(socket: Socket): boolean {
  return socket instanceof process.getBuiltinModule('node:tls').TLSSocket
}
