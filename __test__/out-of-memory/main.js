/**
 * Fails each allocation of framepool's native code in turn, in every public operation. Runs on a test build of the
 * addon that has `failAllocation`: see `out-of-memory.spec.ts`. Prints how often each operation was refused.
 */
import { strict as assert } from 'node:assert'
import { closeSync, openSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect, createServer } from 'node:net'
import { PassThrough } from 'node:stream'
import {
  adopt,
  BuddyPool,
  BudgetPool,
  ByteRing,
  FrameReader,
  FrameWriter,
  inspect,
  MemoryBudget,
  pump,
  Slice,
  SliceChannel,
  SlotPool,
  SystemMemoryBuffer,
} from 'framepool'
import { createRelay, generateAuthorityKeypair, Sv2Session } from 'framepool/sv2'

const { failAllocation, allocationFails, failAllAllocations } = createRequire(import.meta.url)(
  process.env.FRAMEPOOL_ADDON,
)

/** The smallest allocation, in bytes, that the reserve does not serve. */
const LARGE = 2 ** 18 + 1
const MEBIBYTE = 2 ** 20
const DEBUG = process.env.FRAMEPOOL_DEBUG === '1'

/**
 * Lists the live objects without the fields that change by themselves. Only a collection ends a budget, and a reader may keep a reservation of
 * 0 bytes: the figures of budgets are a part of the states.
 */
function census() {
  return inspect()
    .filter(({ kind }) => kind !== 'memory-budget' && kind !== 'reservation')
    .map(({ kind, bytes }) => `${kind} ${bytes}`)
    .sort()
    .join('\n')
}

// Sessions without their own pool share one, which stays, and so do readers.
Sv2Session.initiator().close()
FrameReader.delimited({ maxFrameLength: 1 })[Symbol.dispose]()
const atFirst = census()

const counts = { operations: 0, refused: 0 }

/**
 * Runs `operation` repeatedly and fails one allocation of at least `atLeast` bytes each time, a later one on each run,
 * until none fails. `undo` undoes a success. A failure must leave `state` unchanged.
 */
async function drive(name, { operation, undo = () => {}, state = () => null, atLeast = [0, LARGE] }) {
  counts.operations++
  for (const least of atLeast) {
    for (let after = 0, fails = true; fails; after++) {
      assert.ok(after < 10_000, `${name} never ends`)
      const before = [census(), state()]
      let result
      let failure = null
      failAllocation(after, least)
      try {
        result = await operation()
      } catch (error) {
        failure = error
      }
      fails = !allocationFails()
      failAllocation(-1, 0)
      if (failure === null) {
        await undo(result)
      } else {
        counts.refused++
        assert.equal(failure.code, 'ERR_NO_MEMORY', `${name}: ${failure.stack}`)
        assert.ok(fails, `${name} was refused though nothing failed`)
        assert.deepEqual([census(), state()], before, `${name}: allocation ${after} of ${least} bytes`)
        // The operation succeeds right after the failure.
        await undo(await operation())
      }
    }
  }
}

const release = (object) => object.release()
const releaseAll = (objects) => objects.forEach(release)
const close = (pool) => pool.close()

// ── Slot pools and buffers ───────────────────────────────────────────────────────────────────────────────────────────

