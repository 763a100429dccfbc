import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { runProgram, WORKERS } from '../support/program.js'

const text = JSON.stringify
/** Timeout of tests whose programs `runProgram` ends if they hang. */
const MAX_TIMEOUT = 2 ** 31 - 1

/** Program of a worker that adopts each ticket, reports the contents, and sends the object back. */
const ECHO = `
  import { createHash } from 'node:crypto'
  import { BroadcastChannel, parentPort, workerData } from 'node:worker_threads'
  import { adopt } from 'framepool'
  function echo(ticket, port) {
    const object = adopt(ticket)
    const hash = createHash('sha256').update(object.bytes).digest('hex')
    port.postMessage({ hash, ticket: object.move() })
  }
  if (workerData) echo(workerData, parentPort)
  parentPort.on('message', (message) => {
    if (message.port) message.port.on('message', (ticket) => (echo(ticket, message.port), message.port.close()))
    else echo(message, parentPort)
  })
  const channel = new BroadcastChannel('there')
  const back = new BroadcastChannel('back')
  channel.onmessage = ({ data }) => echo(data, back)
  parentPort.postMessage('ready')
`

it('tickets travel by any kind of clone', () => {
  const printed = runProgram(`${WORKERS}
    import { createHash, randomBytes } from 'node:crypto'
    import { BroadcastChannel, MessageChannel } from 'node:worker_threads'
    import { adopt, BuddyPool, BudgetPool, Slice, SlotPool, SystemMemoryBuffer } from 'framepool'
    const bytes = randomBytes(1000)
    const slotPool = new SlotPool(4096)
    const [budget, buddy] = [new BudgetPool({ bufferSize: 8, maxMemory: 4096 }), new BuddyPool()]
    const filled = (object) => (object.bytes.set(bytes), object)
    const taken = (buffer) => (buffer.writeAll(bytes), buffer.getDataOwned())
    const make = {
      slot: () => taken(slotPool),
      heap: () => taken(new SlotPool(10)),
      system: () => taken(new SystemMemoryBuffer()),
      copy: () => Slice.from(bytes),
      empty: () => slotPool.getDataOwned(),
      budget: () => filled(budget.tryAllocate(125)),
      buddy: () => {
        const buffer = buddy.allocateSync(1000)
        buffer.setLength(1000)
        return filled(buffer)
      },
    }
    const worker = start(${text(ECHO)})
    await once(worker, 'message')
    const [there, back] = [new BroadcastChannel('there'), new BroadcastChannel('back')]
    const carriers = {
      async postMessage(ticket) {
        worker.postMessage(ticket)
        return (await once(worker, 'message'))[0]
      },
      async MessagePort(ticket) {
        const { port1, port2 } = new MessageChannel()
        worker.postMessage({ port: port2 }, [port2])
        port1.postMessage(ticket)
        const [reply] = await once(port1, 'message')
        port1.close()
        return reply
      },
      async BroadcastChannel(ticket) {
        there.postMessage(ticket)
        return (await new Promise((resolve) => (back.onmessage = resolve))).data
      },
      async workerData(ticket) {
        const other = start(${text(ECHO)}, { workerData: ticket })
        const [reply] = await once(other, 'message')
        await new Promise((resolve) => other.once('message', resolve))
        reply.object = adopt(reply.ticket)
        await other.terminate()
        return reply
      },
    }
    for (const [name, carry] of Object.entries(carriers)) {
      for (const [kind, object] of Object.entries(make).map(([kind, make]) => [kind, make()])) {
        const before = Buffer.from(object.bytes)
        const { hash, ticket, object: adopted } = await carry(object.move())
        const after = adopted ?? adopt(ticket)
        const same = hash === createHash('sha256').update(before).digest('hex') && before.equals(after.bytes)
        if (!same || !after.release()) throw new Error(kind + ' by ' + name)
      }
    }
    there.close()
    back.close()
    await worker.terminate()
    console.log(slotPool.toString(), budget.stats().allocatedBytes, buddy.stats().liveBuffers)
  `)
  expect(printed).toBe('--------  BACK MODE 0 0\n')
})

/** Program of a worker that holds slices for a given time, and reports whether their bytes stayed the same. */
const HOLDER = `
  import { parentPort } from 'node:worker_threads'
  import { adopt } from 'framepool'
  parentPort.on('message', ({ tickets, seed, ms }) => {
    const slices = tickets.map((ticket) => adopt(ticket))
    parentPort.postMessage('arrived')
    const intact = () => slices.every(({ bytes }, index) => bytes.every((byte, at) => byte === ((seed + index + at) & 255)))
    const before = intact()
    setTimeout(() => {
      const after = intact()
      for (const slice of slices) slice.release()
      parentPort.postMessage(before && after)
    }, ms)
  })
`

