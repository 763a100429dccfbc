import type { Socket } from 'node:net'
import { symbolOf } from './socket-symbols.js'

type Reader = Record<symbol, unknown> & { _handle?: { useUserBuffer?: (memory: unknown) => void } }

/** The socket that has last read into memory of ours. */
let latest: WeakRef<Socket> | null = null
let watching = false

/**
 * `reader` has read into memory of ours, and Node is about to be told where the next bytes go.
 *
 * What user code throws on a tick of the same turn makes Node forget that: it would read into the same memory again, over
 * bytes that nobody has taken yet. So when something is uncaught and the process survives it, the socket is told once more.
 */
export function hasRead(reader: WeakRef<Socket>): void {
  latest = reader
  if (watching) return
  watching = true
  process.on('uncaughtExceptionMonitor', tellAgain)
}

function tellAgain(): void {
  const socket = latest?.deref()
  const symbol = socket && symbolOf(socket, 'kBuffer')
  if (symbol === undefined) return
  const reader = socket as unknown as Reader
  if (reader[symbol]) reader._handle?.useUserBuffer?.(reader[symbol])
}
