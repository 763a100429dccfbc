import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { threadId } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import {
  adopt,
  BuddyPool,
  type BudgetAllocation,
  BudgetPool,
  ByteRing,
  inspect,
  Slice,
  SlotPool,
  SystemMemoryBuffer,
} from '../index.js'
import { Sv2Session } from '../src/sv2/index.js'
import { Random } from './support/random.js'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Program of a worker that holds objects and then blocks. */
const HOLD = `
  import { parentPort } from 'node:worker_threads'
  import { BudgetPool, ByteRing, Slice, SlotPool } from 'framepool'
  const pool = new SlotPool(1000)
  pool.getWritable(100)
  pool.getWritable(1)
  const held = [pool.getDataOwned(), Slice.from(new Uint8Array(33)), new ByteRing(128)]
  pool.getWritable(200)
  held.push(pool.getDataOwned())
  const budget = new BudgetPool({ bufferSize: 16, maxMemory: 1024 })
  held.push(budget.tryAllocate(5))
  // Another isolate sees the slices of a pool as of the pool's last call.
  pool.stats()
  parentPort.postMessage('ready')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  console.log(held)
`

/** Returns the objects that are new since `before`, as [kind, bytes]. */
function came(before: ReturnType<typeof inspect>, owner = threadId): [string, number][] {
  const left = before.map(({ kind, owner, bytes }) => `${kind} ${owner} ${bytes}`)
  return inspect()
    .filter((one) => {
      const at = left.indexOf(`${one.kind} ${one.owner} ${one.bytes}`)
      if (at >= 0) left.splice(at, 1)
      return at < 0 && one.owner === owner
    })
    .map(({ kind, bytes }): [string, number] => [kind, bytes])
    .sort()
}

describe('inspect', () => {
  it('lists exactly the live objects, of every kind', async () => {
    const before = inspect()
    const pool = new SlotPool(64)
    const budget = new BudgetPool({ bufferSize: 16, maxMemory: 1024 })
    const buddy = new BuddyPool()
    const memory = new SystemMemoryBuffer()
    const { producer, consumer } = new ByteRing(256).intoParts()
    const session = Sv2Session.initiator({ pool })
    pool.getWritable(10)
    const slice = pool.getDataOwned()
    const loose = Slice.from(new Uint8Array(7))
    const allocation = budget.tryAllocate(3)!
    const buffer = buddy.allocateSync(100_000)
    memory.getWritable(9)
    const found = came(before)
    const session_ = found.findIndex(([kind]) => kind === 'sv2-session')
    expect(found.splice(session_, 1)[0]![1]).toBeGreaterThan(0)
    expect(found).toEqual([
      ['allocation', 48],
      ['buddy-buffer', 262_144],
      ['buddy-pool', 67_108_864],
      ['budget-pool', 0],
      ['consumer', 256],
      ['producer', 256],
      ['slice', 10],
      ['slice', 7],
      ['slot-pool', 64],
      ['system-memory-buffer', 0],
    ])
    for (const one of [slice, loose, allocation, buffer, producer, consumer, memory.getDataOwned()]) one.release()
    pool.close()
    session.close()
    await Promise.all([budget.close(), buddy.close()])
    expect(came(before)).toEqual([])
  })

  it('is exact about the slices of this isolate, although not every slice crosses into native code', () => {
    const before = inspect()
    const pool = new SlotPool(4096)
    const random = new Random()
    const alive: Slice[] = []
    for (let step = 0; step < 2000; step++) {
      if (alive.length > 0 && random.below(2) === 0) alive.splice(random.below(alive.length), 1)[0]!.release()
      else {
        pool.getWritable(1 + random.below(900))
        if (random.below(4) > 0) alive.push(pool.getDataOwned())
      }
      if (random.below(3) > 0) continue
      const slices = alive.map(({ length }): [string, number] => ['slice', length]).sort()
      expect(came(before).filter(([kind]) => kind === 'slice')).toEqual(slices)
    }
    pool.close()
    expect(came(before).filter(([kind]) => kind === 'slice')).toHaveLength(alive.length)
    for (const slice of alive) slice.release()
    expect(came(before)).toEqual([])
  })

  it('lists objects in transit as tickets', () => {
    const before = inspect()
    const pool = new SlotPool(4096)
    const budget = new BudgetPool({ bufferSize: 16, maxMemory: 1024 })
    pool.write(new Uint8Array(11))
    const tickets = [pool.getDataOwned().move(), Slice.from(new Uint8Array(12)).move(), budget.tryAllocate(1)!.move()]
    const all = [
      ['budget-pool', 0],
      ['slot-pool', 4096],
      ['ticket', 11],
      ['ticket', 12],
      ['ticket', 16],
    ]
    expect(came(before)).toEqual(all)
    const [first, ...others] = tickets.map((ticket) => adopt<Slice | BudgetAllocation>(ticket))
    expect(came(before)).toEqual([['allocation', 16], ...all.slice(0, 1), ['slice', 11], ['slice', 12], all[1]])
    for (const one of [first!, ...others]) one.release()
    pool.close()
    return budget.close()
  })

  it('changes nothing', () => {
    const pool = new SlotPool(64)
    const view = pool.getWritable(4)
    inspect()
    view.set([1, 2, 3, 4])
    pool.getWritable(2).fill(5)
    inspect()
    const slice = pool.getDataOwned()
    inspect()
    expect(slice.bytes).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 5))
    slice.release()
    inspect()
    expect(pool.toString()).toBe('--------  BACK MODE')
    pool.close()
  })

  it('tells stacks and times only in debug mode', () => {
    const pool = new SlotPool(12_345, { debug: false })
    const plain = inspect().find(({ kind, bytes }) => kind === 'slot-pool' && bytes === 12_345)
    expect(plain).toEqual({ kind: 'slot-pool', owner: threadId, bytes: 12_345 })
    pool.close()
  })

  it('lists the objects of blocked isolates until they end', () => {
    // Runs in a separate process, where the workers load the same addon as the main thread.
    const program = `
      import { once } from 'node:events'
      import { Worker } from 'node:worker_threads'
      import { inspect } from 'framepool'
      const worker = new Worker(${JSON.stringify(HOLD)}, { eval: true, execArgv: ['--input-type=module'] })
      await once(worker, 'message')
      const owner = worker.threadId
      const lists = [inspect()]
      await worker.terminate()
      lists.push(inspect())
      console.log(JSON.stringify(lists.map((list) => list.map((one) => [one.owner === owner, one.kind, one.bytes]))))
    `
    const args = ['--input-type=module', '-e', program]
    const printed = execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
    const [during, after] = JSON.parse(printed) as [boolean, string, number][][]
    expect(during!.sort()).toEqual([
      [true, 'allocation', 80],
      [true, 'budget-pool', 0],
      [true, 'consumer', 128],
      [true, 'producer', 128],
      [true, 'slice', 101],
      [true, 'slice', 200],
      [true, 'slice', 33],
      [true, 'slot-pool', 1000],
    ])
    expect(after).toEqual([])
  })
})
