import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** Options of length-delimited frames, whose length field has four bytes. */
export const four = { maxFrameLength: 1 << 20 } as const

/** Starts a server until the end of the test, which calls `onSocket` for each connection, and returns its port. */
export async function serve(onSocket: (socket: Socket) => unknown, allowHalfOpen = false): Promise<number> {
  const sockets = new Set<Socket>()
  let over = false
  const server: Server = createServer({ allowHalfOpen }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    Promise.resolve(onSocket(socket)).catch((error) => {
      // The end of the test cuts the connections that are left.
      if (!over) throw error
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    over = true
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** Connects to `port` until the end of the test. Ignores errors. */
export function dial(port: number): Socket {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  onTestFinished(() => {
    socket.destroy()
  })
  return socket
}
