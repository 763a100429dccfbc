import { execFileSync } from 'node:child_process'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, vi } from 'vitest'
import {
  adopt,
  BuddyPool,
  BudgetPool,
  ByteRing,
  type Consumer,
  Slice,
  SlotPool,
  SystemMemoryBuffer,
  type Ticket,
} from '../../index.js'
import { Sv2Session } from '../../src/sv2/index.js'
import { codeOf, codeOfRejection } from '../support/code-of.js'
import { DEBUG } from '../support/debug-mode.js'
import { detachByStream } from '../support/detach.js'
import { pattern } from '../support/pattern.js'

/** Makers of each kind of object that can be moved. All hold the bytes `pattern(1000)`. */
const movables: Record<string, () => { bytes: Uint8Array; release(): boolean; move(): Ticket<{ bytes: Uint8Array }> }> =
  {
    'a slice of a pool': () => {
      const pool = new SlotPool(4096)
      pool.writeAll(pattern(100))
      pool.getDataOwned()
      pool.writeAll(pattern(1000))
      return pool.getDataOwned()
    },
    'a slice that found no room in its pool': () => {
      const pool = new SlotPool(10)
      pool.writeAll(pattern(1000))
      return pool.getDataOwned()
    },
    'a slice of a pool of capacity 0': () => {
      const pool = new SlotPool(0)
      pool.writeAll(pattern(1000))
      return pool.getDataOwned()
    },
    'a slice of a SystemMemoryBuffer': () => {
      const buffer = new SystemMemoryBuffer()
      buffer.writeAll(pattern(1000))
      return buffer.getDataOwned()
    },
    'a slice from the heap': () => Slice.from(pattern(1000)),
    'an empty slice': () => new SlotPool(8).getDataOwned(),
    'an allocation': () => {
      const allocation = new BudgetPool({ bufferSize: 8, maxMemory: 1000 }).tryAllocate(125)!
      allocation.bytes.set(pattern(1000))
      return allocation
    },
    'a buddy buffer': () => {
      const buffer = new BuddyPool().allocateSync(1000)
      buffer.setLength(0)
      buffer.extendFromSlice(pattern(1000))
      return buffer
    },
  }

describe.each(Object.entries(movables))('%s', (_, make) => {
  it('is left by move(), and given back by adopt()', () => {
    const before = make()
    const bytes = Uint8Array.from(before.bytes)
    const ticket = structuredClone(before.move())
    expect(ticket).toEqual({ framepool: expect.stringMatching(/^[0-9a-f]{32}$/) })
    expect(codeOf(() => before.bytes)).toBe('ERR_RELEASED')
    expect(codeOf(() => before.move())).toBe('ERR_RELEASED')
    expect(before.release()).toBe(false)

    const after = adopt(ticket as ReturnType<typeof before.move>) as typeof before
    expect(after).toBeInstanceOf(before.constructor)
    expect(after === before).toBe(false)
    expect(after.bytes).toEqual(bytes)
    expect(codeOf(() => adopt(ticket))).toBe('ERR_TICKET')

    // The object can move again.
    const last = adopt(after.move()) as typeof before
    expect(last.bytes).toEqual(bytes)
    expect(after.release()).toBe(false)
    expect(last.release()).toBe(true)
    expect(last.release()).toBe(false)
    expect(codeOf(() => last.move())).toBe('ERR_RELEASED')
  })
})

