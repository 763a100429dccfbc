import type { Socket } from 'node:net'
import { type RingSource, views } from './ring-source.js'

/**
 * Writes all that is available to `socket`, as views of the ring. They are lent until the socket has taken them; then they
 * are freed, unless it failed, and `taken` is called.
 */
export function writeLent(source: RingSource, socket: Socket, taken: (error: Error | null) => void): void {
  const length = source.available
  write(source, length, socket, (error) => {
    source.giveBack(error ? 0 : length)
    taken(error ?? null)
  })
}

/**
 * The same, but the views are freed on return where the system has taken all of them by then, which Node tells only on a
 * later tick: then it returns true, and `taken` is not called.
 */
export function writeLentNow(source: RingSource, socket: Socket, taken: (error: Error | null) => void): boolean {
  const length = source.available
  let over = false
  write(source, length, socket, (error) => {
    if (over) return
    source.giveBack(error ? 0 : length)
    taken(error ?? null)
  })
  // A socket that has just failed holds nothing either, but is not writable any more.
  over = socket.writableLength === 0 && socket.writable
  if (over) source.giveBack(length)
  return over
}

function write(source: RingSource, length: number, socket: Socket, done: (error?: Error | null) => void): void {
  const [first, second] = views(source, length)
  source.lent = true
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
