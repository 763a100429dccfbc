// Asks a Stratum V2 server whether it is there: node examples/sv2-probe.js stratum2+tcp://host:port/KEY
// It ends with 0 if the server accepts a SetupConnection and the version offered, and with 1 if not. Without a URL it asks a server of its own.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { generateAuthorityKeypair, Sv2Session } from 'framepool/sv2'
import { describe, SetupConnection, SetupConnectionProtocol, SetupConnectionSuccess } from 'framepool/sv2/messages'

const VERSION = 2

/** A server that accepts everybody, and its URL. */
async function startServer() {
  const { publicKey, secretKey } = generateAuthorityKeypair()
  const server = createServer((socket) => {
    socket.on('error', () => {})
    const session = Sv2Session.responder({ authorityPublicKey: publicKey, authoritySecretKey: secretKey })
    session.attach(socket, () => session.send(SetupConnectionSuccess, { usedVersion: VERSION, flags: 0 }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  return `stratum2+tcp://127.0.0.1:${server.address().port}/${publicKey}`
}

/** Returns whether a server's answer accepts the connection, with the version that was offered. */
function accepts(frame) {
  return SetupConnectionSuccess.is(frame) && SetupConnectionSuccess.decode(frame.payload).usedVersion === VERSION
}

const url = new URL(process.argv[2] ?? (await startServer()))
// An IPv6 address stands in brackets.
const [host, port] = [url.hostname.replace(/^\[(.*)\]$/, '$1'), Number(url.port)]
const session = Sv2Session.initiator({ authorityPublicKey: url.pathname.slice(1) })
const socket = connect({ host, port })
const timer = setTimeout(() => socket.destroy(new Error('no answer in 10 s')), 10_000)
const answer = new Promise((resolve, reject) => {
  socket.on('error', reject)
  socket.on('close', () => reject(session.error ?? new Error('the server closed the connection')))
  session.attach(socket, (batch) => {
    const [frame] = batch
    console.log(describe(frame))
    try {
      resolve(accepts(frame))
    } catch (error) {
      // The message is malformed.
      reject(error)
    }
  })
})
try {
  await Promise.race([session.established(), answer])
  console.log('the handshake is done: the server has the key')
  session.send(SetupConnection, {
    protocol: SetupConnectionProtocol.mining,
    minVersion: VERSION,
    maxVersion: VERSION,
    flags: 0,
    endpointHost: host,
    endpointPort: port,
    vendor: 'framepool',
    hardwareVersion: '',
    firmware: '',
    deviceId: '',
  })
  if (!(await answer)) throw new Error(`the server does not accept version ${VERSION}`)
} catch (error) {
  console.log(`failed: ${error.message}`)
  process.exitCode = 1
}
clearTimeout(timer)
session.close()
socket.destroy()
