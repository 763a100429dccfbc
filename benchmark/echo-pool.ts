import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { generateAuthorityKeypair, Sv2Session, type Upstream } from '../src/sv2/index.js'

/** A mining pool in this process that sends every frame back. */
export interface EchoPool {
  server: Server
  keys: { authorityPublicKey: string; authoritySecretKey: string }
  /** The pool as relays know it. */
  upstream: Required<Upstream>
}

/** Starts a pool with keys of its own. */
export async function startEchoPool(): Promise<EchoPool> {
  const { publicKey: authorityPublicKey, secretKey: authoritySecretKey } = generateAuthorityKeypair()
  const keys = { authorityPublicKey, authoritySecretKey }
  const server = createServer((socket) => {
    // A relay may end a connection at any point.
    socket.on('error', () => {})
    const session = Sv2Session.responder(keys)
    session.attach(socket, (batch) => session.forward(batch, session))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return { server, keys, upstream: { host: '127.0.0.1', port, authorityPublicKey } }
}
