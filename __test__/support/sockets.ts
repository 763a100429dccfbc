import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { listening } from './network.js'
import type { Random } from './random.js'

/** Makes the two ends of a TCP connection. They stay open until each is ended, and ignore errors. */
export async function connected(): Promise<{ accepted: Socket; dialled: Socket }> {
  const server = createServer({ allowHalfOpen: true })
  const port = await listening(server)
  return accept(server, connect({ port, host: '127.0.0.1', allowHalfOpen: true }))
}

/** Connects to `port` without a session, until the end of the test. Ignores errors and received bytes. */
export function raw(port: number): Socket {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.resume()
  onTestFinished(() => {
    socket.destroy()
  })
  return socket
}

/** Waits for `server` to accept the connection of `dialled`, and returns both ends. */
export async function accept(server: Server, dialled: Socket): Promise<{ accepted: Socket; dialled: Socket }> {
  const [accepted] = (await once(server, 'connection')) as [Socket]
  for (const socket of [accepted, dialled]) {
    socket.on('error', () => {})
    onTestFinished(() => {
      socket.destroy()
    })
  }
  return { accepted, dialled }
}

/** Reads until the other end has ended its side. */
export async function received(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  await once(socket, 'end')
  return Buffer.concat(chunks)
}

/** Writes `bytes` in pieces of up to `most` bytes, some at once and some later, then ends the sending side. */
export async function sendInPieces(socket: Socket, bytes: Buffer, most: number, random: Random): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(most)
    const room = socket.write(bytes.subarray(at, end))
    at = end
    if (!room) await once(socket, 'drain')
    else if (random.below(4) === 0) await new Promise(setImmediate)
  }
  socket.end()
}