await drive('new SlotPool', { operation: () => new SlotPool(MEBIBYTE), undo: close })
for (const make of [
  () => new SlotPool(1000),
  () => new SlotPool(1000, { debug: true }),
  () => new SystemMemoryBuffer(),
]) {
  const buffer = make()
  const { name } = buffer.constructor
  const state = () => [buffer.length, Buffer.from(buffer.bytes).toString('latin1')]
  const drop = () => buffer.getDataOwned().release()
  buffer.write(Buffer.from('written'))
  const again = () => {
    drop()
    buffer.write(Buffer.from('written'))
  }
  await drive(`${name}.getWritable`, { operation: () => buffer.getWritable(MEBIBYTE), undo: again, state })
  await drive(`${name}.getWritable within`, { operation: () => buffer.getWritable(10), undo: again, state })
  await drive(`${name}.extendFromSlice`, {
    operation: () => buffer.extendFromSlice(Buffer.alloc(MEBIBYTE)),
    undo: again,
    state,
  })
  await drive(`${name}.write`, { operation: () => buffer.write(Buffer.alloc(MEBIBYTE)), undo: again, state })
  buffer.getWritable(2 * MEBIBYTE)
  await drive(`${name}.getWritable, shown`, {
    operation: () => buffer.getWritable(3 * MEBIBYTE),
    undo: () => {
      drop()
      buffer.getWritable(2 * MEBIBYTE)
    },
    state: () => buffer.length,
  })
  await drive(`${name}.getDataOwned`, {
    operation: () => buffer.getDataOwned(),
    undo: (slice) => {
      slice.release()
      buffer.getWritable(2 * MEBIBYTE)
    },
    state: () => buffer.length,
  })
  await drive(`${name}.truncate`, { operation: () => buffer.truncate(buffer.length), state: () => buffer.length })
  drop()
  // Small messages take all slots, and go beyond them.
  await drive(`${name}, many slices`, {
    operation: () => {
      const slices = []
      try {
        for (let count = 0; count < 12; count++) {
          buffer.write(Buffer.alloc(100))
          slices.push(buffer.getDataOwned())
        }
        return slices
      } catch (error) {
        releaseAll(slices)
        if (buffer.length > 0) drop()
        throw error
      }
    },
    undo: releaseAll,
    state: () => buffer.length,
  })
  if (buffer instanceof SlotPool) await drive(`${name}.stats`, { operation: () => buffer.stats() })
  buffer.close?.()
}

await drive('Slice.from', { operation: () => Slice.from(Buffer.alloc(MEBIBYTE)), undo: release })
await drive('Slice.bytes', {
  operation: () => {
    const slice = Slice.from(Buffer.alloc(100))
    try {
      assert.equal(slice.bytes.length, 100)
    } finally {
      slice.release()
    }
  },
})

// The tables of the isolate's objects grow, which takes large allocations.
await drive('many slices', {
  atLeast: [LARGE],
  operation: () => {
    const slices = []
    try {
      for (let count = 0; count < 40_000; count++) slices.push(Slice.from(Buffer.of(count)))
      return slices
    } catch (error) {
      // All existing objects still work.
      for (const [index, slice] of slices.entries()) assert.equal(slice.bytes[0], index % 256)
      releaseAll(slices)
      throw error
    }
  },
  undo: releaseAll,
})

// ── Budget and buddy pools ───────────────────────────────────────────────────────────────────────────────────────────

await drive('new BudgetPool', { operation: () => new BudgetPool({ bufferSize: 8, maxMemory: 64 }), undo: close })
{
  const pool = new BudgetPool({ bufferSize: 1024, maxMemory: 64 * MEBIBYTE })
  const state = () => [pool.stats().allocatedBytes, pool.stats().liveAllocations, pool.stats().waiting]
  for (const count of [1, 4096]) {
    await drive('BudgetPool.tryAllocate', { operation: () => pool.tryAllocate(count), undo: release, state })
    await drive('BudgetPool.allocate', { operation: () => pool.allocate(count, { zero: true }), undo: release, state })
    await drive('BudgetPool.allocateSync', {
      operation: () => pool.allocateSync(count, { timeoutMs: 0 }),
      undo: release,
      state,
    })
    await drive('BudgetPool.allocate, in turn', {
      operation: async () => {
        const held = pool.tryAllocate(65_535)
        let granted
        try {
          granted = [pool.allocate(count), pool.allocate(count)]
        } finally {
          setImmediate(() => held.release())
        }
        const outcomes = await Promise.allSettled(granted)
        for (const { value } of outcomes) value?.release()
        const failed = outcomes.find(({ reason }) => reason !== undefined)
        if (failed) throw failed.reason
      },
      state,
    })
  }
  await drive('BudgetAllocation.bytes', {
    operation: () => {
      const allocation = pool.tryAllocate(1)
      try {
        allocation.bytes[0] = 1
        return adopt(allocation.move())
      } catch (error) {
        allocation.release()
        throw error
      }
    },
    undo: release,
    state,
  })
  await pool.close()
}
await drive('BudgetPool.share', {
  operation: async () => {
    const pool = new BudgetPool({ bufferSize: 8, maxMemory: 64 })
    try {
      const same = adopt(pool.share())
      await same.close()
    } finally {
      await pool.close()
    }
  },
})
await drive('BudgetPool.close', {
  operation: async () => {
    const pool = new BudgetPool({ bufferSize: 8, maxMemory: 64 })
    const held = pool.tryAllocate(1)
    const closed = pool.close()
    held.release()
    await closed
  },
})

