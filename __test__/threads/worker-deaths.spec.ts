import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { runProgram, WORKERS } from '../support/program.js'

const text = JSON.stringify
/** Timeout of tests whose programs `runProgram` ends if they hang. */
const MAX_TIMEOUT = 2 ** 31 - 1

/** Statements that end a worker. */
const ENDS = {
  terminate: '',
  exit: 'process.exit(3)',
  throw: 'throw new Error("end")',
  // Without pending waits, the worker ends once its port is closed.
  naturally: 'parentPort.close()',
}

/** Program of a worker that holds shared and own objects of each kind, and waits for events that never come. */
const HOLDER = `
  import { parentPort, workerData } from 'node:worker_threads'
  import { adopt, BuddyPool, BudgetPool, ByteRing, Slice, SlotPool } from 'framepool'
  import { Sv2Session } from 'framepool/sv2'
  const { tickets, waiting, fifo } = workerData
  const [slice, allocation, buffer, budget, buddy, producer, consumer, reader] = tickets.map((ticket) => adopt(ticket))
  slice.bytes[0] = allocation.bytes[0] = buffer.bytes[0] = 9
  producer.write(Buffer.from('last words'))
  const more = [budget.tryAllocate(1), buddy.allocateSync(1), Slice.from(new Uint8Array(10))]
  const pool = new SlotPool(4096)
  const own = Array.from({ length: 3 }, (_, index) => (pool.getWritable(100).fill(index + 1), pool.getDataOwned()))
  const session = Sv2Session.initiator()
  const waits = []
  if (waiting) {
    waits.push(budget.allocate(8), buddy.allocate(2 ** 26), consumer.readable(), reader.readFromAsync(fifo))
    for (const wait of waits) wait.catch(() => {})
  }
  // The worker gives away one of its own slices. Another is in transit when the worker ends.
  parentPort.postMessage({ given: own[0].move(), lost: own[1].move(), lostMember: more[0].move() })
`

it.each(
  Object.entries(ENDS)
    .flatMap(([name, end]) => [true, false].map((waiting) => ({ name, end, waiting })))
    .filter(
      // Pending waits keep a worker alive, so it would not end by itself.
      ({ name, waiting }) => !(waiting && name === 'naturally'),
    ),
)('a worker that ends ($name, waiting: $waiting) gives back all that it had', ({ name, end, waiting }) => {
  const printed = runProgram(`${WORKERS}
        import { execFileSync } from 'node:child_process'
    import { openSync, readdirSync, rmSync } from 'node:fs'
    import { tmpdir } from 'node:os'
    import { adopt, BuddyPool, BudgetPool, ByteRing, SlotPool } from 'framepool'
    const path = tmpdir() + '/framepool-death-' + process.pid
    execFileSync('mkfifo', [path])
    const fifo = openSync(path, 'r+')
    const descriptors = () => readdirSync('/proc/self/fd').length
    await start('import "framepool"').gone
    const pool = new SlotPool(4096)
    const [budget, buddy] = [new BudgetPool({ bufferSize: 1024, maxMemory: 8192 }), new BuddyPool({ maxMemory: 2 ** 26 })]
    let open
    for (let round = 0; round < 5; round++) {
      pool.getWritable(100)
      const [first, second, third] = Array.from({ length: 3 }, () => new ByteRing(64).intoParts())
      const members = [pool.getDataOwned(), budget.tryAllocate(3), buddy.allocateSync(2 ** 20)]
      const tickets = [
        ...members.map((member) => member.move()),
        budget.share(),
        buddy.share(),
        first.producer.move(),
        second.consumer.move(),
        third.producer.move(),
      ]
      const worker = start(${text(`${HOLDER}; parentPort.once('message', () => { ${end} })`)}, {
        workerData: { tickets, waiting: ${waiting}, fifo },
      })
      const gone = ended(worker)
      const [{ given, lost, lostMember }] = await once(worker, 'message')
      const slice = adopt(given)
      // These requests wait for memory that the worker holds.
      const granted = [budget.allocate(8), buddy.allocate(2 ** 26)]
      // Native I/O gives the third half back on its own thread, which may be after the worker's end.
      const heard = [first.consumer.readable(64), second.producer.writable(64), third.consumer.readable(64)]
      const before = [pool.toString(), budget.stats().allocatedBytes, buddy.stats().liveBuffers]
      if (${name === 'terminate'}) worker.terminate()
      else worker.postMessage('end')
      await gone
      for (const grant of await Promise.all(granted)) grant.release()
      const [bytes, room] = await Promise.all(heard)
      const halves = [first.consumer.ended, second.producer.ended, third.consumer.ended]
      const after = [pool.toString(), budget.stats(), buddy.stats()]
      const refused = [lost, lostMember].map((ticket) => { try { adopt(ticket) } catch ({ code }) { return code } })
      const intact = slice.bytes.every((byte) => byte === 1)
      slice.release()
      for (const half of [first.consumer, second.producer, third.consumer]) half.release()
      const { allocatedBytes, liveAllocations, waiting } = after[1]
      const report = [before, bytes, room, halves, after[0], allocatedBytes, liveAllocations, waiting, after[2].liveBuffers,
        after[2].waiting, refused, intact].join()
      if (round > 0) continue
      console.log(report)
      open = descriptors()
    }
    // A leak of one in each round would make four. Some close shortly after their worker ends.
    if (descriptors() - open > 3) console.log('descriptors are left open')
    rmSync(path)
    await Promise.all([budget.close(), buddy.close()])
    pool.close()
    console.log('alive')
  `)
  const before = '1-------  BACK MODE,4096,2'
  expect(printed).toBe(
    `${before},10,64,true,true,true,--------  BACK MODE,0,0,0,0,0,ERR_TICKET,ERR_TICKET,true\nalive\n`,
  )
})

