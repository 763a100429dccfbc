import type { Socket } from 'node:net'
import { symbolOf } from './socket-symbols.js'

type Reader = Record<symbol, unknown> & { _handle?: { useUserBuffer?: (memory: unknown) => void } }

/** The socket that was the last to read into framepool's memory. */
let latest: WeakRef<Socket> | null = null
let watching = false

/**
 * Notes that `reader` has read into framepool's memory, and that Node is about to be told where the next bytes go.
 *
 * If user code throws on a tick of the same turn, Node forgets that. It would read into the same memory again, over bytes that were not
 * read yet. So after an uncaught exception that the process survives, the socket is told once more.
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
