// Asks a Stratum V2 server whether it is there: node examples/sv2-probe.js stratum2+tcp://host:port/KEY
// It ends with 0 if the server accepts a SetupConnection, and with 1 if not. Without a URL it asks a server of its own.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { generateAuthorityKeypair, Sv2Session } from 'framepool/sv2'
import { describe, SetupConnection, SetupConnectionProtocol, SetupConnectionSuccess } from 'framepool/sv2/messages'

/** A server that accepts everybody, and its URL. */
async function startServer() {
  const { publicKey, secretKey } = generateAuthorityKeypair()
  const server = createServer((socket) => {
    socket.on('error', () => {})
    const session = Sv2Session.responder({ authorityPublicKey: publicKey, authoritySecretKey: secretKey })
    session.attach(socket, () => session.send(SetupConnectionSuccess, { usedVersion: 2, flags: 0 }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  return `stratum2+tcp://127.0.0.1:${server.address().port}/${publicKey}`
}

const url = new URL(process.argv[2] ?? (await startServer()))
const [host, port] = [url.hostname, Number(url.port)]
const session = Sv2Session.initiator({ authorityPublicKey: url.pathname.slice(1) })
const socket = connect({ host, port })
const timer = setTimeout(() => socket.destroy(new Error('no answer in 10 s')), 10_000)
const answer = new Promise((resolve, reject) => {
  socket.on('error', reject)
  socket.on('close', () => reject(session.error ?? new Error('the server closed the connection')))
  session.attach(socket, (batch) => {
    const [frame] = batch
    console.log(describe(frame))
    resolve(SetupConnectionSuccess.is(frame))
  })
})
try {
  await Promise.race([session.established(), answer])
  console.log('the handshake is done: the server has the key')
  session.send(SetupConnection, {
    protocol: SetupConnectionProtocol.mining,
    minVersion: 2,
    maxVersion: 2,
    flags: 0,
    endpointHost: host,
    endpointPort: port,
    vendor: 'framepool',
    hardwareVersion: '',
    firmware: '',
    deviceId: '',
  })
  process.exitCode = (await answer) ? 0 : 1
} catch (error) {
  console.log(`failed: ${error.message}`)
  process.exitCode = 1
}
clearTimeout(timer)
session.close()
socket.destroy()
