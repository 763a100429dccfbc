// A user's program. It uses each kind of pool, a ring, a worker thread, framed sockets, a session, a relay over sockets, and what
// only some systems have.
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getSystemErrorName } from 'node:util'
import { Worker } from 'node:worker_threads'
import { BuddyPool, BudgetPool, ByteRing, FrameReader, FrameWriter, MemoryBudget, SlotPool } from 'framepool'
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

const memory = new MemoryBudget(2 ** 20)
const limits = { maxFrameLength: 65_536 }
const echoing = createServer((socket) => {
  const writer = FrameWriter.lengthDelimited(socket, limits)
  const reader = FrameReader.lengthDelimited({ ...limits, budget: memory })
  reader.attach(socket, (batch) => writer.forward(batch)).then(() => writer.end())
}).listen(0, '127.0.0.1')
await once(echoing, 'listening')
const framed = connect(echoing.address().port, '127.0.0.1')
FrameWriter.lengthDelimited(framed, limits).write(Buffer.alloc(20_000, 'frame'))
const frames = []
await FrameReader.lengthDelimited(limits).attach(framed, ([frame]) => {
  frames.push(Buffer.from(frame).subarray(-5).toString())
  framed.end()
})
check('framed sockets', frames.join(), 'frame')
echoing.close()

/** Returns the code of the error that `call` throws or rejects with, or what it gives. */
async function outcome(call) {
  try {
    return await call()
  } catch (error) {
    if (error.syscall !== undefined) check('name of the error', getSystemErrorName(error.errno), error.code)
    return error.code ?? error.message
  }
}

const folder = mkdtempSync(join(tmpdir(), 'framepool-'))
try {
  const file = join(folder, 'file')
  writeFileSync(file, 'descriptor')
  const fd = openSync(file, 'r')
  const ring = new ByteRing(64).intoParts()
  const windows = process.platform === 'win32'
  check('descriptors', await outcome(() => ring.producer.readFrom(fd)), windows ? 'ENOTSUP' : 10)
  closeSync(fd)
  for (const [name, block] of Object.entries({
    file: { backend: { file: join(folder, 'blocks') } },
    lock: { lock: true },
  })) {
    const pool = new BuddyPool({ block })
    const given = await outcome(async () => (await pool.allocate(100)).release())
    // Linux refuses to lock more than the user may.
    const linux = name === 'lock' ? [true, 'ENOMEM', 'EPERM', 'EAGAIN'] : [true]
    check(name, (process.platform === 'linux' ? linux : ['ENOSYS']).includes(given) || given, true)
    await pool.close()
  }
  const pages = new BuddyPool({ block: { backend: 'hugetlb' } })
  // Without such pages a kernel has no memory of this kind, or does not know it: so does the emulator.
  const huge = await outcome(async () => (await pages.allocate(100)).release())
  check(
    'hugetlb',
    (process.platform === 'linux' ? [true, 'ENOMEM', 'EINVAL'] : ['ENOSYS']).includes(huge) || huge,
    true,
  )
  await pages.close()
} finally {
  rmSync(folder, { recursive: true })
}

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
const { port } = upstream.address()
upstream.close()
await once(upstream, 'close')

// Its mining pool is gone now.
const lonely = createRelay({
  listen: { port: 0 },
  upstream: { host: '127.0.0.1', port, authorityPublicKey },
  ...keys,
})
const disconnected = once(lonely, 'disconnect')
const left = connect((await lonely.listen()).port, '127.0.0.1')
const other = Sv2Session.initiator({ authorityPublicKey })
other.attach(left, () => {})
await other.established()
other.send({ messageType: 0 }, Buffer.alloc(8))
const [{ side, code, error }] = await disconnected
check(
  'mining pool that is gone',
  `${side} ${code} ${getSystemErrorName(error.errno)}`,
  'upstream ECONNREFUSED ECONNREFUSED',
)
left.destroy()
await lonely.close()

slots.close()
console.log('framepool works')