describe('tickets', () => {
  it.each([undefined, null, 5, 'a string', Symbol('ticket'), () => {}])('cannot be %s', (value) => {
    expect(codeOf(() => adopt(value as never))).toBe('ERR_INVALID_ARG_TYPE')
  })

  const good = '0123456789abcdef0123456789abcdef'
  it.each([
    {},
    { framepool: 5 },
    { framepool: '' },
    { framepool: good },
    { framepool: good.toUpperCase() },
    { framepool: `${good}0` },
    { framepool: `+${good.slice(1)}` },
    { framepool: good.replaceAll('a', 'ä') },
    { framepool: good.replaceAll('a', '\u0000') },
    { framepool: good.repeat(100_000) },
    { framepool: Object(good) },
    [good],
  ])('that were never given are refused', (value) => {
    expect(codeOf(() => adopt(value as never))).toBe('ERR_TICKET')
  })

  it('are compared exactly: no other character counts as a digit', () => {
    const ticket = Slice.from(Uint8Array.of(7)).move()
    const text = ticket.framepool as unknown as string
    const codes = [...text].map((digit) => digit.charCodeAt(0))
    const others = [
      ...[0x100, 0x200, 0xff00].map((more) => String.fromCharCode(...codes.map((code) => code + more))),
      ...codes.map((code, at) => text.slice(0, at) + String.fromCharCode(code + 0x100) + text.slice(at + 1)),
      // These characters take one byte in some encodings only.
      ...codes.map((code, at) => text.slice(0, at) + String.fromCharCode(code + 0x80) + text.slice(at + 1)),
      `${text}\0`,
      text.slice(0, 31),
      text.slice(0, 31) + String.fromCharCode(0xd800),
    ]
    for (const other of others) expect(codeOf(() => adopt({ framepool: other } as never))).toBe('ERR_TICKET')
    // The same text may be stored with two bytes for each character.
    const wide = `\u{100}${text}`.slice(1)
    const slice = adopt({ framepool: wide } as unknown as typeof ticket)
    expect(slice.bytes).toEqual(Uint8Array.of(7))
    slice.release()
  })

  it('are read once', () => {
    const slice = Slice.from(pattern(10))
    const { framepool } = slice.move()
    let reads = 0
    const ticket = {
      get framepool(): string {
        reads++
        return framepool
      },
    }
    expect(adopt<Slice>(ticket).bytes).toEqual(Uint8Array.from(pattern(10)))
    expect(reads).toBe(1)
  })

  it('pass on the error that reading them throws, and stay valid', () => {
    const ticket = Slice.from(pattern(10)).move()
    const failing = {
      get framepool(): string {
        throw new Error('not now')
      },
    }
    expect(() => adopt(failing)).toThrow('not now')
    expect(adopt(ticket).length).toBe(10)
  })

  it('are refused in another process', () => {
    const program = `import { Slice } from 'framepool'; console.log(Slice.from(new Uint8Array(8)).move().framepool)`
    const printed = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      encoding: 'utf8',
    })
    expect(printed).toMatch(/^[0-9a-f]{32}\n$/)
    expect(codeOf(() => adopt({ framepool: printed.trim() }))).toBe('ERR_TICKET')
  })
})

