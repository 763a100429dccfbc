import { execFileSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { adopt, inspect, SlotPool } from '../../index.js'
import { codeOf } from '../support/code-of.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

const PRELUDE = `
  import { execFileSync } from 'node:child_process'
  import { mkdtempSync, openSync, read, rmSync, writeSync } from 'node:fs'
  import { tmpdir } from 'node:os'
  import * as framepool from 'framepool'
  import { Sv2Session } from 'framepool/sv2'
  const { BuddyPool, BudgetPool, ByteRing, inspect, Slice, SlotPool, SystemMemoryBuffer } = framepool
  const warnings = []
  process.on('warning', ({ name, code, message, detail, stack }) => warnings.push({ name, code, message, detail, stack }))
  const fifo = () => {
    const folder = mkdtempSync(tmpdir() + '/framepool-')
    execFileSync('mkfifo', [folder + '/fifo'])
    const fd = openSync(folder + '/fifo', 'r+')
    rmSync(folder, { recursive: true })
    return fd
  }
  const turn = () => new Promise((resolve) => setTimeout(resolve, 1))
  /** Collects garbage until so() returns true. */
  const until = async (so) => {
    for (let times = 0; !so(); times++) {
      if (times === 1000) throw new Error('it never came')
      gc()
      await turn()
    }
  }
`

interface Warning {
  name: string
  code: string
  message: string
  detail: string
  stack: string
}

/**
 * Runs a program in debug mode and parses its JSON output. The mode is set at start, so the program needs its own
 * process.
 */
function debugging<T>(program: string, debug = '1'): T {
  const printed = execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', PRELUDE + program], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, FRAMEPOOL_DEBUG: debug },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return JSON.parse(printed) as T
}

it('a reader that was attached and is dropped after its stream is no leak, and one that was not is', () => {
  const found = debugging<{ leaks: string[]; readers: number }>(`
    const { FrameReader, MemoryBudget } = framepool
    const { PassThrough } = await import('node:stream')
    const leaks = []
    process.on('warning', ({ message }) => leaks.push(message))
    const budget = new MemoryBudget(1000)
    const options = { maxFrameLength: 100, budget }
    async function serve(text) {
      const stream = new PassThrough()
      const reading = FrameReader.delimited(options).attach(stream, () => {})
      stream.end(text)
      await reading
    }
    for (let count = 0; count < 20; count++) await serve(count % 2 ? 'whole\\n' : 'whole\\ncut')
    const readers = () => inspect().filter(({ kind }) => kind === 'frame-reader').length
    await until(() => readers() === 0)
    const [none] = [leaks.length]
    ;(() => FrameReader.delimited(options).receive(Buffer.from('cut')))()
    await until(() => leaks.length > none)
    console.log(JSON.stringify({ leaks, readers: readers() }))
  `)
  expect(found).toEqual({ leaks: [expect.stringContaining('frame-reader was garbage-collected')], readers: 0 })
})

it('an Error.prepareStackTrace that throws keeps nothing from being acquired, traced and released', () => {
  const found = debugging<{ kinds: string[]; stacks: string[]; limit: number; left: number }>(`
    const before = inspect().length
    const { prepareStackTrace, stackTraceLimit } = Error
    const objects = []
    for (const thrown of [null, new Error('mine')]) {
      Error.prepareStackTrace = () => { throw thrown }
      const budgetPool = new BudgetPool({ bufferSize: 8, maxMemory: 64 })
      const buddyPool = new BuddyPool()
      const pool = new SlotPool(100)
      pool.write(Buffer.from('slice'))
      const { sender, receiver } = framepool.SliceChannel.create(1)
      const { producer, consumer } = new ByteRing(64).intoParts()
      const reader = framepool.FrameReader.delimited({ maxFrameLength: 10 })
      objects.push(budgetPool.tryAllocate(1), buddyPool.tryAllocate(1), await budgetPool.allocate(1), await buddyPool.allocate(1))
      objects.push(pool.getDataOwned(), Slice.from(Buffer.of(1)), sender, receiver, producer, consumer)
      objects.push(framepool.adopt(objects.at(-6).move()))
      objects.push({ release: () => reader[Symbol.dispose]() }, { release: () => pool.close() })
      objects.push(budgetPool, buddyPool)
      Error.prepareStackTrace = prepareStackTrace
    }
    const alive = inspect()
    const closing = []
    for (const object of objects) {
      if (object.release) object.release()
      else closing.push(object.close())
    }
    await Promise.all(closing)
    await turn()
    const stacks = new Set(alive.slice(before).map(({ stack }) => stack))
    // The pools that all readers share stay.
    const left = inspect().filter(({ kind, bytes }) => kind !== 'slot-pool' || bytes === 100).length - before
    console.log(JSON.stringify({
      kinds: alive.map(({ kind }) => kind),
      stacks: [...stacks],
      limit: Error.stackTraceLimit - stackTraceLimit,
      left,
    }))`)
  expect(found).toMatchObject({ stacks: ['    at a place that cannot be shown'], limit: 0, left: 0 })
  expect(found.kinds).toContain('buddy-buffer')
})

it('an object that a wait gives counts as acquired by the call that began the wait', () => {
  const stacks = debugging<Record<string, string>>(`
    const { MemoryBudget, SliceChannel } = framepool
    const { sender, receiver } = SliceChannel.create()
    const budget = new BudgetPool({ bufferSize: 8, maxMemory: 16 })
    const buddy = new BuddyPool({ maxMemory: 1 })
    const memory = new MemoryBudget(1)
    const held = [budget.tryAllocate(2), buddy.allocateSync(2 ** 26), memory.tryReserve(1)]
    function receives() { return receiver.receive() }
    function allocates() { return budget.allocate(1) }
    function borrows() { return buddy.allocate(1) }
    function reserves() { return memory.reserve(1) }
    const waiting = [receives(), allocates(), borrows(), reserves()]
    await turn()
    sender.send(Slice.from(new Uint8Array(8)))
    for (const item of held) item.release()
    const came = await Promise.all(waiting)
    const kinds = ['slice', 'allocation', 'buddy-buffer', 'reservation']
    console.log(JSON.stringify(Object.fromEntries(inspect().filter(({ kind }) => kinds.includes(kind)).map(({ kind, stack }) => [kind, stack]))))
    for (const item of came) item.release()
    receiver.release()
    sender.release()
    await Promise.all([budget.close(), buddy.close()])
  `)
  expect(stacks).toEqual({
    slice: expect.stringContaining('at receives'),
    allocation: expect.stringContaining('at allocates'),
    'buddy-buffer': expect.stringContaining('at borrows'),
    reservation: expect.stringContaining('at reserves'),
  })
})

describe('a slot pool in debug mode', () => {
  const message = (pool: SlotPool, length: number, fill = 0) => {
    pool.getWritable(length).fill(fill)
    return pool.getDataOwned()
  }

  it('gives each slice its own memory, and detaches every view when the slice is released', () => {
    const pool = new SlotPool(64, { debug: true })
    const [first, second] = [message(pool, 8, 1), message(pool, 8, 2)]
    expect([first.slot, second.slot]).toEqual([1, 2])
    expect(first.bytes.buffer.byteLength).toBe(8)
    expect(second.bytes.buffer).not.toBe(first.bytes.buffer)
    const view = first.bytes
    expect(first.release()).toBe(true)
    expect(view).toHaveLength(0)
    expect(second.bytes).toEqual(new Uint8Array(8).fill(2))
    expect(pool.toString()).toBe('-2------  BACK MODE')
    second.release()
    pool.close()
  })

  it('detaches the view of getWritable at the next call', () => {
    const pool = new SlotPool(64, { debug: true })
    const first = pool.getWritable(8).fill(1)
    const second = pool.getWritable(8).fill(2)
    expect(first).toHaveLength(0)
    const slice = pool.getDataOwned()
    expect(second).toHaveLength(0)
    expect([...slice.bytes]).toEqual([...new Uint8Array(8).fill(1), ...new Uint8Array(8).fill(2)])
    const third = pool.getWritable(8)
    pool.truncate(4)
    expect(third).toHaveLength(0)
    const fourth = pool.getWritable(8)
    pool.close()
    expect(fourth).toHaveLength(0)
    slice.release()
  })

  it('fills the memory of past messages with 0xDB', () => {
    const pool = new SlotPool(64, { debug: true })
    message(pool, 16, 7).release()
    expect(pool.getWritable(16)).toEqual(new Uint8Array(16).fill(0xdb))
    pool.close()
  })

  it('changes modes like any other pool', () => {
    const pools = [new SlotPool(32), new SlotPool(32, { debug: true })]
    const lines = pools.map((pool) => {
      const slices = Array.from({ length: 10 }, (_, at) => message(pool, 1 + at))
      const seen = [pool.toString()]
      for (const at of [0, 1, 9, 2]) {
        slices[at]!.release()
        slices.push(message(pool, 3))
        seen.push(pool.toString())
      }
      const { liveSlices, heapFallbacks } = pool.stats()
      pool.close()
      for (const slice of slices) slice.release()
      expect(pool.isDroppable).toBe(true)
      return [seen, liveSlices, heapFallbacks]
    })
    expect(lines[1]).toEqual(lines[0])
  })

  it('is selected by a boolean', () => {
    expect(codeOf(() => new SlotPool(8, { debug: 1 as unknown as boolean }))).toBe('ERR_INVALID_ARG_TYPE')
  })

  it('tells where and when slices were taken', function shownHere() {
    const pool = new SlotPool(64, { debug: true })
    const slice = message(pool, 5)
    const found = inspect().filter(({ kind, bytes, stack }) => kind === 'slice' && bytes === 5 && stack !== undefined)
    expect(found).toHaveLength(1)
    expect(found[0]!.stack).toContain('trace.spec')
    expect(found[0]!.ageMs).toBeGreaterThanOrEqual(0)
    slice.release()
    pool.close()
  })

  it('reports slots and modes on its channel', () => {
    const told: unknown[] = []
    const listen = (change: unknown): void => {
      const { pool, ...rest } = change as { pool: number }
      expect(pool).toBeGreaterThan(0)
      told.push(rest)
    }
    const pool = new SlotPool(8, { debug: true })
    subscribe('framepool:slot-pool', listen)
    const first = message(pool, 8)
    const second = message(pool, 8)
    first.release()
    unsubscribe('framepool:slot-pool', listen)
    second.release()
    pool.close()
    const slot = { capacity: 8, event: 'slot', slot: 1 }
    expect(told).toEqual([
      { ...slot, mode: 'back', slots: '1-------', taken: true },
      { capacity: 8, event: 'mode', from: 'back', mode: 'alloc', slots: '1-------' },
      { ...slot, mode: 'alloc', slots: '--------', taken: false },
    ])
  })
})

describe('an object that is never released', () => {
  const leaks: [string, string, string][] = [
    ['a slice in a slot', 'slice', 'pool.write(new Uint8Array(8)); pool.getDataOwned()'],
    ['a slice on the heap', 'slice', 'pool.write(new Uint8Array(80)); pool.getDataOwned()'],
    ['a slice of which a view was taken', 'slice', 'Slice.from(new Uint8Array(8)).bytes'],
    ['a slice of a system memory buffer', 'slice', 'new SystemMemoryBuffer().getDataOwned()'],
    ['a message', 'system-memory-buffer', 'new SystemMemoryBuffer().getWritable(8)'],
    ['a slot pool', 'slot-pool', 'new SlotPool(64).getWritable(8)'],
    ['a budget pool', 'budget-pool', 'new BudgetPool({ bufferSize: 8, maxMemory: 64 })'],
    ['an allocation', 'allocation', 'budget.tryAllocate(2).bytes'],
    ['a buddy pool', 'buddy-pool', 'new BuddyPool()'],
    ['a buddy buffer', 'buddy-buffer', 'buddy.allocateSync(1).bytes'],
    ['a half of a ring', 'producer', 'new ByteRing(64).intoParts().consumer.release()'],
    ['a session', 'sv2-session', 'Sv2Session.initiator({ pool })'],
  ]

  it.each(leaks)('%s is reported once, with its stack, and reclaimed', (_, kind, leak) => {
    const { warnings, alive } = debugging<{ warnings: Warning[]; alive: string[] }>(`
      const pool = new SlotPool(64)
      const budget = new BudgetPool({ bufferSize: 8, maxMemory: 64 })
      const buddy = new BuddyPool()
      const before = inspect().length
      function leaksHere() { ${leak} }
      leaksHere()
      await until(() => warnings.length > 0)
      await until(() => inspect().length === before)
      for (let times = 0; times < 3; times++) gc(), await turn()
      pool.close()
      await Promise.all([budget.close(), buddy.close()])
      console.log(JSON.stringify({ warnings, alive: inspect().map(({ kind }) => kind) }))
    `)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatchObject({ name: 'FramePoolWarning', code: 'FRAMEPOOL_LEAK' })
    expect(warnings[0]!.message).toContain(`a ${kind} was garbage-collected`)
    expect(warnings[0]!.detail).toContain('leaksHere')
    expect(warnings[0]!.stack).toContain('leaksHere')
    expect(warnings[0]!.detail).not.toContain('dist/src')
    expect(alive).toEqual([])
  })

  it('is not reported after a release', () => {
    const warnings = debugging<Warning[]>(`
      async function use() {
        const pool = new SlotPool(64)
        pool.write(new Uint8Array(8))
        pool.getDataOwned().release()
        pool.write(new Uint8Array(80))
        pool.getDataOwned().release()
        pool.close()
        Slice.from(new Uint8Array(8)).release()
        const buffer = new SystemMemoryBuffer()
        buffer.write(new Uint8Array(8))
        buffer.getDataOwned().release()
        const budget = new BudgetPool({ bufferSize: 8, maxMemory: 64 })
        budget.tryAllocate(1).release()
        await budget.close()
        const buddy = new BuddyPool()
        buddy.allocateSync(1).release()
        await buddy.close()
        const { producer, consumer } = new ByteRing(64).intoParts()
        producer.release()
        consumer.release()
        Sv2Session.initiator().close()
      }
      await use()
      let collected = false
      const registry = new FinalizationRegistry(() => { collected = true })
      registry.register({})
      await until(() => collected)
      await turn()
      console.log(JSON.stringify(warnings))
    `)
    expect(warnings).toEqual([])
  })

  it('is reported only for a pool that has debug mode', () => {
    const { warnings, line } = debugging<{ warnings: Warning[]; line: string }>(
      `
      const pools = [new SlotPool(64, { debug: true }), new SlotPool(64)]
      const leak = () => pools.map((pool) => (pool.write(new Uint8Array(8)), pool.getDataOwned().length))
      leak()
      await until(() => warnings.length > 0)
      console.log(JSON.stringify({ warnings, line: pools.join() }))
    `,
      '0',
    )
    expect(warnings).toHaveLength(1)
    expect(line).toBe('--------  BACK MODE,1-------  BACK MODE')
  })
})

describe('memory that is written after its release', () => {
  it('is reported with its stack when a read in flight writes it', () => {
    const warnings = debugging<Warning[]>(`
      const fd = fifo()
      function releasesTooEarly() {
        const slice = Slice.from(new Uint8Array(16))
        const done = new Promise((resolve) => read(fd, slice.bytes, 4, 8, null, resolve))
        slice.release()
        return done
      }
      const done = releasesTooEarly()
      await turn()
      writeSync(fd, 'late')
      await done
      process.once('beforeExit', () => setImmediate(() => console.log(JSON.stringify(warnings))))
    `)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatchObject({ name: 'FramePoolWarning', code: 'FRAMEPOOL_WRITE_AFTER_RELEASE' })
    expect(warnings[0]!.message).toContain('byte 4 of 16')
    expect(warnings[0]!.detail).toContain('releasesTooEarly')
  })

  const late = [
    {
      into: 'a ring',
      bytes: 16,
      make: 'const { producer, consumer } = new ByteRing(16).intoParts()',
      look: 'producer.ioSlices(([free]) => { view = free; return 0 })',
      release: 'producer.release(); consumer.release()',
    },
    {
      into: 'a slot pool',
      bytes: 64,
      make: 'const pool = new SlotPool(64)',
      look: 'view = pool.getWritable(16)',
      release: 'pool.close()',
    },
    {
      into: 'a buddy buffer',
      bytes: 16384,
      make: 'const buffer = (globalThis.kept = new BuddyPool()).allocateSync(1)',
      look: 'view = buffer.bytes',
      release: 'buffer.release()',
    },
    {
      into: "a session's output",
      bytes: 1024,
      make: 'const session = Sv2Session.initiator()',
      look: 'session.output.ioSlices(([bytes]) => { view = bytes; return 0 })',
      release: 'session.close()',
    },
  ]

  it.each(late)('is reported when a read into $into writes it, and does no harm', ({ bytes, make, look, release }) => {
    const { warnings, length } = debugging<{ warnings: Warning[]; length: number }>(`
      const fd = fifo()
      let view
      function releasesTooEarly() {
        ${make}
        ${look}
        const done = new Promise((resolve) => read(fd, view, 1, 4, null, resolve))
        ${release}
        return done
      }
      const done = releasesTooEarly()
      await turn()
      writeSync(fd, 'late')
      await done
      process.once('beforeExit', () => setImmediate(() => console.log(JSON.stringify({ warnings, length: view.length }))))
    `)
    expect(length).toBe(0)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]!.code).toBe('FRAMEPOOL_WRITE_AFTER_RELEASE')
    expect(warnings[0]!.message).toContain(`byte 1 of ${bytes} `)
    expect(warnings[0]!.detail).toContain('releasesTooEarly')
  })

  it('is found when it leaves quarantine', () => {
    const { early, late } = debugging<{ early: number; late: string[] }>(`
      const pool = new BudgetPool({ bufferSize: 16384, maxMemory: 1 << 30 })
      const fd = fifo()
      const allocation = pool.tryAllocate(1)
      const done = new Promise((resolve) => read(fd, allocation.bytes, 0, 16384, null, resolve))
      allocation.release()
      writeSync(fd, 'late')
      await done
      await turn()
      const early = warnings.length
      // More bytes than quarantine holds.
      for (let round = 0; round < 80; round++) pool.tryAllocate(64).release()
      await turn()
      console.log(JSON.stringify({ early, late: warnings.map(({ code }) => code) }))
    `)
    expect(early).toBe(0)
    expect(late).toEqual(['FRAMEPOOL_WRITE_AFTER_RELEASE'])
  })

  it('is not reported without a late write', () => {
    const warnings = debugging<Warning[]>(`
      const pool = (globalThis.kept = new SlotPool(1 << 16))
      for (let round = 0; round < 5000; round++) {
        pool.getWritable(1 + round).fill(round)
        pool.getDataOwned().release()
      }
      process.once('beforeExit', () => setImmediate(() => console.log(JSON.stringify(warnings))))
    `)
    expect(warnings).toEqual([])
  })
})

