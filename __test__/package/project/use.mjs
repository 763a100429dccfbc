// A user's program. It uses each kind of pool, a ring, a worker thread, a session, a relay over sockets.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { Worker } from 'node:worker_threads'
import { BuddyPool, BudgetPool, ByteRing, SlotPool } from 'framepool'
import { createRelay, generateAuthorityKeypair, Sv2Session } from 'framepool/sv2'

function check(what, actual, expected) {
  if (actual !== expected) throw new Error(`${what}: ${actual} instead of ${expected}`)
}

const slots = new SlotPool(64)
slots.getWritable(5).set(Buffer.from('hello'))
const slice = slots.getDataOwned()
check('slot pool', `${slots} ${Buffer.from(slice.bytes)}`, '1-------  BACK MODE hello')

const budget = new BudgetPool({ bufferSize: 4096, maxMemory: 65_536 })
const allocation = budget.tryAllocate(2)
check('budget pool', allocation.bytes.length, 8192)
allocation.release()
await budget.close()

const buddies = new BuddyPool()
const buffer = await buddies.allocate(100_000)
check('buddy pool', buffer.bytes.length >= 100_000, true)
buffer.release()

const { producer, consumer } = new ByteRing(256).intoParts()
producer.write(Buffer.from('ring'))
const read = new Uint8Array(4)
consumer.read(read)
check('ring', Buffer.from(read).toString(), 'ring')

const worker = new Worker(new URL('./worker.mjs', import.meta.url), { workerData: slice.move() })
const ended = once(worker, 'exit')
const [text] = await once(worker, 'message')
check('worker', text, 'hello')
await ended

const { publicKey: authorityPublicKey, secretKey: authoritySecretKey } = generateAuthorityKeypair()
const server = Sv2Session.responder({ authorityPublicKey, authoritySecretKey })
const client = Sv2Session.initiator({ authorityPublicKey })
function move(from, to) {
  const bytes = new Uint8Array(from.output.available)
  from.output.read(bytes)
  return to.receive(bytes)
}
move(client, server)
move(server, client)
client.send({ messageType: 7, channelMessage: true }, Buffer.from([1, 0, 0, 0, 9]))
const [frame] = move(client, server)
check('session', `${server.state} ${frame.channelId} ${[...frame.payload]}`, 'transport 1 1,0,0,0,9')
client.close()
server.close()

const keys = { authorityPublicKey, authoritySecretKey }
const upstream = createServer((socket) => {
  const session = Sv2Session.responder(keys)
  session.attach(socket, (batch) => session.forward(batch, session))
}).listen(0, '127.0.0.1')
await once(upstream, 'listening')
const relay = createRelay({
  listen: { port: 0 },
  upstream: { host: '127.0.0.1', port: upstream.address().port, authorityPublicKey },
  ...keys,
})
const socket = connect((await relay.listen()).port, '127.0.0.1')
const miner = Sv2Session.initiator({ authorityPublicKey })
const echo = new Promise((resolve) => {
  miner.attach(socket, ([frame]) => resolve(frame.payload.join()))
})
await miner.established()
miner.send({ messageType: 7, channelMessage: true }, Buffer.from([1, 0, 0, 0, 8]))
check('relay', await echo, '1,0,0,0,8')
socket.end()
await relay.close()
upstream.close()

slots.close()
console.log('framepool works')