describe('a slice that has left its pool', () => {
  function moved(pool: SlotPool, length = 5): Ticket<Slice> {
    pool.getWritable(length).fill(length)
    return pool.getDataOwned().move()
  }

  it.skipIf(DEBUG)('keeps its slot until its release, which the pool learns of at its next call', () => {
    const pool = new SlotPool(64)
    const tickets = [moved(pool), moved(pool), moved(pool)]
    expect(pool.toString()).toBe('123-----  BACK MODE')
    const slices = tickets.map((ticket) => adopt(ticket))
    expect(slices.map(({ slot }) => slot)).toEqual([1, 2, 3])
    expect(pool.stats().liveSlices).toBe(3)
    expect(pool.isDroppable).toBe(false)
    slices[1]!.release()
    expect(pool.toString()).toBe('1-3-----  BACK MODE')
    slices[0]!.release()
    slices[2]!.release()
    expect(pool.isDroppable).toBe(true)
    expect(pool.stats()).toMatchObject({ slots: '--------', liveSlices: 0 })
    pool.getWritable(5)
    expect(pool.toString()).toBe('--------  BACK MODE')
    expect(pool.getDataOwned().bytes.byteOffset).toBe(0)
  })

  it.skipIf(DEBUG)('may lie at the place of the slice before it', () => {
    const pool = new SlotPool(64)
    const first = adopt(moved(pool))
    const held = pool.getWritable(10)
    held.fill(7)
    first.release()
    // The pending message stays at its predicted place, although nothing else is alive.
    const slice = pool.getDataOwned()
    expect(slice.bytes).toEqual(new Uint8Array(10).fill(7))
    expect([slice.slot, slice.bytes.byteOffset]).toEqual([2, 5])
  })

  it('keeps its slot: a pool that runs out of slots uses the heap', () => {
    const pool = new SlotPool(64)
    const tickets = Array.from({ length: 8 }, () => moved(pool, 2))
    expect(adopt(moved(pool, 2)).slot).toBeNull()
    expect(pool.mode).toBe('alloc')
    adopt(tickets[0]!).release()
    expect(adopt(moved(pool, 2)).slot).toBe(1)
  })

  it('outlives its pool', async () => {
    const pool = new SlotPool(64)
    const slice = adopt(moved(pool, 9))
    const stays = pool.getDataOwned()
    const view = slice.bytes
    pool.close()
    await turn()
    expect(slice.bytes).toBe(view)
    expect(view).toEqual(new Uint8Array(9).fill(9))
    expect(stays.release()).toBe(true)
    slice.release()
    await turn()
    expect(view).toHaveLength(0)
  })

  it('can move on after the pool is closed', () => {
    const pool = new SlotPool(64)
    pool.writeAll(pattern(10))
    const first = pool.getDataOwned()
    pool.writeAll(pattern(20))
    const second = pool.getDataOwned()
    pool.close()
    const ticket = second.move()
    first.release()
    expect(pool.isDroppable).toBe(true)
    expect(adopt(adopt(ticket).move()).bytes).toEqual(Uint8Array.from(pattern(20)))
  })

  it('is dropped when the pool is closed before its ticket is adopted', () => {
    const pool = new SlotPool(64)
    const [lost, found] = [moved(pool), adopt(moved(pool))]
    pool.close()
    expect(codeOf(() => adopt(lost))).toBe('ERR_TICKET')
    expect(found.bytes).toHaveLength(5)
    // It can move on without the pool.
    expect(adopt(found.move()).bytes).toHaveLength(5)
  })

  it('is not counted if it is on the heap', () => {
    const pool = new SlotPool(4)
    const ticket = moved(pool, 5)
    expect([pool.stats().liveSlices, pool.isDroppable]).toEqual([0, true])
    pool.close()
    expect(adopt(ticket).bytes).toEqual(new Uint8Array(5).fill(5))
  })

  it('has empty views here if it is on the heap', () => {
    const slice = Slice.from(pattern(10))
    const view = slice.bytes
    const after = adopt(slice.move())
    expect(view).toHaveLength(0)
    expect(after.bytes).toEqual(Uint8Array.from(pattern(10)))
  })

  it('is not freed on the heap while other code has its memory', async () => {
    const slice = Slice.from(pattern(2 ** 20))
    const taken = await detachByStream(slice.bytes)
    const after = adopt(slice.move())
    // The taken ArrayBuffer shows the same memory here.
    taken[0] = 42
    expect(after.bytes[0]).toBe(42)
    expect(after.release()).toBe(true)
    expect(
      pattern(2 ** 20)
        .subarray(1)
        .equals(taken.subarray(1)),
    ).toBe(true)
  })

  it('is shown again when other code has detached its memory', async () => {
    const pool = new SlotPool(64)
    const slice = adopt(moved(pool))
    const taken = await detachByStream(slice.bytes)
    expect(slice.bytes).toEqual(new Uint8Array(5).fill(5))
    taken[0] = 6
    expect(slice.bytes[0]).toBe(6)
  })
})

describe('a budget pool that is shared', () => {
  const config = { bufferSize: 8, maxMemory: 64 } as const

  it('is one pool', async () => {
    const pool = new BudgetPool({ bufferSize: 8, maxMemory: 2 ** 40 })
    const other = adopt(pool.share())
    expect(other).toBeInstanceOf(BudgetPool)
    expect([other.bufferSize, other.maxMemory]).toEqual([8, 2 ** 40])
    const allocation = other.tryAllocate(4)!
    expect(allocation.bytes).toHaveLength(32)
    expect(pool.stats()).toEqual(other.stats())
    expect(pool.stats().allocatedBytes).toBe(32)
    allocation.release()
    await Promise.all([other.close(), pool.close()])
  })

  it('gives waits the memory that the other isolate releases', async () => {
    const pool = new BudgetPool(config)
    const other = adopt(pool.share())
    const all = pool.tryAllocate(8)!
    const waiting = other.allocate(8)
    expect(pool.stats().waiting).toBe(1)
    all.release()
    expect((await waiting).release()).toBe(true)
  })

  it('is closed for both', async () => {
    const pool = new BudgetPool(config)
    const other = adopt(pool.share())
    const ticket = pool.share()
    const held = other.tryAllocate(1)!
    const waiting = codeOfRejection(other.allocate(8))
    const closing = pool.close()
    expect(codeOf(() => other.tryAllocate(1))).toBe('ERR_CLOSED')
    expect(codeOf(() => other.share())).toBe('ERR_CLOSED')
    expect(codeOf(() => pool.share())).toBe('ERR_CLOSED')
    expect(codeOf(() => adopt(ticket))).toBe('ERR_TICKET')
    expect(await waiting).toBe('ERR_CLOSED')
    held.release()
    await closing
    await other.close()
  })

  it('revokes tickets of allocations when it is closed', async () => {
    const pool = new BudgetPool(config)
    const [lost, found] = [pool.tryAllocate(1)!.move(), adopt(pool.tryAllocate(2)!.move())]
    expect(pool.stats()).toMatchObject({ allocatedBytes: 24, liveAllocations: 2 })
    const closing = pool.close()
    expect(pool.stats()).toMatchObject({ allocatedBytes: 16, liveAllocations: 1 })
    expect(codeOf(() => adopt(lost))).toBe('ERR_TICKET')
    const view = found.bytes
    expect(codeOf(() => found.move())).toBe('ERR_CLOSED')
    expect(view).toHaveLength(16)
    expect(found.bytes).toBe(view)
    found.release()
    await closing
  })

  it('leaves only empty views of an allocation that has moved', () => {
    const allocation = new BudgetPool(config).tryAllocate(8)!
    const [view, last] = [allocation.bytes, allocation.at(-1)!]
    view.fill(7)
    const after = adopt(allocation.move())
    expect([view.length, last.length]).toEqual([0, 0])
    expect([after.length, after.allocatedBytes]).toEqual([8, 64])
    expect([...after].map((buffer) => buffer[0])).toEqual(Array(8).fill(7))
  })
})