await drive('BuddyPool', {
  operation: async () => {
    const pool = new BuddyPool({ maxMemory: 2 ** 27 })
    try {
      const buffers = [pool.tryAllocate(1), pool.allocateSync(2 ** 18), await pool.allocate(2 ** 26)]
      buffers[0].bytes[0] = 1
      const moved = adopt(buffers[0].move())
      moved.release()
      releaseAll(buffers)
      pool.stats()
    } finally {
      inspectBuddies(pool)
      await pool.close()
    }
  },
})

await drive('BuddyPool on memory of a script', {
  operation: async () => {
    const blocks = new Set()
    const backend = {
      allocate: (bytes) => {
        const block = new ArrayBuffer(bytes)
        blocks.add(block)
        return block
      },
      release: (block) => assert.ok(blocks.delete(block), 'a block came back twice'),
    }
    const pool = new BuddyPool({ maxMemory: 2 ** 27, block: { backend } })
    try {
      const buffers = [pool.tryAllocate(1), pool.allocateSync(2 ** 26), await pool.allocate(1)]
      buffers[0].bytes[0] = 1
      releaseAll(buffers)
    } finally {
      inspectBuddies(pool)
      await pool.close()
      assert.equal(blocks.size, 0)
    }
  },
})

/** Checks the buffers that are alive. If a failure left a buffer in use, `pool.close()` would never resolve. */
function inspectBuddies(pool) {
  assert.ok(pool.stats().liveBuffers <= 3)
}

// ── Rings, channels, tickets ─────────────────────────────────────────────────────────────────────────────────────────

const releaseRing = ({ producer, consumer }) => releaseAll([producer, consumer])
await drive('new ByteRing', { operation: () => new ByteRing(2 * MEBIBYTE).intoParts(), undo: releaseRing })
await drive('ring traffic', {
  operation: async () => {
    const ring = new ByteRing(4096).intoParts()
    try {
      ring.producer.write(Buffer.alloc(1000))
      const target = new Uint8Array(1000)
      assert.equal(ring.consumer.read(target), 1000)
      const readable = ring.consumer.readable()
      ring.producer.write(Buffer.alloc(10))
      await readable
      ring.consumer.readableSync(1, { timeoutMs: 0 })
      ring.producer.writableSync(1, { timeoutMs: 0 })
    } finally {
      releaseRing(ring)
    }
  },
})
await drive('descriptors', {
  operation: async () => {
    const [from, to] = [openSync('LICENSE-MIT'), openSync('/dev/null', 'w')]
    const ring = new ByteRing(4096).intoParts()
    try {
      ring.producer.readFrom(from)
      ring.consumer.writeTo(to)
      await ring.producer.readFromAsync(from)
      await pump(openSync('LICENSE-MIT'), to)
    } finally {
      releaseRing(ring)
      closeSync(from)
      closeSync(to)
    }
  },
  atLeast: [LARGE],
})
await drive('SliceChannel.create', {
  operation: () => SliceChannel.create(2 ** 16),
  undo: ({ sender, receiver }) => releaseAll([sender, receiver]),
})
{
  const { sender, receiver } = SliceChannel.create(4)
  const pool = new SlotPool(1000)
  const items = {
    heap: () => Slice.from(Buffer.from('heap')),
    slot: () => {
      pool.write(Buffer.from('slot'))
      return pool.getDataOwned()
    },
  }
  const reader = FrameReader.delimited({ maxFrameLength: 100, pool })
  items.batch = () => reader.receive(Buffer.from('batch\n')).retain()
  const shown = (item) => Buffer.from(item.bytes ?? item.frame(0)).toString()
  for (const [kind, make] of Object.entries(items)) {
    const item = make()
    let held = item
    await drive(`SliceSender.send ${kind}`, {
      operation: () => assert.ok(sender.send(held)),
      undo: () => {
        held = receiver.tryReceive()
      },
      state: () => shown(held),
    })
    await drive(`SliceSender.send ${kind} with a tag`, {
      operation: () => assert.ok(sender.send(held, 1.5)),
      undo: () => {
        held = receiver.tryReceive()
        assert.equal(held.tag, 1.5)
      },
      state: () => shown(held),
    })
    await drive(`SliceReceiver.receive ${kind}`, {
      operation: async () => {
        if (held !== null) sender.send(held)
        held = null
        return receiver.receive()
      },
      undo: (received) => {
        held = received
      },
      // An item that could not be received is still in the channel.
      atLeast: [LARGE],
    })
    await drive(`move and adopt ${kind}`, {
      operation: () => {
        const ticket = held.move()
        try {
          return adopt(ticket)
        } catch (error) {
          // The ticket can be adopted later.
          held = adopt(ticket)
          throw error
        }
      },
      undo: (slice) => {
        held = slice
      },
      state: () => shown(held),
    })
    held.release()
  }
  reader[Symbol.dispose]()
  releaseAll([sender, receiver])
  pool.close()
}

