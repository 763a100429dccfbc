// Tests that any runtime with Node-API must pass. `npm run test:runtimes` runs them where vitest does not run. Every
// test prints one line. A failure ends the process with exit code 1.
import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { Worker } from 'node:worker_threads'
import { BuddyPool, BudgetPool, ByteRing, Slice, SlotPool, SystemMemoryBuffer } from 'framepool'
import { createRelay, generateAuthorityKeypair, Sv2Session } from 'framepool/sv2'

const { publicKey: authorityPublicKey, secretKey: authoritySecretKey } = generateAuthorityKeypair()
const keys = { authorityPublicKey, authoritySecretKey }

const tests = {
  'a slot pool goes through its modes': () => {
    const pool = new SlotPool(80)
    const slices = Array.from({ length: 8 }, (_, index) => {
      pool.getWritable(10).fill(index)
      return pool.getDataOwned()
    })
    equal(pool.toString(), '12345678  BACK MODE')
    for (const slice of slices.slice(0, 2)) slice.release()
    pool.getWritable(10).fill(8)
    const front = pool.getDataOwned()
    equal(pool.toString(), '9-345678  FRONT MODE')
    for (const [index, slice] of slices.slice(2).entries()) ok(slice.bytes.every((byte) => byte === index + 2))
    for (const slice of [front, ...slices.slice(2)]) equal(slice.release(), true)
    equal(pool.isDroppable, true)
    pool.close()
    throws(() => pool.getWritable(1), { code: 'ERR_CLOSED' })
  },

  'released memory goes back, and views of it are empty': () => {
    const buffer = new SystemMemoryBuffer()
    buffer.writeAll(Uint8Array.of(1, 2, 3))
    const slice = buffer.getDataOwned()
    const view = slice.bytes
    equal(slice.release(), true)
    equal(view.length, 0)
    throws(() => slice.bytes, { code: 'ERR_RELEASED' })
  },

  'memory that is taken away is shown anew': () => {
    const slice = Slice.from(Uint8Array.of(1, 2, 3))
    const view = slice.bytes
    view.buffer.transfer()
    equal(view.length, 0)
    deepEqual([...slice.bytes], [1, 2, 3])
    equal(slice.release(), true)
  },

  'a budget pool grants in turn': async () => {
    const pool = new BudgetPool({ bufferSize: 1024, maxMemory: 16 * 1024 })
    const all = pool.tryAllocate(16)
    equal(pool.tryAllocate(1), null)
    const order = []
    const waits = [8, 4].map(async (count) => {
      const allocation = await pool.allocate(count)
      order.push(count)
      allocation.release()
    })
    await rejects(pool.allocate(1, { timeoutMs: 5 }), { code: 'ERR_TIMEOUT' })
    all.release()
    await Promise.all(waits)
    deepEqual(order, [8, 4])
    await pool.close()
  },

  'a buddy pool maps, splits and gives back': async () => {
    const pool = new BuddyPool({ maxMemory: 2 ** 26 })
    const buffer = pool.allocateSync(20_000)
    equal(buffer.capacity, 65_536)
    buffer.bytes.fill(7)
    buffer.release()
    const block = await pool.allocate(2 ** 26)
    equal(pool.tryAllocate(1), null)
    const view = block.bytes
    block.release()
    await pool.close()
    equal(view.length, 0)
  },

  'a ring carries bytes, and its halves wait for each other': async () => {
    const { producer, consumer } = new ByteRing(64).intoParts()
    const readable = consumer.readable(10)
    equal(producer.write(new Uint8Array(100).fill(5)), 64)
    equal(await readable, 64)
    const target = new Uint8Array(64)
    equal(consumer.read(target), 64)
    ok(target.every((byte) => byte === 5))
    producer.end()
    equal(await consumer.readable(), 0)
  },

  'sessions talk over a socket': async () => {
    const echo = createServer((socket) => {
      const session = Sv2Session.responder(keys)
      session.attach(socket, (batch) => session.forward(batch, session))
    })
    const answer = await ask(await listening(echo), 'hello')
    equal(answer, 'hello')
    echo.close()
  },

  'a relay stands between them': async () => {
    const pool = createServer((socket) => {
      const session = Sv2Session.responder(keys)
      session.attach(socket, (batch) => session.forward(batch, session))
    })
    const upstream = { host: '127.0.0.1', port: await listening(pool), authorityPublicKey }
    const relay = createRelay({ listen: { port: 0 }, upstream, ...keys })
    const { port } = await relay.listen()
    equal(await ask(port, 'share'), 'share')
    equal(relay.stats().framesUpstream, 1)
    await relay.close()
    pool.close()
  },

  'workers load it, and are ended with memory in their hands': async () => {
    for (let round = 0; round < 5; round++) {
      const worker = new Worker(new URL('worker.js', import.meta.url))
      const [line] = await once(worker, 'message')
      equal(line, '1-------  BACK MODE')
      await worker.terminate()
    }
  },

  'bad arguments are the documented errors': () => {
    throws(() => new SlotPool(-1), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
    throws(() => new SlotPool('8'), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
    throws(() => Slice.from(new Proxy(new Uint8Array(3), {})), { code: 'ERR_INVALID_ARG_TYPE' })
    throws(() => Sv2Session.initiator({ authorityPublicKey: 'x' }), { code: 'ERR_SV2_KEY' })
  },
}

async function listening(server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server.address().port
}

/** Sends a frame with `text` and returns the answer. */
async function ask(port, text) {
  const socket = connect(port, '127.0.0.1')
  const session = Sv2Session.initiator({ authorityPublicKey })
  const answered = new Promise((resolve) => {
    session.attach(socket, ([frame]) => resolve(Buffer.from(frame.payload).toString()))
  })
  await session.established()
  session.send({ messageType: 1 }, Buffer.from(text))
  const answer = await answered
  socket.end()
  await once(socket, 'close')
  return answer
}

let failed = 0
for (const [name, test] of Object.entries(tests)) {
  try {
    await test()
    console.log(`ok ${name}`)
  } catch (error) {
    failed++
    console.log(`not ok ${name}\n${error.stack}`)
  }
}
process.exitCode = failed === 0 ? 0 : 1