describe('a buddy pool that is shared', () => {
  it('is one pool, once an isolate', async () => {
    const pool = new BuddyPool({ maxMemory: 2 ** 26 })
    const [other, another] = [adopt(pool.share()), adopt(pool.share())]
    expect(other).toBeInstanceOf(BuddyPool)
    const buffer = other.allocateSync(2 ** 26)
    expect(another.tryAllocate(1)).toBeNull()
    expect(pool.stats()).toEqual(another.stats())
    expect(pool.stats()).toMatchObject({ liveBuffers: 1, blocks: 1 })
    buffer.release()
    const held = pool.allocateSync(1)
    const closing = [another.close(), pool.close(), other.close()]
    expect(codeOf(() => other.tryAllocate(1))).toBe('ERR_CLOSED')
    held.release()
    await Promise.all(closing)
    expect(other.stats().blocks).toBe(0)
    expect(codeOf(() => pool.share())).toBe('ERR_CLOSED')
  })

  it.skipIf(DEBUG)('keeps no buffers in its magazine', async () => {
    const pool = new BuddyPool()
    const buffers = Array.from({ length: 10 }, () => pool.allocateSync(2 ** 14))
    for (const buffer of buffers.slice(1)) buffer.release()
    expect(pool.stats().magazine.buffers).toBe(9)
    const other = adopt(pool.share())
    expect(pool.stats()).toMatchObject({ liveBuffers: 1, magazine: { buffers: 0, bytes: 0 } })
    buffers[0]!.release()
    other.allocateSync(2 ** 14).release()
    expect(pool.stats()).toMatchObject({ liveBuffers: 0, magazine: { buffers: 0, bytes: 0 } })
    await pool.close()
  })

  it('revokes tickets of buffers when it is closed', async () => {
    const pool = new BuddyPool()
    const [lost, found, share] = [pool.allocateSync(1).move(), adopt(pool.allocateSync(1).move()), pool.share()]
    expect(pool.stats().liveBuffers).toBe(2)
    const closing = pool.close()
    expect(codeOf(() => adopt(lost))).toBe('ERR_TICKET')
    expect(codeOf(() => adopt(share))).toBe('ERR_TICKET')
    expect(pool.stats().liveBuffers).toBe(1)
    const view = found.bytes
    expect(codeOf(() => found.move())).toBe('ERR_CLOSED')
    expect(view).toHaveLength(2 ** 14)
    expect(found.bytes).toBe(view)
    found.release()
    await closing
  })

  it('reports every block to the isolate that made it', async () => {
    const met: number[] = []
    const pool = new BuddyPool({ maxMemory: 2 ** 27, block: { onBlock: ({ index }) => met.push(index) } })
    const other = adopt(pool.share())
    for (let block = 0; block < 2; block++) other.allocateSync(2 ** 26)
    while (met.length < 2) await turn()
    expect(met).toEqual([0, 1])
  })

  it('keeps the logical length of a buffer', () => {
    const pool = new BuddyPool()
    const buffer = pool.allocateSync(1000)
    buffer.setLength(10)
    const after = adopt(buffer.move())
    expect([after.length, after.capacity, after.bytes.length]).toEqual([10, 2 ** 14, 10])
    after.setLength(2 ** 14)
    expect(after.bytes).toHaveLength(2 ** 14)
  })
})

