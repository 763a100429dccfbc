import { Duplex, PassThrough } from 'node:stream'
import { inspect } from 'node:util'
import * as workers from 'node:worker_threads'
import { expect, it } from 'vitest'
import {
  adopt,
  BuddyPool,
  BudgetPool,
  ByteRing,
  checkMemory,
  FrameReader,
  FrameWriter,
  MemoryBudget,
  Slice,
  SliceChannel,
  SlotPool,
  SystemMemoryBuffer,
} from '../index.js'
import { createRelay, Sv2Session } from '../src/sv2/index.js'
import { DEBUG } from './support/debug-mode.js'
import { authority, pair, wireOf } from './support/sessions.js'

it('every object says what it is, also when it is released or closed', async () => {
  const pool = new SlotPool(100)
  pool.getWritable(12)
  const slice = pool.getDataOwned()
  pool.getWritable(1)
  const second = pool.getDataOwned()
  expect(inspect(slice)).toBe('Slice { length: 12, slot: 1 }')
  expect(inspect(pool)).toMatch(
    /^SlotPool \[\s*'12------ {2}BACK MODE',\s*capacity: 100,\s*liveSlices: 2,\s*heapFallbacks: 0/,
  )
  slice.release()
  expect(inspect([slice])).toBe('[ Slice { released, length: 12 } ]')
  second.release()
  pool.close()
  expect(inspect(pool)).toBe('SlotPool { closed, capacity: 100 }')
  expect(inspect(Object.create(Slice.prototype))).toBe('Slice {}')
  const heap = Slice.from(new Uint8Array(3))
  expect(inspect(heap)).toBe('Slice { length: 3, slot: null }')
  heap.release()
  const budget = new BudgetPool({ bufferSize: 8, maxMemory: 64 })
  const allocation = budget.tryAllocate(2)!
  expect(inspect(allocation)).toBe('BudgetAllocation { length: 2, allocatedBytes: 16 }')
  expect(inspect(budget)).toContain('allocatedBytes: 16')
  const closing = budget.close()
  expect(inspect(budget)).toBe('BudgetPool { closed, maxMemory: 64, liveAllocations: 1 }')
  allocation.release()
  await closing
  expect(inspect(budget)).toBe('BudgetPool { closed, maxMemory: 64, liveAllocations: 0 }')
  const buddies = new BuddyPool({ maxMemory: 1 })
  const buffer = buddies.allocateSync(1)
  expect(inspect(buffer)).toBe('BuddyBuffer { length: 16384, capacity: 16384 }')
  buffer.release()
  expect(inspect(buffer)).toBe('BuddyBuffer { released, length: 16384 }')
  expect(inspect(buddies)).toContain('blocks: 1')
  await buddies.close()
  expect(inspect(buddies)).toBe('BuddyPool { closed, maxMemory: 67108864, liveBuffers: 0 }')
  using reader = FrameReader.delimited({ maxFrameLength: 10 })
  expect(inspect(reader.receive(Buffer.from('a\nb')))).toBe('FramedBatch { length: 1, tag: 0 }')
  expect(inspect(reader)).toBe('FrameReader { pending: 1 }')
  reader[Symbol.dispose]()
  expect(inspect(reader)).toBe('FrameReader { closed, pending: 0 }')
  const writer = FrameWriter.delimited(new PassThrough(), { maxFrameLength: 10 })
  writer.write(Buffer.from('ab'))
  expect(inspect(writer)).toBe('FrameWriter { pending: 3 }')
  writer[Symbol.dispose]()
  expect(inspect(writer)).toBe('FrameWriter { closed, pending: 0 }')
  const memory = new MemoryBudget(10)
  expect(inspect(memory)).toBe('MemoryBudget { maxMemory: 10, reservedBytes: 0, waiting: 0, peakBytes: 0 }')
  const reservation = memory.tryReserve(3)!
  expect(inspect(reservation)).toBe('Reservation { bytes: 3 }')
  reservation.release()
  expect(inspect(reservation)).toBe('Reservation { released, bytes: 3 }')
  const ring = new ByteRing(8)
  expect(inspect(ring)).toBe('ByteRing { size: 8 }')
  const { producer, consumer } = ring.intoParts()
  expect(inspect(ring)).toBe('ByteRing { released, size: 8 }')
  producer.writeAll(Uint8Array.of(1))
  expect([inspect(producer), inspect(consumer)]).toEqual([
    'Producer { size: 8, available: 7, position: 1n }',
    'Consumer { size: 8, available: 1, position: 0n }',
  ])
  consumer.release()
  expect(inspect(consumer)).toBe('Consumer { released, size: 8 }')
  const ticket = producer.move()
  expect(inspect(producer)).toBe('Producer { released, size: 8 }')
  adopt(ticket).release()
  const { sender, receiver } = SliceChannel.create()
  expect([inspect(sender), inspect(receiver)]).toEqual(['SliceSender {}', 'SliceReceiver {}'])
  const moved = sender.move()
  receiver.release()
  expect([inspect(sender), inspect(receiver)]).toEqual(['SliceSender { released }', 'SliceReceiver { released }'])
  adopt(moved).release()
  const session = Sv2Session.initiator()
  expect(inspect(session)).toBe("Sv2Session { state: 'handshake', error: null, available: 64 }")
  session.close()
})

it('frames of a session, and a relay, say what they are', async () => {
  const { responder, initiator } = pair()
  const wire = (): Buffer => wireOf(initiator, { messageType: 3, extensionType: 1 }, Buffer.from('four'))
  const batch = responder.receive(wire())
  const frame = batch.at(0)
  expect(inspect(batch)).toBe('FrameBatch { length: 1 }')
  expect(inspect(responder.receive(new Uint8Array(0)))).toBe('FrameBatch { length: 0 }')
  expect([inspect(batch), inspect(frame)]).toEqual(['FrameBatch { released }', 'Frame { released }'])
  const [second] = responder.receive(wire())
  expect(inspect(second, { compact: 5 })).toBe(
    'Frame { messageType: 3, extensionType: 1, channelMessage: false, length: 4 }',
  )
  for (const session of [responder, initiator]) session.close()
  const relay = createRelay({ listen: { port: 0 }, upstream: { host: '127.0.0.1', port: 1 }, ...authority })
  expect(inspect(relay)).toContain('Relay {\n  connections: 0')
  await relay.close()
  expect(inspect(relay)).toBe('Relay { closed, connections: 0, connectionsTotal: 0 }')
  expect(() => structuredClone(relay)).toThrow(expect.objectContaining({ name: 'DataCloneError' }))
})

it('postMessage() refuses what would arrive as an empty object, and names what to do', async () => {
  const { sender, receiver } = SliceChannel.create()
  const pool = new SlotPool(100)
  const budget = new BudgetPool({ bufferSize: 8, maxMemory: 64 })
  const buddies = new BuddyPool({ maxMemory: 1 })
  const memory = new MemoryBudget(1)
  const ring = new ByteRing(8)
  const { producer, consumer } = ring.intoParts()
  const reader = FrameReader.delimited({ maxFrameLength: 10, pool })
  const batch = reader.receive(Buffer.from('a\n'))
  const allocation = budget.tryAllocate(1)!
  const reservation = memory.tryReserve(1)!
  const session = Sv2Session.initiator()
  const writer = FrameWriter.delimited(new Duplex({ read: () => {}, write: (_, __, done) => done() }), {
    maxFrameLength: 10,
  })
  const { port1, port2 } = new workers.MessageChannel()
  const refused: [object, string][] = [
    [pool, 'move()'],
    [new SystemMemoryBuffer(), 'move()'],
    [budget, 'share()'],
    [buddies, 'share()'],
    [memory, 'share()'],
    [reservation, 'share()'],
    [allocation, 'move()'],
    [sender, 'move()'],
    [receiver, 'move()'],
    [ring, 'move()'],
    [producer, 'move()'],
    [consumer, 'move()'],
    [reader, 'move()'],
    [batch, 'move()'],
    [writer, 'move()'],
    [session, 'copies'],
  ]
  pool.write(Buffer.from('x'))
  refused.push(
    [pool.getDataOwned(), 'move()'],
    [buddies.allocateSync(1), 'move()'],
    [Slice.from(Buffer.of(1)), 'move()'],
  )
  for (const [object, what] of refused) {
    const error = expect.objectContaining({ name: 'DataCloneError', message: expect.stringContaining(what) })
    const { name } = object.constructor
    for (const message of [object, { deep: [object] }]) {
      expect(() => structuredClone(message), name).toThrow(error)
      expect(() => port1.postMessage(message), name).toThrow(error)
    }
    expect(JSON.stringify(object), name).not.toContain('uncloneable')
    expect(inspect(object), name).not.toContain('uncloneable')
  }
  port1.close()
  port2.close()
  for (const [object] of refused) (object as { release?(): boolean }).release?.()
  for (const closing of [pool, session]) closing.close()
  for (const ending of [reader, writer]) ending[Symbol.dispose]()
  await Promise.all([budget.close(), buddies.close()])
})

it('checkMemory() finds nothing where nothing is wrong', () => {
  expect(checkMemory()).toBe(0)
  expect(typeof DEBUG).toBe('boolean')
})
