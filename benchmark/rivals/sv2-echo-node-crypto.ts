// An echo server on node:crypto. Usage: sv2-echo-node-crypto.js <key it opens with> <key it seals with>, in hex. It prints its port.
import { type AddressInfo, createServer } from 'node:net'
import { NodeCryptoTransport } from './node-crypto-transport.js'

const [opening, sealing] = process.argv.slice(2).map((key) => Buffer.from(key, 'hex')) as [Buffer, Buffer]

const server = createServer((socket) => {
  const transport = new NodeCryptoTransport({ opening, sealing })
  socket.setNoDelay(true)
  socket.on('data', (chunk) => {
    const answers = transport.open(chunk).map((frame) => transport.seal(frame))
    if (answers.length > 0) socket.write(Buffer.concat(answers))
  })
  socket.on('error', () => {})
})
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
