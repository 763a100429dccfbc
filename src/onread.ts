import { Socket } from 'node:net'
import { integerArgument } from './arguments.js'
import type { HalfCore } from './half-core.js'
import { ReadTarget } from './read-target.js'

/** The `onread` option of `net.connect` and `new net.Socket`. */
export interface OnRead {
  buffer: () => Uint8Array
  callback: (n: number, buf: Uint8Array) => boolean
}

/** Reads a socket into a ring: see `Producer.onread`. */
export function onRead(half: HalfCore, onData: ((bytes: number) => void) | undefined): OnRead {
  const target = new ReadTarget(half)
  return {
    buffer: () => (half.closed ? target.current : target.next()),
    // Node calls it on the socket, which is how reading can be resumed.
    callback(this: unknown, count: number): boolean {
      if (half.closed) return false
      // Others than Node can call it, too.
      integerArgument(count, 'n', 0, half.size)
      const more = target.filled(count)
      if (!more) resumeLater(this, half, target.resumeAt)
      onData?.(count)
      return more
    },
  }
}

function resumeLater(socket: unknown, half: HalfCore, room: number): void {
  half.wait(room, undefined).then(
    (available) => {
      // With less the consumer has ended: nobody would read what comes.
      if (available >= room && socket instanceof Socket) socket.resume()
    },
    () => {},
  )
}