/** Source that sends slices to a worker, up to `atOnce` messages at a time. */
const SEND = `${WORKERS}
  import { setImmediate } from 'node:timers/promises'
  import { SlotPool } from 'framepool'
  const worker = start(${text(HOLDER)})
  let [underWay, held, changed] = [0, 0, 0]
  worker.on('message', (message) => {
    if (message === 'arrived') return underWay--
    held--
    if (!message) changed++
  })
  async function send(pool, lengths, seed, ms, atOnce) {
    const tickets = lengths.map((length, index) => {
      const view = pool.getWritable(length)
      for (let at = 0; at < length; at++) view[at] = seed + index + at
      return pool.getDataOwned().move()
    })
    worker.postMessage({ tickets, seed, ms })
    underWay++
    held++
    while (held >= atOnce) await setImmediate()
  }
`

it('1,000 pairs of slices, each held by a worker for 1 ms, do not change, and all slots come back', () => {
  const printed = runProgram(`${SEND}
    const pool = new SlotPool(2 ** 18)
    for (let round = 0; round < 1000; round++) {
      // From 4 to 16 KiB, as in the original benchmark.
      const length = 4096 + ((round * 7919) % 12_289)
      await send(pool, [length, length], round, 1, 5)
    }
    while (held > 0) await setImmediate()
    const { slots, liveSlices, heapFallbacks } = pool.stats()
    pool.getWritable(1)
    console.log(changed, slots, liveSlices, pool.isDroppable, heapFallbacks < 2000, pool.getDataOwned().bytes.byteOffset)
    await worker.terminate()
  `)
  expect(printed).toBe('0 -------- 0 true true 0\n')
})

it(
  'slices keep their bytes for any time in another thread, whatever the capacity',
  () => {
    // FRAMEPOOL_FUZZ_MS=7200000 runs for two hours.
    const milliseconds = Number(process.env.FRAMEPOOL_FUZZ_MS ?? 1500)
    const seed = process.env.FRAMEPOOL_SEED ?? randomBytes(8).readBigUInt64LE()
    console.log(`FRAMEPOOL_SEED=${seed}`)
    const printed = runProgram(
      `${SEND}
    let state = ${seed}n
    function below(limit) {
      // splitmix64
      state = (state + 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn
      let mixed = state
      mixed = ((mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n) & 0xffffffffffffffffn
      mixed = ((mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn) & 0xffffffffffffffffn
      return Number((mixed ^ (mixed >> 31n)) >> 32n) % limit
    }
    const edges = [0, 1, 7, 8, 64, 4096, 2 ** 16, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1]
    const end = Date.now() + ${milliseconds}
    let pools = 0
    do {
      const capacity = below(2) ? edges[below(edges.length)] : below(2 ** below(33))
      const pool = new SlotPool(capacity)
      const longest = 1 + Math.min(2 ** 15, below(2) ? capacity : Math.ceil(capacity / 8))
      for (let round = 0; round < 30; round++) {
        const lengths = Array.from({ length: 1 + below(4) }, () => below(longest + 1))
        await send(pool, lengths, below(256), below(5), 1 + below(6))
      }
      while (underWay > 0) await setImmediate()
      pool.close() // some are still held
      pools++
    } while (Date.now() < end)
    while (held > 0) await setImmediate()
    console.log(changed, pools > 1)
    await worker.terminate()
  `,
      60_000 + milliseconds,
    )
    expect(printed).toBe('0 true\n')
  },
  MAX_TIMEOUT,
)

it('a shared budget serves requests in order, across isolates', () => {
  const printed = runProgram(`${WORKERS}
    import { BudgetPool } from 'framepool'
    const pool = new BudgetPool({ bufferSize: 1024, maxMemory: 8192 })
    const turns = new Int32Array(new SharedArrayBuffer(8))
    const order = []
    const all = pool.tryAllocate(8)
    const workers = []
    for (let place = 0; place < 4; place++) {
      const worker = start(${text(`
        import { parentPort, workerData } from 'node:worker_threads'
        import { adopt } from 'framepool'
        const { ticket, turns } = workerData
        const pool = adopt(ticket)
        const waiting = pool.allocate(8)
        parentPort.postMessage('waits')
        const allocation = await waiting
        parentPort.postMessage(Atomics.add(turns, 0, 1))
        allocation.release()
      `)}, { workerData: { ticket: pool.share(), turns } })
      await once(worker, 'message')
      worker.on('message', (turn) => (order[place] = turn))
      workers.push(worker)
    }
    const { waiting } = pool.stats()
    const mine = pool.allocate(8).then((allocation) => (allocation.release(), Atomics.add(turns, 0, 1)))
    all.release()
    await Promise.all(workers.map((worker) => worker.gone))
    console.log(waiting, order.join(), await mine, pool.stats().allocatedBytes)
    await pool.close()
  `)
  expect(printed).toBe('4 0,1,2,3 4 0\n')
})

