import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, Socket, type SocketConstructorOpts } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { onTestFinished } from 'vitest'

/** A socket under test and its peer. Both allow a half-open connection, and ignore errors. */
export interface Ends {
  socket: Socket
  peer: Socket
}

type Options = SocketConstructorOpts & { onread?: unknown }

/** A kind of connection. */
export interface Kind {
  name: string
  /** Begins to connect. `peer` resolves once the connection is made. */
  dial(options?: Options): Promise<{ socket: Socket; peer: Promise<Socket> }>
}

const pem = readFileSync(new URL('../fixtures/localhost.pem', import.meta.url))

export const TCP: Kind = {
  name: 'TCP',
  async dial(options) {
    const { server, port } = await listening(createServer({ allowHalfOpen: true }))
    const socket = kept(connect({ port, host: '127.0.0.1', allowHalfOpen: true, ...options } as never))
    return { socket, peer: accepted(server, 'connection') }
  },
}

export const TLS: Kind = {
  name: 'TLS',
  async dial(options) {
    const { server, port } = await listening(createTlsServer({ key: pem, cert: pem, allowHalfOpen: true }))
    const target = { port, host: '127.0.0.1', ca: pem, servername: 'localhost', allowHalfOpen: true }
    const socket = kept(connectTls({ ...target, ...options } as ConnectionOptions))
    return { socket, peer: accepted(server, 'secureConnection') }
  },
}

/** A socket of the kind that Node calls IPC. On Windows it is a named pipe. */
export const UNIX: Kind = {
  name: 'a Unix domain socket',
  async dial(options) {
    const folder = mkdtempSync(join(tmpdir(), 'framepool-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const path = join(folder, 'socket')
    const { server } = await listening(createServer({ allowHalfOpen: true }), path)
    const socket = kept(connect({ path, allowHalfOpen: true, ...options } as never))
    return { socket, peer: accepted(server, 'connection') }
  },
}

export const KINDS = [TCP, TLS, UNIX]

/** Makes a connection of a kind. The socket under test is the dialled or the accepted one. */
export async function endsOf(kind: Kind, side: 'dialled' | 'accepted', options?: Options): Promise<Ends> {
  const { socket, peer } = await kind.dial(options)
  const [accepted] = await Promise.all([peer, once(socket, kind === TLS ? 'secureConnect' : 'connect')])
  return side === 'dialled' ? { socket, peer: accepted } : { socket: accepted, peer: socket }
}

/** Returns a port on which no server listens. */
export async function deadPort(): Promise<number> {
  const { server, port } = await listening(createServer())
  server.close()
  await once(server, 'close')
  return port
}

export function kept<T extends Socket>(socket: T): T {
  socket.on('error', () => {})
  onTestFinished(() => {
    socket.destroy()
  })
  return socket
}

async function accepted(server: Server, event: string): Promise<Socket> {
  const [socket] = (await once(server, event)) as [Socket]
  return kept(socket)
}

async function listening(server: Server, path?: string): Promise<{ server: Server; port: number }> {
  if (path === undefined) server.listen(0, '127.0.0.1')
  else server.listen(path)
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0 }
}

/** Returns the settings of a socket that a refused or finished use must not change. */
export function settingsOf(socket: Socket): unknown {
  const listeners = socket.eventNames().map((event) => [event, socket.listenerCount(event)])
  const internals = Object.getOwnPropertySymbols(socket)
    .filter(({ description }) => ['kBuffer', 'kBufferCb', 'kBufferGen', 'kSetNoDelay'].includes(description ?? ''))
    .map((symbol) => [symbol.description, (socket as unknown as Record<symbol, unknown>)[symbol] || null])
  const { allowHalfOpen, readableFlowing } = socket
  return { listeners, internals, allowHalfOpen, readableFlowing }
}

export { Socket }
