import type { Duplex } from 'node:stream'

/** The streams that a writer was made for. */
const bound = new WeakSet<Duplex>()

/** Notes that a writer was made for `socket`. The writer then ends the sending side. */
export function bindWriter(socket: Duplex): void {
  bound.add(socket)
}

/** Returns whether a writer was made for `socket`. */
export function hasWriter(socket: Duplex): boolean {
  return bound.has(socket)
}
