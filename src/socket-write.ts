import type { Socket } from 'node:net'
import { type RingSource, views } from './ring-source.js'

/**
 * Writes all that is available to `socket`, as views of the ring. They are lent until the socket has taken them; then they
 * are freed, unless it failed, and `taken` is called.
 */
export function writeLent(source: RingSource, socket: Socket, taken: (error: Error | null) => void): void {
  const length = source.available
  const [first, second] = views(source, length)
  source.lent = true
  const done = (error?: Error | null): void => {
    source.giveBack(error ? 0 : length)
    taken(error ?? null)
  }
  if (second.length === 0) {
    socket.write(first, done)
    return
  }
  // Both in one system call.
  socket.cork()
  socket.write(first)
  socket.write(second, done)
  socket.uncork()
}
