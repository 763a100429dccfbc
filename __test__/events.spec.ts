import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  adopt,
  BuddyPool,
  BudgetPool,
  type EventMessages,
  type EventName,
  FrameReader,
  MemoryBudget,
  performanceMarks,
  SlotPool,
} from '../index.js'

const NAMES: EventName[] = [
  'framepool:created',
  'framepool:closed',
  'framepool:fallback',
  'framepool:refused',
  'framepool:wait:start',
  'framepool:wait:end',
  'framepool:reader:start',
  'framepool:reader:batch',
  'framepool:reader:end',
]

type Told = [name: string, rest: object]
let told: Told[] = []
const kinds = new Map<number, string>()

function listen(message: unknown, name: string | symbol): void {
  const { kind, id, startTime, ...rest } = message as EventMessages['framepool:wait:end']
  // One number always means one object.
  expect(kinds.get(id) ?? kind).toBe(kind)
  kinds.set(id, kind)
  if (startTime !== undefined) expect(startTime).toBeLessThanOrEqual(performance.now())
  told.push([`${kind} ${String(name).replace('framepool:', '')}`, rest])
}

beforeEach(() => {
  told = []
  for (const name of NAMES) subscribe(name, listen)
})

afterEach(() => {
  for (const name of NAMES) unsubscribe(name, listen)
})

const MIB = 2 ** 20

it('slot pools tell of slices from the heap, and of their limit', () => {
  const pool = new SlotPool(16, { slots: 1, heapLimit: 100 })
  pool.write(Buffer.alloc(10))
  const first = pool.getDataOwned()
  expect(told).toEqual([['slot-pool created', { bytes: 16 }]])
  pool.write(Buffer.alloc(60))
  const second = pool.getDataOwned()
  expect(() => pool.write(Buffer.alloc(70))).toThrow(expect.objectContaining({ code: 'ERR_MEMORY_LIMIT' }))
  first.release()
  second.release()
  pool.close()
  pool.close()
  expect(told.slice(1)).toEqual([
    ['slot-pool fallback', { bytes: 60 }],
    ['slot-pool refused', { bytes: 70 }],
    ['slot-pool closed', {}],
  ])
})

it('pools and budgets tell of waits and of refusals', async () => {
  const memory = new MemoryBudget(10)
  const held = memory.tryReserve(8)!
  expect(memory.tryReserve(3)).toBe(null)
  const waiting = memory.reserve(5)
  const late = memory.reserve(5, { timeoutMs: 1 })
  await expect(late).rejects.toMatchObject({ code: 'ERR_TIMEOUT' })
  held.release()
  ;(await waiting).release()
  ;(await memory.reserve(1)).release()
  expect(told).toEqual([
    ['memory-budget created', { bytes: 10 }],
    ['memory-budget refused', { bytes: 3 }],
    ['memory-budget wait:start', { bytes: 5 }],
    ['memory-budget wait:start', { bytes: 5 }],
    ['memory-budget wait:end', { bytes: 5, error: expect.objectContaining({ code: 'ERR_TIMEOUT' }) }],
    ['memory-budget wait:end', { bytes: 5, error: null }],
  ])

  told = []
  const budget = new BudgetPool({ bufferSize: 8, maxMemory: 16 })
  const both = budget.tryAllocate(2)!
  expect(budget.tryAllocate(1)).toBe(null)
  const one = budget.allocate(1)
  both.release()
  ;(await one).release()
  await budget.close()
  const buddies = new BuddyPool({ maxMemory: 1 })
  const whole = buddies.allocateSync(64 * MIB)
  expect(buddies.tryAllocate(1)).toBe(null)
  const small = buddies.allocate(1)
  whole.release()
  ;(await small).release()
  await buddies.close()
  expect(told).toEqual([
    ['budget-pool created', { bytes: 16 }],
    ['budget-pool refused', { bytes: 8 }],
    ['budget-pool wait:start', { bytes: 8 }],
    ['budget-pool wait:end', { bytes: 8, error: null }],
    ['budget-pool closed', {}],
    ['buddy-pool created', { bytes: 64 * MIB }],
    ['buddy-pool refused', { bytes: 1 }],
    ['buddy-pool wait:start', { bytes: 1 }],
    ['buddy-pool wait:end', { bytes: 1, error: null }],
    ['buddy-pool closed', {}],
  ])

  told = []
  const arrived = adopt(memory.share()) as MemoryBudget
  expect(arrived.maxMemory).toBe(10)
  expect(told).toEqual([['memory-budget created', { bytes: 10 }]])
})