/** Program of a worker that uses shared pools, waits, gives objects away and adopts others, until it is stopped. */
const BUSY = `
  import { parentPort, workerData } from 'node:worker_threads'
  import { adopt, ByteRing, SlotPool } from 'framepool'
  const { shares, seed } = workerData
  const [budget, buddy] = shares.map((share) => adopt(share))
  const pool = new SlotPool(2 ** 16)
  let state = seed
  const below = (limit) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % limit
  const held = []
  parentPort.on('message', (ticket) => {
    try {
      held.push(adopt(ticket))
    } catch {} // the sender has ended, or closed the pool
  })
  for (;;) {
    const roll = below(100)
    if (roll < 15) held.push(budget.tryAllocate(1 + below(4)))
    else if (roll < 30) held.push(buddy.tryAllocate(1 + below(2 ** 20)))
    else if (roll < 45) {
      pool.getWritable(1 + below(2 ** 13)).fill(roll)
      held.push(pool.getDataOwned())
    } else if (roll < 48) {
      const { producer, consumer } = new ByteRing(2 ** 12).intoParts()
      consumer.readable(10).catch(() => {})
      producer.write(Buffer.alloc(below(20)))
      held.push(producer, consumer)
    } else if (roll < 51) budget.allocate(1 + below(8), { timeoutMs: 1 + below(5) }).then((it) => held.push(it), () => {})
    else if (roll < 54) buddy.allocate(1 + below(2 ** 24), { timeoutMs: 1 + below(5) }).then((it) => held.push(it), () => {})
    else if (roll < 65) {
      const [object] = held.splice(below(held.length), 1)
      try {
        if (object) parentPort.postMessage(object.move())
      } catch {} // a wait for the object is pending
    } else if (roll < 97) held.splice(below(held.length), 1)[0]?.release()
    else await new Promise(below(2) ? setImmediate : (resolve) => setTimeout(resolve, 1))
  }
`

it(
  'workers that are started and killed at random leave nothing behind',
  () => {
    // FRAMEPOOL_CHURN=10000 runs longer.
    const count = Number(process.env.FRAMEPOOL_CHURN ?? 60)
    const seed = Number(BigInt(process.env.FRAMEPOOL_SEED ?? randomBytes(4).readUInt32LE()) & 0xffff_ffffn)
    console.log(`FRAMEPOOL_SEED=${seed}`)
    const printed = runProgram(
      `${WORKERS}
    import { readFileSync } from 'node:fs'
    import { adopt, BuddyPool, BudgetPool } from 'framepool'
    const resident = () => Number(/VmRSS:\\s*(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024
    let state = ${seed}
    const below = (limit) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % limit
    const [budget, buddy] = [new BudgetPool({ bufferSize: 4096, maxMemory: 2 ** 16 }), new BuddyPool({ maxMemory: 2 ** 26 })]
    const workers = new Set()
    let [started, relayed, warm] = [0, 0, 0]
    async function one() {
      const shares = [budget.share(), buddy.share()]
      const worker = start(${text(BUSY)}, { workerData: { shares, seed: below(2 ** 32) } })
      workers.add(worker)
      // A random worker receives the object that another gives away. If it has ended, none does.
      worker.on('message', (ticket) => {
        const others = [...workers]
        others[below(others.length)]?.postMessage(ticket)
        relayed++
      })
      // Some workers are killed before they start, and most while they work.
      if (below(4)) await once(worker, 'message')
      await new Promise((resolve) => setTimeout(resolve, below(40)))
      workers.delete(worker)
      await worker.terminate()
    }
    async function several() {
      while (started < ${count}) {
        started++
        if (started === ${Math.ceil(count / 5)}) warm = resident()
        await one()
      }
    }
    await Promise.all(Array.from({ length: 4 }, several))
    const grown = Math.round(resident() - warm)
    const { allocatedBytes, liveAllocations, waiting } = budget.stats()
    const { liveBuffers, waiting: queued } = buddy.stats()
    console.log([allocatedBytes, liveAllocations, waiting, liveBuffers, queued].join(), relayed > 0)
    await Promise.all([budget.close(), buddy.close()])
    console.log('grown by', grown, 'MiB')
  `,
      60_000 + 1000 * count,
    )
    console.log(printed)
    expect(printed).toMatch(/^0,0,0,0,0 true\ngrown by -?\d+ MiB\n$/)
    // The heaps and blocks of workers come and go. A leak in each of thousands of workers would exceed this.
    expect(Number(/by (-?\d+)/.exec(printed)![1])).toBeLessThan(150)
  },
  MAX_TIMEOUT,
)

it.each(['process.exit(0)', 'for (const worker of workers) worker.unref()'])(
  'the main thread may end (%s) while workers use what it has shared',
  (end) => {
    const printed = runProgram(`${WORKERS}
      import { BuddyPool, BudgetPool } from 'framepool'
      const [budget, buddy] = [new BudgetPool({ bufferSize: 4096, maxMemory: 2 ** 16 }), new BuddyPool()]
      const held = [budget.tryAllocate(1), buddy.allocateSync(1)]
      const workers = [1, 2].map((seed) =>
        start(${text(BUSY)}, { workerData: { shares: [budget.share(), buddy.share()], seed } }),
      )
      for (const [index, worker] of workers.entries()) worker.on('message', (ticket) => workers[1 - index].postMessage(ticket))
      await Promise.all(workers.map((worker) => once(worker, 'message')))
      process.on('exit', (code) => console.log('ends with', code, held.every((member) => member.bytes.length > 0)))
      setTimeout(() => { ${end} }, 20)
    `)
    expect(printed).toBe('ends with 0 true\n')
  },
)