describe('two copies of the module in one isolate, as test runners make them', () => {
  it('each show the objects that have arrived', async () => {
    vi.resetModules()
    const copy = await import('../../index.js')
    expect(copy.SlotPool).not.toBe(SlotPool)

    const slots = new SlotPool(64)
    const tickets = Array.from({ length: 2 }, () => {
      slots.writeAll(pattern(10))
      return slots.getDataOwned().move()
    })
    const [here, there] = [adopt(tickets[0]!), copy.adopt(tickets[1]! as never) as Slice]
    const views = [here.bytes, there.bytes]
    slots.close()
    here.release()
    await turn()
    expect(views.map((view) => view.length)).toEqual([0, 10])
    expect(there.bytes).toEqual(Uint8Array.from(pattern(10)))
    there.release()
    await turn()
    expect(views[1]).toHaveLength(0)

    const pool = new BuddyPool()
    const other = copy.adopt(pool.share() as never) as BuddyPool
    const buffers = [pool.allocateSync(1), other.allocateSync(1)]
    const seen = buffers.map((buffer) => buffer.bytes)
    const closing = pool.close()
    for (const buffer of buffers) buffer.release()
    await Promise.all([closing, other.close()])
    expect(seen.map((view) => view.length)).toEqual([0, 0])
  })
})

describe('a half of a ring', () => {
  it('moves with its bytes and its state', async () => {
    const { producer, consumer } = new ByteRing(16).intoParts()
    producer.write(pattern(10))
    consumer.read(new Uint8Array(5))
    const [out, into] = [adopt(consumer.move()), adopt(producer.move())]
    expect([out.position, out.available, out.size]).toEqual([5n, 5, 16])
    expect([into.position, into.available, into.isEmpty]).toEqual([10n, 11, false])
    expect(into.write(pattern(11, 10))).toBe(11)
    const bytes = new Uint8Array(16)
    expect(out.read(bytes)).toBe(16)
    expect(bytes).toEqual(Uint8Array.from(pattern(16, 5)))
    const waiting = out.readable(3)
    into.writeAll(pattern(3))
    expect(await waiting).toBe(3)
    into.end()
    expect(adopt(into.move()).release()).toBe(true)
    expect(out.ended).toBe(true)
  })

  it('is released and shows nothing after it has moved', () => {
    const { producer } = new ByteRing(16).intoParts()
    let view: Uint8Array = new Uint8Array(0)
    producer.ioSlices(([room]) => {
      view = room
      return 4
    })
    const ticket = producer.move()
    expect(view).toHaveLength(0)
    expect(codeOf(() => producer.write(pattern(1)))).toBe('ERR_RELEASED')
    expect(codeOf(() => producer.move())).toBe('ERR_RELEASED')
    expect(producer.release()).toBe(false)
    expect(adopt(ticket).position).toBe(4n)
  })

  it('stays ended', () => {
    const { producer, consumer } = new ByteRing(16).intoParts()
    producer.end()
    const after = adopt(producer.move())
    expect(codeOf(() => after.write(pattern(1)))).toBe('ERR_CLOSED')
    expect(consumer.ended).toBe(true)
  })

  it('is not lost in transit', () => {
    const { producer, consumer } = new ByteRing(16).intoParts()
    const ticket = producer.move()
    expect(consumer.ended).toBe(false)
    adopt(ticket).write(pattern(2))
    expect(consumer.available).toBe(2)
  })

  it('cannot move while it is in use', async () => {
    const busy = (half: { move(): unknown }): void => expect(codeOf(() => half.move())).toBe('ERR_BUSY')
    const { producer, consumer } = new ByteRing(16).intoParts()
    producer.ioSlices(() => {
      busy(producer)
      return 0
    })
    let finish = (_: number): void => {}
    const lent = producer.ioSlicesAsync(() => new Promise((resolve) => (finish = resolve)))
    busy(producer)
    finish(2)
    await lent

    const stop = new AbortController()
    const waiting = consumer.readable(8, { signal: stop.signal })
    busy(consumer)
    stop.abort()
    await expect(waiting).rejects.toThrow('aborted')
    const after = adopt(consumer.move())
    expect(after.available).toBe(2)

    const stream = after.toReadable()
    busy(after)
    stream.destroy()
    const { producer: read } = new ByteRing(16).intoParts()
    read.onread()
    busy(read)
  })

  it('cannot be a session’s output', () => {
    const session = Sv2Session.initiator()
    expect(codeOf(() => (session.output as Consumer).move())).toBe('ERR_BUSY')
    expect(session.output.available).toBeGreaterThan(0)
  })
})
