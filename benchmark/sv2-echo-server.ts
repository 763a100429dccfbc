// The echo server that `sv2-echo` measures. Usage: sv2-echo-server.js <public key> <secret key>. It prints its port.
import { type AddressInfo, createServer } from 'node:net'
import { Sv2Session } from '../src/sv2/index.js'

const [authorityPublicKey, authoritySecretKey] = process.argv.slice(2) as [string, string]

const server = createServer((socket) => {
  const session = Sv2Session.responder({ authorityPublicKey, authoritySecretKey })
  socket.on('error', () => {})
  session.attach(socket, (batch) => session.forward(batch, session))
})
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