it('readers tell of batches, of their budget and of their sockets', async () => {
  const pool = new SlotPool(64)
  const budget = new MemoryBudget(100)
  told = []
  const reader = FrameReader.delimited({ maxFrameLength: 100, pool, budget })
  expect(reader.receive(Buffer.from('a\nbc\nd')).length).toBe(2)
  reader.receive(Buffer.from('e'))
  expect(() => reader.receive(Buffer.alloc(200))).toThrow(expect.objectContaining({ code: 'ERR_MEMORY_LIMIT' }))
  expect(told).toEqual([
    ['frame-reader reader:batch', { frames: 2, bytes: expect.any(Number), pending: 1 }],
    ['frame-reader refused', { bytes: 200 }],
  ])
  reader[Symbol.dispose]()
  told = []
  const long = FrameReader.delimited({ maxFrameLength: 1000, pool })
  long.receive(Buffer.from(`${'x'.repeat(500)}\n`)).release()
  expect(told.map(([name]) => name)).toEqual(['slot-pool fallback', 'frame-reader reader:batch'])
  long[Symbol.dispose]()

  told = []
  const server = createServer().listen(0)
  await once(server, 'listening')
  const socket = connect((server.address() as { port: number }).port)
  const [peer] = (await once(server, 'connection')) as [Socket]
  const reading = FrameReader.delimited({ maxFrameLength: 10, pool }).attach(peer, () => {
    throw new Error('not this one')
  })
  socket.write('hello\n')
  await expect(reading).rejects.toThrow('not this one')
  const [second] = await Promise.all([
    once(server, 'connection') as Promise<[Socket]>,
    (async () => connect((server.address() as { port: number }).port).end('a\nb'))(),
  ])
  await FrameReader.delimited({ maxFrameLength: 10, pool }).attach(second[0], () => {})
  expect(told).toEqual([
    ['frame-reader reader:start', {}],
    ['frame-reader reader:batch', expect.objectContaining({ frames: 1, pending: 0 })],
    ['frame-reader reader:end', { error: expect.objectContaining({ message: 'not this one' }) }],
    ['frame-reader reader:start', {}],
    ['frame-reader reader:batch', expect.objectContaining({ frames: 1 })],
    ['frame-reader reader:end', { error: null }],
  ])
  socket.destroy()
  server.close()
  pool.close()
})

it('a subscriber may use and end what an event is about', () => {
  const pool = new SlotPool(4)
  const reader = FrameReader.delimited({ maxFrameLength: 100, pool })
  const meddle = (): void => {
    reader[Symbol.dispose]()
    pool.close()
  }
  subscribe('framepool:fallback', meddle)
  const batch = reader.receive(Buffer.from('long enough\n'))
  unsubscribe('framepool:fallback', meddle)
  expect(() => reader.receive(Buffer.from('a\n'))).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }))
  batch.release()
})

it('performanceMarks() makes marks and measures of events, until it is turned off', async () => {
  expect(() => performanceMarks('yes' as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }))
  performanceMarks(true)
  performanceMarks(true)
  const budget = new MemoryBudget(10)
  const held = budget.tryReserve(10)!
  await expect(budget.reserve(1, { timeoutMs: 1 })).rejects.toMatchObject({ code: 'ERR_TIMEOUT' })
  expect(performance.getEntriesByName('framepool:created')).toMatchObject([
    { entryType: 'mark', detail: { kind: 'memory-budget', bytes: 10 } },
  ])
  const waits = performance.getEntriesByName('framepool:wait')
  expect(waits).toMatchObject([{ entryType: 'measure', detail: { bytes: 1, failed: true } }])
  expect(waits[0]!.duration).toBeGreaterThan(0)
  held.release()
  performanceMarks(false)
  expect(budget.tryReserve(11 - 1)!.release()).toBe(true)
  new MemoryBudget(10)
  expect(performance.getEntriesByName('framepool:created')).toHaveLength(1)
  performance.clearMarks('framepool:created')
  performance.clearMeasures('framepool:wait')
})