it('any isolate can close a shared pool, which resolves with the last release in any isolate', () => {
  const printed = runProgram(`${WORKERS}
    import { BuddyPool, BudgetPool } from 'framepool'
    const pools = [new BudgetPool({ bufferSize: 1024, maxMemory: 8192 }), new BuddyPool({ maxMemory: 2 ** 26 })]
    const [allocation, buffer] = [pools[0].tryAllocate(8), pools[1].allocateSync(2 ** 26)]
    buffer.bytes[5] = 5
    const workerData = { shares: pools.map((pool) => pool.share()), members: [allocation.move(), buffer.move()] }
    const worker = start(${text(`
      import { parentPort, workerData } from 'node:worker_threads'
      import { adopt } from 'framepool'
      const pools = workerData.shares.map((share) => adopt(share))
      const members = workerData.members.map((member) => adopt(member))
      const view = members[1].bytes
      const waits = pools.map((pool) => pool.allocate(8).catch(({ code }) => code))
      parentPort.once('message', async () => {
        const refused = pools.map((pool) => { try { pool.tryAllocate(1) } catch ({ code }) { return code } })
        const codes = await Promise.all(waits)
        const seen = members[1].bytes[5]
        for (const member of members) member.release()
        await Promise.all(pools.map((pool) => pool.close()))
        parentPort.postMessage([refused, codes, seen, view.length, pools[1].stats().blocks])
      })
      parentPort.postMessage('waits')
    `)}, { workerData })
    await once(worker, 'message')
    const stats = pools.map((pool) => pool.stats().waiting)
    const closing = pools.map((pool) => pool.close())
    worker.postMessage('closed')
    const [theirs] = await once(worker, 'message')
    await Promise.all(closing)
    console.log(stats.join(), theirs.join(), pools[1].stats().blocks)
  `)
  expect(printed).toBe('1,1 ERR_CLOSED,ERR_CLOSED,ERR_CLOSED,ERR_CLOSED,5,0,0 0\n')
})

it('the halves of a ring work in any two isolates', () => {
  const printed = runProgram(`${WORKERS}
    import { createHash } from 'node:crypto'
    import { ByteRing } from 'framepool'
    const { producer, consumer } = new ByteRing(2 ** 16).intoParts()
    producer.write(Buffer.from('first')) // the bytes in the ring move along
    const writer = start(${text(`
      import { createHash, randomBytes } from 'node:crypto'
      import { parentPort, workerData } from 'node:worker_threads'
      import { adopt } from 'framepool'
      const producer = adopt(workerData)
      const hash = createHash('sha256').update('first')
      for (let written = 0; written < 2 ** 24; ) {
        const bytes = randomBytes(1 + ((written * 31) % 10_000))
        producer.writableSync(bytes.length, { timeoutMs: 60_000 })
        producer.writeAll(bytes)
        hash.update(bytes)
        written += bytes.length
      }
      producer.release()
      parentPort.postMessage(hash.digest('hex'))
    `)}, { workerData: producer.move() })
    const reader = start(${text(`
      import { createHash } from 'node:crypto'
      import { parentPort, workerData } from 'node:worker_threads'
      import { adopt } from 'framepool'
      const consumer = adopt(workerData)
      const hash = createHash('sha256')
      while ((await consumer.readable()) > 0) {
        consumer.ioSlices(([first, second], length) => (hash.update(first).update(second), length))
      }
      parentPort.postMessage({ hash: hash.digest('hex'), position: consumer.position, ended: consumer.ended })
    `)}, { workerData: consumer.move() })
    const [[written], [read]] = await Promise.all([once(writer, 'message'), once(reader, 'message')])
    console.log(written === read.hash, read.position > 2n ** 24n, read.ended)
  `)
  expect(printed).toBe('true true true\n')
})

it('an isolate frees its views of another’s pool when the pool is closed and its last slice is released', () => {
  const printed = runProgram(`${WORKERS}
    import { readFileSync } from 'node:fs'
    import { SlotPool } from 'framepool'
    const resident = () => Number(/VmRSS:\\s*(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024
    const worker = start(${text(`
      import { parentPort } from 'node:worker_threads'
      import { adopt } from 'framepool'
      let slice
      parentPort.on('message', (ticket) => {
        if (ticket) {
          slice = adopt(ticket)
          slice.bytes.fill(1)
        } else {
          slice.release()
        }
        parentPort.postMessage(0)
      })
    `)})
    const before = resident()
    let peak = 0
    for (let round = 0; round < 20; round++) {
      const pool = new SlotPool(2 ** 26)
      pool.getWritable(2 ** 26)
      worker.postMessage(pool.getDataOwned().move())
      await once(worker, 'message')
      pool.close()
      worker.postMessage(null)
      await once(worker, 'message')
      peak = Math.max(peak, resident() - before)
    }
    // Each pool has 64 MiB, and at most one exists at a time.
    console.log(peak < 100)
    await worker.terminate()
  `)
  expect(printed).toBe('true\n')
})