// ── Budgets and framed protocols ─────────────────────────────────────────────────────────────────────────────────────

await drive('new MemoryBudget', {
  operation: () => new MemoryBudget(100).tryReserve(100),
  undo: release,
})
{
  const budget = new MemoryBudget(100)
  const state = () => {
    const { reservedBytes, waiting } = budget.stats()
    return [reservedBytes, waiting]
  }
  await drive('MemoryBudget.tryReserve', { operation: () => budget.tryReserve(60), undo: release, state })
  await drive('MemoryBudget.reserve', { operation: () => budget.reserve(60), undo: release, state })
  await drive('MemoryBudget.reserve, in turn', {
    operation: async () => {
      const held = budget.tryReserve(60)
      let granted
      try {
        granted = [budget.reserve(60), budget.reserve(60, { timeoutMs: 1000 })]
      } finally {
        setImmediate(() => held.release())
      }
      granted[0].then(release, () => {})
      const outcomes = await Promise.allSettled(granted)
      outcomes[1].value?.release()
      const failed = outcomes.find(({ reason }) => reason !== undefined)
      if (failed) throw failed.reason
    },
    state,
  })
  await drive('MemoryBudget.share', {
    operation: () => adopt(budget.share()).tryReserve(10),
    undo: release,
    state,
  })
}
/** How the frames of each kind of reader look. */
const PROTOCOLS = {
  lengthDelimited: {
    options: {},
    frame: (payload) => {
      const header = Buffer.alloc(4)
      header.writeUInt32BE(payload.length)
      return Buffer.concat([header, payload])
    },
  },
  delimited: { options: {}, frame: (payload) => Buffer.concat([payload, Buffer.of(10)]) },
  withHeader: {
    options: { headerLength: 4, frameLength: (header) => 4 + Buffer.from(header).readUInt32BE() },
    frame: (payload) => PROTOCOLS.lengthDelimited.frame(payload),
  },
}
for (const [kind, { options, frame }] of Object.entries(PROTOCOLS)) {
  for (const budgeted of [false, true]) {
    const name = `FrameReader.${kind}${budgeted ? ', with a budget' : ''}`
    const pool = new SlotPool(100_000)
    const budget = new MemoryBudget(16 * MEBIBYTE)
    const make = () =>
      FrameReader[kind]({
        ...options,
        maxFrameLength: 4 * MEBIBYTE,
        pool,
        ...(budgeted ? { budget } : {}),
      })
    const dispose = (reader) => reader[Symbol.dispose]()
    await drive(name, { operation: make, undo: dispose })
    const reader = make()
    const state = () => [reader.pending, budget.stats().reservedBytes, pool.stats().liveSlices]
    const small = Buffer.concat([frame(Buffer.alloc(1000, 1)), frame(Buffer.alloc(10, 2))])
    const done = (batch) => {
      assert.equal(batch.length, 2)
      assert.deepEqual([batch.payload(0)[999], batch.payload(1)[9]], [1, 2])
      batch.release()
    }
    await drive(`${name}, in the pool`, { operation: () => reader.receive(small), undo: done, state })
    const large = Buffer.concat([frame(Buffer.alloc(MEBIBYTE, 1)), frame(Buffer.alloc(10, 2))])
    await drive(`${name}, on the heap`, { operation: () => reader.receive(large).release(), state })
    const many = Buffer.concat(Array.from({ length: 70_000 }, () => frame(Buffer.of(1))))
    await drive(`${name}, many frames`, { operation: () => reader.receive(many).release(), atLeast: [LARGE], state })
    const begun = large.subarray(0, 700_000)
    await drive(`${name}, a frame that is cut`, {
      operation: () => assert.equal(reader.receive(begun).length, 0),
      // Its end, with frames behind it.
      undo: () => {
        assert.equal(reader.pending, begun.length)
        const batch = reader.receive(large.subarray(begun.length))
        assert.deepEqual([batch.length, batch.payload(0).length, batch.payload(1)[9]], [2, MEBIBYTE, 2])
        batch.release()
      },
      state,
    })
    reader.receive(begun)
    await drive(`${name}, the end of a frame`, {
      operation: () => reader.receive(large.subarray(begun.length)).release(),
      undo: () => reader.receive(begun),
      state,
    })
    dispose(reader)
    await drive(`${name}, attached to a stream`, {
      operation: async () => {
        const stream = new PassThrough()
        const reader = make()
        let frames = 0
        const reading = reader.attach(stream, async (batch) => {
          await null
          frames += batch.length
        })
        stream.write(small)
        stream.write(begun)
        stream.end(large.subarray(begun.length))
        try {
          await reading
          assert.equal(frames, 4)
        } finally {
          dispose(reader)
        }
      },
      state: () => [budget.stats().reservedBytes, pool.stats().liveSlices],
    })
    pool.close()
  }
}
{
  const pool = new SlotPool(100_000)
  const reader = FrameReader.delimited({ maxFrameLength: 1000, pool })
  await drive('FrameWriter', {
    operation: async () => {
      const stream = new PassThrough().resume()
      const batch = reader.receive(Buffer.from('one\ntwo\n'))
      try {
        const writer = FrameWriter.delimited(stream, { maxFrameLength: 1000 })
        writer.forward(batch)
        writer.write(Buffer.alloc(10))
        writer.write(Slice.from(Buffer.alloc(500)))
        await writer.end()
      } finally {
        batch.release()
        stream.destroy()
      }
    },
    state: () => pool.stats().liveSlices,
  })
  reader[Symbol.dispose]()
  pool.close()
}