describe('an object that moves in debug mode', () => {
  it('is no leak, and is guarded on arrival', () => {
    const { warnings, lengths, stacks, line } = debugging<{
      warnings: Warning[]
      lengths: number[]
      stacks: boolean[]
      line: string
    }>(`
      const pool = new SlotPool(64)
      const budget = new BudgetPool({ bufferSize: 8, maxMemory: 64 })
      const buddy = new BuddyPool()
      const { producer, consumer } = new ByteRing(64).intoParts()
      const tickets = () => {
        pool.write(new Uint8Array(8))
        return [pool.getDataOwned(), Slice.from(new Uint8Array(8)), budget.tryAllocate(1), buddy.allocateSync(1), producer, consumer]
          .map((one) => one.move())
      }
      const moved = tickets()
      let collected = false
      const registry = new FinalizationRegistry(() => { collected = true })
      registry.register({})
      await until(() => collected)
      await turn()
      const line = String(pool)
      const there = moved.map((ticket) => framepool.adopt(ticket))
      const stacks = inspect().map(({ stack }) => stack.length > 0)
      const views = there.slice(0, 4).map(({ bytes }) => bytes)
      for (const one of there) one.release()
      pool.close()
      await Promise.all([budget.close(), buddy.close()])
      console.log(JSON.stringify({ warnings, line, stacks, lengths: [...views.map(({ length }) => length), inspect().length] }))
    `)
    expect(warnings).toEqual([])
    expect(line).toBe('1-------  BACK MODE')
    expect(stacks).toEqual(Array(9).fill(true))
    expect(lengths).toEqual([0, 0, 0, 0, 0])
  })

  it('is revoked when its pool closes', () => {
    const pool = new SlotPool(64, { debug: true })
    pool.write(new Uint8Array(8))
    const ticket = pool.getDataOwned().move()
    pool.close()
    expect(codeOf(() => adopt(ticket))).toBe('ERR_TICKET')
  })

  it('keeps its slot', () => {
    const pool = new SlotPool(64, { debug: true })
    pool.write(Uint8Array.of(1, 2, 3))
    const slice = adopt(pool.getDataOwned().move())
    expect([slice.slot, ...slice.bytes]).toEqual([1, 1, 2, 3])
    expect(pool.toString()).toBe('1-------  BACK MODE')
    slice.release()
    expect(pool.toString()).toBe('--------  BACK MODE')
    pool.close()
  })
})

