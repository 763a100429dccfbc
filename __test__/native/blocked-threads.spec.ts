import vm from 'node:vm'
import { expect, it } from 'vitest'
import { adopt, BudgetPool, ByteRing, SliceChannel } from '../../index.js'
import { codeOf } from '../support/code-of.js'
import { runProgram, WORKERS } from '../support/program.js'

/** Timeout of waits that are interrupted: far more than any test takes. */
const LONG = 100_000

/**
 * Each `…Sync` method in a wait that nothing ends. `make` returns the worker's ticket, and `wait` waits on its object.
 */
const PREPARE = `${WORKERS}
  import { BudgetPool, ByteRing, SliceChannel } from 'framepool'
  const budget = new BudgetPool({ bufferSize: 8, maxMemory: 16 })
  const held = budget.tryAllocate(2)
  const full = new ByteRing(64).intoParts()
  full.producer.write(Buffer.alloc(64))
  // Keeps the other ends from being collected.
  const kept = [full.consumer]
  const waits = {
    'SliceReceiver.receiveSync': () => {
      const { sender, receiver } = SliceChannel.create(2)
      kept.push(sender)
      return [receiver.move(), 'x.receiveSync({ timeoutMs: ${LONG} })']
    },
    'Consumer.readableSync': () => {
      const { producer, consumer } = new ByteRing(64).intoParts()
      kept.push(producer)
      return [consumer.move(), 'x.readableSync(1, { timeoutMs: ${LONG} })']
    },
    'Producer.writableSync': () => [full.producer.move(), 'x.writableSync(1, { timeoutMs: ${LONG} })'],
    'BudgetPool.allocateSync': () => [budget.share(), 'x.allocateSync(1, { timeoutMs: ${LONG} })'],
  }
  async function block(name) {
    const [ticket, wait] = waits[name]()
    const source = "import { parentPort, workerData } from 'node:worker_threads'; import { adopt } from 'framepool';" +
      'const x = adopt(workerData); parentPort.postMessage(0); ' + wait
    const worker = start(source, { workerData: ticket })
    await once(worker, 'message')
    await new Promise((resolve) => setTimeout(resolve, 50))
    return worker
  }
`

const METHODS = [
  'SliceReceiver.receiveSync',
  'Consumer.readableSync',
  'Producer.writableSync',
  'BudgetPool.allocateSync',
] as const

it.each(METHODS)('terminate() ends a worker in %s at once', (method) => {
  const printed = runProgram(`${PREPARE}
    const worker = await block('${method}')
    const begun = performance.now()
    await worker.terminate()
    console.log(performance.now() - begun)
    if (budget.stats().waiting !== 0) throw new Error('it is still in the queue')
  `)
  expect(Number(printed)).toBeLessThan(5000)
})

it.each(METHODS)('process.exit() does not wait for a worker in %s', (method) => {
  const start = performance.now()
  runProgram(`${PREPARE}
    await block('${method}')
    process.exit()
  `)
  expect(performance.now() - start).toBeLessThan(LONG / 4)
})

it('a blocked worker keeps its place in the queue, and a grant wakes it', () => {
  const printed = runProgram(`${WORKERS}
    import { BudgetPool } from 'framepool'
    const pool = new BudgetPool({ bufferSize: 8, maxMemory: 32 })
    const held = Array.from({ length: 4 }, () => pool.tryAllocate(1))
    const worker = start(\`
      import { parentPort, workerData } from 'node:worker_threads'
      import { adopt } from 'framepool'
      const pool = adopt(workerData)
      parentPort.postMessage('waits')
      const three = pool.allocateSync(3, { timeoutMs: ${LONG} })
      parentPort.postMessage(pool.stats().waiting)
      await new Promise((resolve) => setTimeout(resolve, 50))
      three.release()
    \`, { workerData: pool.share() })
    await once(worker, 'message')
    while (pool.stats().waiting === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    const order = []
    const behind = pool.allocate(2).then(() => order.push('behind'))
    const served = once(worker, 'message').then(([waiting]) => order.push('worker', waiting))
    // Enough memory for the request behind it, many times over.
    for (const allocation of held.splice(0, 2)) {
      allocation.release()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    order.push(pool.stats().waiting)
    held.pop().release()
    await Promise.all([served, behind])
    console.log(JSON.stringify(order))
  `)
  expect(JSON.parse(printed)).toEqual([2, 'worker', 1, 'behind'])
})