// ── Sv2 sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────

await drive('generateAuthorityKeypair', { operation: generateAuthorityKeypair })
const { publicKey: authorityPublicKey, secretKey: authoritySecretKey } = generateAuthorityKeypair()
await drive('Sv2Session.initiator', { operation: () => Sv2Session.initiator({ authorityPublicKey }), undo: close })
await drive('Sv2Session.responder', {
  operation: () => Sv2Session.responder({ authorityPublicKey, authoritySecretKey }),
  undo: close,
})

function output(session) {
  const bytes = new Uint8Array(session.output.available)
  session.output.read(bytes)
  return bytes
}

/** Takes all bytes out of the output. */
function drain(session) {
  const parts = []
  while (session.output.available > 0) parts.push(output(session))
  return Buffer.concat(parts)
}

function pair(pool) {
  const one = Sv2Session.initiator({ authorityPublicKey })
  const other = Sv2Session.responder({
    authorityPublicKey,
    authoritySecretKey,
    pool,
    maxFrameSize: 2 ** 24 - 1,
  })
  other.receive(output(one))
  one.receive(output(other))
  return [one, other]
}

await drive('handshake', {
  operation: () => {
    const pool = new SlotPool(1000)
    pair(pool).forEach(close)
    pool.close()
  },
})
const payload = Buffer.alloc(3 * MEBIBYTE, 7)
await drive('Sv2Session.send', {
  operation: () => {
    const pool = new SlotPool(100_000)
    const [one, other] = pair(pool)
    try {
      const state = [one.state, one.stats().framesOut, one.output.available]
      try {
        one.send({ messageType: 1 }, payload)
      } catch (error) {
        assert.deepEqual([one.state, one.stats().framesOut, one.output.available], state)
        throw error
      }
      const batch = other.receive(drain(one))
      assert.equal(batch.length, 1)
      assert.ok(payload.equals(batch.at(0).payload))
      other.forward(batch, other)
      batch.release()
    } catch (error) {
      // A session that has lost its place in the stream is closed. The others continue.
      if (other.state !== 'closed') {
        drain(one)
        one.send({ messageType: 1 }, Buffer.of(1))
        assert.ok(one.output.available > 0)
      }
      throw error
    } finally {
      one.close()
      other.close()
      pool.close()
    }
  },
})
await drive('Sv2Session.receive piece by piece', {
  operation: () => {
    const pool = new SlotPool(100_000)
    const [one, other] = pair(pool)
    try {
      one.send({ messageType: 1 }, payload)
      const wire = drain(one)
      for (let start = 0; start < wire.length; start += 700_000) {
        const batch = other.receive(wire.subarray(start, start + 700_000))
        if (batch.length > 0) assert.ok(payload.equals(batch.at(0).payload))
        batch.release()
      }
    } finally {
      one.close()
      other.close()
      pool.close()
    }
  },
})
// In debug mode slices lie elsewhere.
if (!DEBUG) {
  // The session first copies bytes that lie where it writes. If there is no memory for the copy, nothing changes.
  const pool = new SlotPool(4 * MEBIBYTE)
  const [one, other] = pair(pool)
  one.send({ messageType: 1 }, Buffer.alloc(2 * MEBIBYTE, 1))
  const wire = drain(one)
  pool.getWritable(wire.length).set(wire)
  const chunk = pool.getDataOwned()
  failAllocation(0, LARGE)
  assert.throws(() => other.receive(chunk.bytes), { code: 'ERR_NO_MEMORY' })
  failAllocation(-1, 0)
  assert.equal(other.state, 'transport')
  const batch = other.receive(chunk.bytes)
  assert.equal(batch.at(0).payload.length, 2 * MEBIBYTE)
  batch.release()
  chunk.release()
  one.close()
  other.close()
  pool.close()
}