describe('debug mode of everything', () => {
  it('fills and detaches released memory', () => {
    const views = debugging<[string, number][]>(`
      const pool = new SlotPool(64)
      pool.write(new Uint8Array(8))
      const budget = new BudgetPool({ bufferSize: 8, maxMemory: 64 })
      const buddy = new BuddyPool()
      const memory = new SystemMemoryBuffer()
      memory.write(new Uint8Array(8))
      const owned = [pool.getDataOwned(), memory.getDataOwned(), Slice.from(new Uint8Array(8)), budget.tryAllocate(1), buddy.allocateSync(1)]
      const views = owned.map(({ bytes }) => bytes)
      for (const one of owned) one.release()
      console.log(JSON.stringify(views.map((view, at) => [owned[at].constructor.name, view.length])))
    `)
    expect(views).toEqual(['Slice', 'Slice', 'Slice', 'BudgetAllocation', 'BuddyBuffer'].map((name) => [name, 0]))
  })

  it('gives each buddy buffer its own memory, fills it on release, and keeps none in the magazine', () => {
    const { lengths, again, magazine } = debugging<{ lengths: number[]; again: number[]; magazine: object }>(`
      const pool = new BuddyPool({ maxMemory: 2 ** 26, threadCache: false })
      const [first, second] = [pool.allocateSync(16384), pool.allocateSync(16384)]
      const lengths = [first, second].map(({ bytes }) => bytes.buffer.byteLength)
      first.bytes.fill(1)
      first.release()
      const { magazine } = pool.stats()
      const rest = []
      for (let buffer; (buffer = pool.tryAllocate(16384)) !== null; ) rest.push(buffer)
      const again = [...new Set(rest.at(-1).bytes)]
      console.log(JSON.stringify({ lengths, again, magazine }))
    `)
    expect(lengths).toEqual([16384, 16384])
    expect(again).toEqual([0xdb])
    expect(magazine).toEqual({ buffers: 0, bytes: 0 })
  })

  it('takes a buddy buffer back that cannot be shown', () => {
    const found = debugging<{ message: string; liveBuffers: number }>(`
      const pool = new BuddyPool()
      const own = globalThis.Uint8Array
      globalThis.Uint8Array = class extends own { constructor() { super(); throw new Error('mine') } }
      let message = ''
      try { pool.tryAllocate(1) } catch (error) { message = error.message }
      globalThis.Uint8Array = own
      const { liveBuffers } = pool.stats()
      if (liveBuffers === 0) await pool.close()
      console.log(JSON.stringify({ message, liveBuffers }))
      process.exit()`)
    expect(found).toEqual({ message: 'mine', liveBuffers: 0 })
  })

  it('returns a buddy pool its quarantined memory on demand', () => {
    const capacities = debugging<number[]>(`
      const pool = new BuddyPool({ maxMemory: 2 ** 26 })
      const capacities = []
      const release = (buffer) => (capacities.push(buffer.capacity), buffer.release())
      for (let round = 0; round < 4; round++) [1, 2, 3, 4].map(() => pool.allocateSync(2 ** 24)).forEach(release)
      release(pool.allocateSync(2 ** 26))
      const buffers = [1, 2, 3, 4].map(() => pool.allocateSync(2 ** 24))
      const waiting = pool.allocate(2 ** 26)
      buffers.forEach(release)
      release(await waiting)
      release(await pool.allocate(2 ** 24))
      await pool.close()
      console.log(JSON.stringify([...capacities, pool.stats().blocks]))
    `)
    const [quarter, all] = [2 ** 24, 2 ** 26]
    expect(capacities).toEqual([...Array(16).fill(quarter), all, ...Array(4).fill(quarter), all, quarter, 0])
  })

  it('refuses to move objects of a closed pool, and keeps their views', () => {
    const seen = debugging<unknown[]>(`
      const [budget, buddy] = [new BudgetPool({ bufferSize: 8, maxMemory: 64 }), new BuddyPool()]
      const held = [budget.tryAllocate(1), buddy.allocateSync(1)]
      const views = held.map(({ bytes }) => bytes)
      const closing = [budget.close(), buddy.close()]
      const codes = held.map((one) => {
        try {
          return one.move()
        } catch ({ code }) {
          return code
        }
      })
      const lengths = views.map(({ length }) => length)
      const same = held.map(({ bytes }, at) => bytes === views[at])
      for (const one of held) one.release()
      await Promise.all(closing)
      console.log(JSON.stringify([codes, lengths, same]))
    `)
    expect(seen).toEqual([
      ['ERR_CLOSED', 'ERR_CLOSED'],
      [8, 16384],
      [true, true],
    ])
  })

  it('does not reduce the budget of a budget pool', () => {
    const allocated = debugging<number[]>(`
      const pool = new BudgetPool({ bufferSize: 1024, maxMemory: 4096 })
      const allocated = []
      for (let round = 0; round < 10; round++) {
        const allocation = pool.tryAllocate(4)
        allocated.push(pool.stats().allocatedBytes)
        allocation.release()
      }
      console.log(JSON.stringify([...new Set(allocated), pool.stats().allocatedBytes]))
    `)
    expect(allocated).toEqual([4096, 0])
  })

  it('is enabled only by the values 1 and true', () => {
    for (const value of ['0', '', 'yes', 'TRUE']) {
      expect(
        debugging<boolean>(
          'console.log(inspect().some(({ stack }) => stack) || new SlotPool(8).getWritable(1).buffer.byteLength === 0 || Slice.from(new Uint8Array(1)) && inspect().some(({ stack }) => stack !== undefined))',
          value,
        ),
      ).toBe(false)
    }
  })
})