it('a worker that is ended in a wait gives back its place or its grant', () => {
  const printed = runProgram(`${WORKERS}
    import { BudgetPool } from 'framepool'
    const pool = new BudgetPool({ bufferSize: 8, maxMemory: 16 })
    for (let round = 0; round < 12; round++) {
      const held = pool.tryAllocate(2)
      const worker = start(\`
        import { parentPort, workerData } from 'node:worker_threads'
        import { adopt } from 'framepool'
        const pool = adopt(workerData)
        parentPort.postMessage(0)
        pool.allocateSync(2, { timeoutMs: ${LONG} })
      \`, { workerData: pool.share() })
      await once(worker, 'message')
      while (pool.stats().waiting === 0) await new Promise((resolve) => setTimeout(resolve, 1))
      const behind = pool.allocate(1)
      const gone = worker.terminate()
      // The memory comes before, while and after the worker ends.
      if (round % 3 !== 0) await new Promise((resolve) => setTimeout(resolve, round % 3))
      held.release()
      await gone
      ;(await behind).release()
      const { waiting, allocatedBytes } = pool.stats()
      if (waiting !== 0 || allocatedBytes !== 0) throw new Error(JSON.stringify(pool.stats()))
    }
    console.log('done')
  `)
  expect(printed).toBe('done\n')
})

it('a wait that is interrupted in a live isolate leaves nothing in the queue', async () => {
  const pool = new BudgetPool({ bufferSize: 8, maxMemory: 16 })
  const held = pool.tryAllocate(2)!
  const cutOff = (script: string): void => {
    const context = { pool, consumer: new ByteRing(64).intoParts().consumer, receiver: SliceChannel.create(2).receiver }
    expect(codeOf(() => vm.runInNewContext(script, context, { timeout: 50 }))).toBe('ERR_SCRIPT_EXECUTION_TIMEOUT')
  }
  cutOff(`pool.allocateSync(2, { timeoutMs: ${LONG} })`)
  expect(pool.stats().waiting).toBe(0)
  // The next call may itself wait.
  cutOff(`pool.allocateSync(2, { timeoutMs: ${LONG} })`)
  expect(codeOf(() => pool.allocateSync(1, { timeoutMs: 0 }))).toBe('ERR_TIMEOUT')
  expect(pool.stats().waiting).toBe(0)
  cutOff(`pool.allocateSync(2, { timeoutMs: ${LONG} })`)
  // The grant may have come before the interruption.
  held.release()
  expect(pool.tryAllocate(2)?.release()).toBe(true)
  cutOff(`consumer.readableSync(1, { timeoutMs: ${LONG} })`)
  cutOff(`receiver.receiveSync({ timeoutMs: ${LONG} })`)
  // The deadline of an interrupted wait does not apply to the next wait.
  expect(codeOf(() => new ByteRing(64).intoParts().consumer.readableSync(1, { timeoutMs: 1 }))).toBe('ERR_TIMEOUT')
  await pool.close()
})

it('a wait lasts for its timeout, and not at all with a timeout of 0', () => {
  const pool = new BudgetPool({ bufferSize: 8, maxMemory: 16 })
  const held = pool.tryAllocate(2)!
  const { producer, consumer } = new ByteRing(64).intoParts()
  const { sender, receiver } = SliceChannel.create(2)
  for (const timeoutMs of [0, 1, 9, 10, 11, 45]) {
    for (const wait of [
      () => pool.allocateSync(1, { timeoutMs }),
      () => consumer.readableSync(1, { timeoutMs }),
      () => receiver.receiveSync({ timeoutMs }),
    ]) {
      const start = performance.now()
      expect(codeOf(wait)).toBe('ERR_TIMEOUT')
      // Allows for rounding of clocks.
      expect(performance.now() - start).toBeGreaterThan(timeoutMs - 1)
    }
  }
  expect(pool.stats().waiting).toBe(0)
  producer.write(Uint8Array.of(1))
  expect(consumer.readableSync(1, { timeoutMs: 0 })).toBe(1)
  held.release()
  expect(pool.allocateSync(2, { timeoutMs: 0 }).release()).toBe(true)
  sender.release()
  expect(receiver.receiveSync({ timeoutMs: 0 })).toBeNull()
  expect(adopt(consumer.move()).readableSync(1, { timeoutMs: 0 })).toBe(1)
})