// ── Relay ────────────────────────────────────────────────────────────────────────────────────────────────────────────

// The frames of one link need memory beyond the reserve. Another link, on the same thread, goes on whatever is refused.
{
  const key = { authorityPublicKey, authoritySecretKey }
  const servers = []
  const server = createServer((socket) => {
    const session = Sv2Session.responder({ ...key, maxFrameSize: payload.length })
    servers.push(session)
    socket.on('error', () => {}).on('close', () => session.close())
    session.attach(socket, (batch) => session.forward(batch, session))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const relay = createRelay({
    ...key,
    listen: { port: 0 },
    upstream: { host: '127.0.0.1', port: server.address().port, authorityPublicKey },
    maxFrameSize: payload.length,
    onFrame: (frame, direction) => (direction === 'upstream' ? 'forward' : Buffer.from(frame.payload)),
  })
  const { port } = await relay.listen()
  const failures = []
  relay.on('disconnect', ({ code, error }) =>
    failures.push(code === 'ERR_NO_MEMORY' ? { code } : (error?.cause ?? error)),
  )
  relay.on('error', (error) => failures.push(error))

  /** Connects a miner. `round` resolves once the answer to a message has come, and rejects when the connection has closed. */
  async function miner() {
    const session = Sv2Session.initiator({ authorityPublicKey, maxFrameSize: payload.length })
    const socket = connect(port, '127.0.0.1')
    let answered = () => {}
    const closed = new Promise((resolve) => socket.on('close', resolve))
    const lost = closed.then(() => Promise.reject(new Error('the connection has closed')))
    lost.catch(() => {})
    socket.on('error', () => {}).on('close', () => session.close())
    session.attach(socket, (batch) => answered(batch.at(0).payload.length))
    await session.established()
    async function round(message) {
      const answer = new Promise((resolve) => {
        answered = resolve
      })
      session.send({ messageType: 1 }, message)
      assert.equal(await Promise.race([answer, lost]), message.length)
    }
    await round(Buffer.of(1))
    return { session, socket, closed, round }
  }

  const bystander = await miner()
  const idle = async (left) => {
    while (relay.stats().connections > left || servers.slice(left).some(({ state }) => state !== 'closed')) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  await drive('createRelay, a large frame', {
    atLeast: [LARGE],
    operation: async () => {
      failures.length = 0
      let link
      try {
        link = await miner()
        await link.round(payload)
      } catch (error) {
        // The bystander first: another allocation may be the one that fails.
        await bystander.round(Buffer.of(1))
        link?.socket.destroy()
        await idle(1)
        const all = [error, link?.session.error, ...servers.slice(1).map((session) => session.error), ...failures]
        throw all.find((failure) => failure?.code === 'ERR_NO_MEMORY') ?? error
      } finally {
        link?.socket.destroy()
        await link?.closed
        await idle(1)
        servers.length = 1
      }
      await bystander.round(Buffer.of(1))
    },
  })
  assert.ok(failures.every((failure) => failure?.code !== 'ERR_INTERNAL'))
  // Frames for which the isolate's tables have no place, and cannot grow, wait.
  const kept = []
  failAllocation(0, LARGE)
  assert.throws(
    () => {
      for (;;) kept.push(Slice.from(Buffer.of(1)))
    },
    { code: 'ERR_NO_MEMORY' },
  )
  failAllocation(0, LARGE)
  await bystander.round(Buffer.of(1))
  assert.ok(!allocationFails())
  releaseAll(kept)
  bystander.socket.destroy()
  await bystander.closed
  await relay.close({ drainMs: 0 })
  server.close()
  await idle(0)
}

// ── Inspection ───────────────────────────────────────────────────────────────────────────────────────────────────────

{
  const others = inspect().length
  const slices = Array.from({ length: 10_000 }, () => Slice.from(Buffer.of(1)))
  await drive('inspect', { operation: () => assert.equal(inspect().length, others + 10_000), atLeast: [LARGE] })
  releaseAll(slices)
}

// ── No memory at all ─────────────────────────────────────────────────────────────────────────────────────────────────

{
  const pool = new SlotPool(4096)
  const budget = new BudgetPool({ bufferSize: 64, maxMemory: 6400 })
  const ring = new ByteRing(64).intoParts()
  const frames = new SlotPool(1000)
  const [one, other] = pair(frames)
  const memory = new MemoryBudget(1000)
  const reservation = memory.tryReserve(10)
  const reader = FrameReader.delimited({ maxFrameLength: 100, pool: frames })
  const batch = reader.receive(Buffer.from('line\n')).retain()
  pool.write(Buffer.from('before'))
  const slice = pool.getDataOwned()
  const allocation = budget.tryAllocate(1)
  const kept = []
  const refused = (call) => assert.throws(call, { code: 'ERR_NO_MEMORY' })
  failAllAllocations(true)
  // The reserve serves the first requests.
  assert.throws(
    () => {
      for (;;) kept.push(Slice.from(Buffer.alloc(1000, kept.length)))
    },
    { code: 'ERR_NO_MEMORY' },
  )
  assert.ok(kept.length > 100)
  refused(() => new SlotPool(100))
  refused(() => new ByteRing(64))
  refused(() => new BuddyPool())
  refused(() => budget.tryAllocate(1))
  refused(() => budget.allocateSync(1, { timeoutMs: 0 }))
  await assert.rejects(budget.allocate(1), { code: 'ERR_NO_MEMORY' })
  await assert.rejects(ring.consumer.readable(), { code: 'ERR_NO_MEMORY' })
  refused(() => ring.consumer.readableSync(1, { timeoutMs: 0 }))
  refused(() => SliceChannel.create(1))
  refused(() => Sv2Session.initiator())
  refused(() => one.send({ messageType: 1 }, Buffer.of(1)))
  refused(() => other.receive(Buffer.alloc(100)))
  assert.deepEqual([one.state, other.state], ['transport', 'transport'])
  refused(() => new MemoryBudget(1))
  refused(() => memory.tryReserve(1))
  await assert.rejects(memory.reserve(1), { code: 'ERR_NO_MEMORY' })
  refused(() => FrameReader.delimited({ maxFrameLength: 1 }))
  refused(() => reader.receive(Buffer.from('another\n')))
  refused(() => batch.move())
  refused(() => inspect())
  refused(() => slice.move())
  refused(() => pool.getWritable(5000))
  // Operations that need no memory still work: messages at predicted places, which debug mode lacks, and every release.
  if (!DEBUG) {
    assert.equal(Buffer.from(slice.bytes).toString(), 'before')
    pool.write(Buffer.from('after'))
    const second = pool.getDataOwned()
    assert.equal(Buffer.from(second.bytes).toString(), 'after')
    assert.ok(second.release())
  }
  assert.ok(slice.release() && allocation.release() && batch.release() && reservation.release())
  reader[Symbol.dispose]()
  assert.equal(budget.stats().allocatedBytes, 0)
  ring.producer.end()
  releaseRing(ring)
  one.close()
  other.close()
  releaseAll(kept)
  await budget.close()
  // The reserve is full again, although there is still no other memory.
  const last = Slice.from(Buffer.from('last'))
  failAllAllocations(false)
  assert.equal(Buffer.from(last.bytes).toString(), 'last')
  last.release()
  pool.write(Buffer.from('more'))
  pool.getDataOwned().release()
  pool.close()
  frames.close()
}
assert.equal(census(), atFirst)

console.log(JSON.stringify(counts))
