import { execFileSync } from 'node:child_process'
import { getEventListeners } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { BudgetAllocation, BudgetPool, type BudgetPoolStats, type BufferSize } from '../../index.js'
import { codeOf, codeOfRejection } from '../support/code-of.js'
import { DEBUG } from '../support/debug-mode.js'
import { detachByStream } from '../support/detach.js'
import { Random } from '../support/random.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Timeout in milliseconds of waits that must not time out. */
const AMPLE_MS = 60_000

function poolOf(buffers: number): BudgetPool {
  return new BudgetPool({ bufferSize: 1024, maxMemory: buffers * 1024 })
}

/** Returns `stats()` counted in buffers. */
function statsOf(pool: BudgetPool): BudgetPoolStats {
  const { allocatedBytes, peakBytes, ...rest } = pool.stats()
  return { allocatedBytes: allocatedBytes / pool.bufferSize, peakBytes: peakBytes / pool.bufferSize, ...rest }
}

/** Runs a program in a separate process and returns its output. */
function run(program: string): string {
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], { cwd: root, encoding: 'utf8' })
}

describe('an allocation', () => {
  it('is a contiguous run of equal buffers', () => {
    const pool = poolOf(8)
    const allocation = pool.tryAllocate(3)!
    expect([allocation.length, allocation.allocatedBytes, allocation.bytes.length]).toEqual([3, 3072, 3072])
    const buffers = [...allocation]
    expect(buffers.map(({ byteOffset, length }) => [byteOffset, length])).toEqual([
      [0, 1024],
      [1024, 1024],
      [2048, 1024],
    ])
    for (const [index, buffer] of buffers.entries()) buffer.fill(index + 1)
    expect([0, 1023, 1024, 2047, 2048, 3071].map((at) => allocation.bytes[at])).toEqual([1, 1, 2, 2, 3, 3])
    expect(allocation.first()).toEqual(buffers[0])
    expect(allocation.bytes).toBe(allocation.bytes)
    expect(allocation.bytes.constructor).toBe(Uint8Array)
    allocation.release()
  })

  it('has at(), like an array', () => {
    const pool = poolOf(8)
    const allocation = pool.tryAllocate(3)!
    const array = [...allocation].map(({ byteOffset }) => byteOffset)
    for (const index of [
      0,
      1,
      2,
      3,
      -1,
      -2,
      -3,
      -4,
      0.9,
      -0.9,
      2.5,
      -1.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 40,
    ]) {
      expect([index, allocation.at(index)?.byteOffset]).toEqual([index, array.at(index)])
    }
    expect(codeOf(() => allocation.at('0' as unknown as number))).toBe('ERR_INVALID_ARG_TYPE')
  })

  it('throws ERR_RELEASED once released, and its views have no length', () => {
    const pool = poolOf(8)
    const allocation = pool.tryAllocate(2)!
    const views = [allocation.bytes, allocation.first(), allocation.at(-1)!, ...allocation]
    const iterator = allocation[Symbol.iterator]()
    iterator.next()
    expect(allocation.release()).toBe(true)
    expect(allocation.release()).toBe(false)
    expect(views.map(({ length }) => length)).toEqual([0, 0, 0, 0, 0])
    const uses = [
      () => allocation.bytes,
      () => allocation.first(),
      () => allocation.at(0),
      () => allocation.at(5),
      () => [...allocation],
      () => iterator.next(),
    ]
    expect(uses.map(codeOf)).toEqual(uses.map(() => 'ERR_RELEASED'))
    expect([allocation.length, allocation.allocatedBytes]).toEqual([2, 2048])
    expect(statsOf(pool)).toEqual({ allocatedBytes: 0, liveAllocations: 0, waiting: 0, peakBytes: 2 })
  })

  it('can be used with `using`', () => {
    const pool = poolOf(2)
    {
      using allocation = pool.tryAllocate(2)!
      allocation.bytes.fill(1)
      expect(pool.stats().liveAllocations).toBe(1)
    }
    expect(pool.stats().liveAllocations).toBe(0)
  })

  it('is cleared with `zero` by every method that allocates', async () => {
    const pool = poolOf(64)
    const ways = [
      () => pool.tryAllocate(64, { zero: true })!,
      () => pool.allocate(64, { zero: true }),
      () => pool.allocateSync(64, { zero: true, timeoutMs: 0 }),
    ]
    for (const allocate of ways) {
      // The allocator hands out the freed memory next.
      const dirty = pool.tryAllocate(64)!
      dirty.bytes.fill(0xff)
      dirty.release()
      const clean = await allocate()
      expect(clean.bytes.every((byte) => byte === 0)).toBe(true)
      clean.release()
    }
  })

  it('stays readable when other code has detached its ArrayBuffer', async () => {
    const pool = poolOf(2)
    const allocation = pool.tryAllocate(2)!
    allocation.bytes.set([1, 2, 3])
    const taken = await detachByStream(allocation.bytes)
    expect(allocation.bytes.subarray(0, 3)).toEqual(Uint8Array.of(1, 2, 3))
    const shown = allocation.bytes
    expect(allocation.release()).toBe(true)
    expect(shown).toHaveLength(0)
    // Another ArrayBuffer has the memory, so the pool neither frees nor reuses it until that ArrayBuffer is collected.
    expect(taken[0]).toBe(1)
    expect(pool.stats().liveAllocations).toBe(1)
  })

  it('cannot be constructed directly', () => {
    const Forged = BudgetAllocation as unknown as new (...args: unknown[]) => unknown
    expect(codeOf(() => new Forged())).toBe('ERR_INVALID_ARG_TYPE')
  })
})

describe('arguments', () => {
  const create = (bufferSize: unknown, maxMemory: unknown) =>
    new BudgetPool({ bufferSize: bufferSize as BufferSize, maxMemory: maxMemory as number })

  it('buffer sizes are powers of two from 8 to 16,384, below the budget', () => {
    for (let size = 8; size <= 16_384; size *= 2) {
      expect(create(size, size + 1)).toMatchObject({ bufferSize: size, maxMemory: size + 1 })
      expect(codeOf(() => create(size, size))).toBe('ERR_OUT_OF_RANGE')
    }
    for (const size of [0, 4, 12, 1000, 32_768, -8, 8.5, Number.NaN]) {
      expect(codeOf(() => create(size, 2 ** 30))).toBe('ERR_OUT_OF_RANGE')
    }
    for (const budget of [0, -1, 1024.5, 2 ** 53, Number.POSITIVE_INFINITY, Number.NaN]) {
      expect(codeOf(() => create(8, budget))).toBe('ERR_OUT_OF_RANGE')
    }
    expect(
      create(8, 2 ** 53 - 1)
        .tryAllocate(65_535)
        ?.release(),
    ).toBe(true)
    for (const [size, budget] of [
      ['8', 16],
      [8, '16'],
      [undefined, 16],
      [8, undefined],
      [8n, 16],
    ]) {
      expect(codeOf(() => create(size, budget))).toBe('ERR_INVALID_ARG_TYPE')
    }
    for (const config of [undefined, null, 8]) {
      expect(codeOf(() => new BudgetPool(config as unknown as { bufferSize: 8; maxMemory: 16 }))).toBe(
        'ERR_INVALID_ARG_TYPE',
      )
    }
  })

  it.each([
    ['a budget of 10', poolOf(10), 11],
    ['a large budget', new BudgetPool({ bufferSize: 8, maxMemory: 2 ** 30 }), 65_536],
  ])('counts are 1 to what can ever be allocated: %s', async (_, pool, tooMany) => {
    const wrong: [unknown, string][] = [
      ...[0, -1, 0.5, tooMany, 2 ** 32 + 1, Number.NaN].map((count): [number, string] => [count, 'ERR_OUT_OF_RANGE']),
      ...['1', null, undefined, 1n].map((count): [unknown, string] => [count, 'ERR_INVALID_ARG_TYPE']),
    ]
    // An impossible request fails at once, even while others wait.
    const all = pool.tryAllocate(tooMany - 1)!
    for (const [count, code] of wrong as [number, string][]) {
      expect(codeOf(() => pool.tryAllocate(count))).toBe(code)
      expect(codeOf(() => pool.allocateSync(count, { timeoutMs: 1 }))).toBe(code)
      expect(await codeOfRejection(pool.allocate(count))).toBe(code)
    }
    expect(pool.stats().waiting).toBe(0)
    all.release()
  })

  it('options are checked', async () => {
    const pool = poolOf(10)
    for (const zero of [1, 'true', null] as unknown as boolean[]) {
      expect(codeOf(() => pool.tryAllocate(1, { zero }))).toBe('ERR_INVALID_ARG_TYPE')
      expect(codeOf(() => pool.allocateSync(1, { zero, timeoutMs: 0 }))).toBe('ERR_INVALID_ARG_TYPE')
      expect(await codeOfRejection(pool.allocate(1, { zero }))).toBe('ERR_INVALID_ARG_TYPE')
    }
    expect(codeOf(() => pool.tryAllocate(1, null as unknown as object))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => pool.allocateSync(1, undefined as unknown as { timeoutMs: 1 }))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => pool.allocateSync(1, {} as { timeoutMs: 1 }))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => pool.allocateSync(1, { timeoutMs: -1 }))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => pool.allocateSync(1, { timeoutMs: 2 ** 31 }))).toBe('ERR_OUT_OF_RANGE')
    expect(await codeOfRejection(pool.allocate(1, { timeoutMs: -1 }))).toBe('ERR_OUT_OF_RANGE')
    expect(await codeOfRejection(pool.allocate(1, { signal: {} as AbortSignal }))).toBe('ERR_INVALID_ARG_TYPE')
    expect(statsOf(pool)).toEqual({ allocatedBytes: 0, liveAllocations: 0, waiting: 0, peakBytes: 0 })
  })
})

describe('stats()', () => {
  it('are exact after every step', async () => {
    const pool = poolOf(10)
    const check = (allocatedBytes: number, liveAllocations: number, waiting: number, peakBytes: number): void =>
      expect(statsOf(pool)).toEqual({ allocatedBytes, liveAllocations, waiting, peakBytes })
    check(0, 0, 0, 0)
    const four = pool.tryAllocate(4)!
    check(4, 1, 0, 4)
    const five = await pool.allocate(5)
    check(9, 2, 0, 9)
    expect(pool.tryAllocate(2)).toBeNull()
    check(9, 2, 0, 9)
    const two = pool.allocate(2)
    check(9, 2, 1, 9)
    expect(pool.tryAllocate(1)).toBeNull()
    const controller = new AbortController()
    const eight = pool.allocate(8, { signal: controller.signal })
    const one = pool.allocate(1)
    check(9, 2, 3, 9)
    expect(codeOf(() => pool.allocateSync(1, { timeoutMs: 1 }))).toBe('ERR_TIMEOUT')
    check(9, 2, 3, 9)
    five.release()
    check(6, 2, 2, 9)
    controller.abort('enough')
    check(7, 3, 0, 9)
    await expect(eight).rejects.toBe('enough')
    ;(await two).release()
    check(5, 2, 0, 9)
    four.release()
    check(1, 1, 0, 9)
    ;(await one).release()
    check(0, 0, 0, 9)
    pool.tryAllocate(10)!.release()
    check(0, 0, 0, 10)
    await pool.close()
    check(0, 0, 0, 10)
  })
})

describe('waiting', () => {
  it('serves 1,000 requests of random sizes in order', async () => {
    const random = new Random()
    const pool = poolOf(64)
    const all = pool.tryAllocate(64)!
    const order: number[] = []
    const served = Array.from({ length: 1000 }, async (_, index) => {
      const allocation = await pool.allocate(1 + random.below(64))
      order.push(index)
      if (random.below(2) === 0) await turn()
      allocation.release()
    })
    expect(pool.stats().waiting).toBe(1000)
    all.release()
    await Promise.all(served)
    expect(order).toEqual(Array.from({ length: 1000 }, (_, index) => index))
    expect(pool.stats().liveAllocations).toBe(0)
  })

  it('settles an immediate grant after earlier grants', async () => {
    const pool = poolOf(4)
    const all = pool.tryAllocate(4)!
    const order: string[] = []
    const first = pool.allocate(1).then(() => order.push('first'))
    all.release()
    const second = pool.allocate(1).then(() => order.push('second'))
    await Promise.all([first, second])
    expect(order).toEqual(['first', 'second'])
  })

  it('removes an aborted or late request from the queue at once, without harm to those behind it', async () => {
    const pool = poolOf(4)
    const three = pool.tryAllocate(3)!
    const controller = new AbortController()
    const aborted = pool.allocate(4, { signal: controller.signal })
    const late = pool.allocate(4, { timeoutMs: 1 })
    const behind = pool.allocate(1, { timeoutMs: AMPLE_MS })
    controller.abort(new Error('why'))
    await expect(aborted).rejects.toThrow('why')
    expect(await codeOfRejection(late)).toBe('ERR_TIMEOUT')
    expect((await behind).release()).toBe(true)
    three.release()
    expect(statsOf(pool)).toMatchObject({ allocatedBytes: 0, waiting: 0 })
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })

  it('takes back a grant that an abort overtakes', async () => {
    const pool = poolOf(4)
    const all = pool.tryAllocate(4)!
    const controller = new AbortController()
    const crossed = pool.allocate(3, { signal: controller.signal })
    const behind = pool.allocate(4)
    all.release()
    // The request is granted, but its promise has not settled.
    expect(statsOf(pool)).toMatchObject({ allocatedBytes: 3, liveAllocations: 1, waiting: 1 })
    controller.abort('crossed')
    expect(statsOf(pool)).toMatchObject({ allocatedBytes: 4, liveAllocations: 1, waiting: 0 })
    await expect(crossed).rejects.toBe('crossed')
    ;(await behind).release()
    expect(pool.stats().liveAllocations).toBe(0)
  })

  it('rejects at once for an aborted signal, without a place in the queue', async () => {
    const pool = poolOf(4)
    await expect(pool.allocate(1, { signal: AbortSignal.abort('before') })).rejects.toBe('before')
    expect(pool.stats().peakBytes).toBe(0)
  })

  it('allocateSync() waits its turn, up to its timeout', () => {
    const pool = poolOf(4)
    const sync = pool.allocateSync(4, { timeoutMs: 0 })
    expect(codeOf(() => pool.allocateSync(1, { timeoutMs: 0 }))).toBe('ERR_TIMEOUT')
    expect(codeOf(() => pool.allocateSync(1, { timeoutMs: 5 }))).toBe('ERR_TIMEOUT')
    expect(sync.release()).toBe(true)
    expect(pool.stats()).toEqual({ allocatedBytes: 0, liveAllocations: 0, waiting: 0, peakBytes: 4096 })
  })

  it('keeps the process alive only while a wait is pending', () => {
    const printed = run(`
      import { BudgetPool } from 'framepool'
      const pool = new BudgetPool({ bufferSize: 8, maxMemory: 16 })
      const all = pool.tryAllocate(2)
      setTimeout(() => all.release(), 20).unref()
      await pool.allocate(1)
      console.log('served')
      // Nothing waits, so the process ends although the pool is open.
    `)
    expect(printed).toBe('served\n')
  })
})

describe('random programs', () => {
  it('match the model over 10,000 operations with waits, aborts and timeouts', async () => {
    const LIMIT = 100
    const random = new Random()
    const pool = poolOf(LIMIT)
    /** Live allocations, each with the byte that fills it. */
    const held: { allocation: BudgetAllocation; mark: number }[] = []
    /** Requests in the order of their calls. `over` is true once a request is granted or has given up. */
    let asked: { index: number; count: number; controller: AbortController; late: boolean; state: string }[] = []
    const settled: number[] = []
    const used = (): number => pool.stats().allocatedBytes / 1024
    let marks = 0
    const hold = (allocation: BudgetAllocation): void => {
      const mark = ++marks & 0xff
      allocation.bytes.fill(mark)
      held.push({ allocation, mark })
    }
    const waits: Promise<void>[] = []
    for (let step = 0; step < 10_000; step++) {
      const count = 1 + random.below(random.below(10) === 0 ? LIMIT : 20)
      const roll = random.below(100)
      if (roll < 25) {
        const before = pool.stats()
        const allocation = pool.tryAllocate(count)
        expect(allocation !== null, random.origin).toBe(
          before.waiting === 0 && before.allocatedBytes / 1024 + count <= LIMIT,
        )
        if (allocation !== null) hold(allocation)
      } else if (roll < 55) {
        const request = {
          index: step,
          count,
          controller: new AbortController(),
          late: random.below(8) === 0,
          state: 'waiting',
        }
        asked.push(request)
        const options = { signal: request.controller.signal, ...(request.late && { timeoutMs: random.below(3) }) }
        const wait = pool.allocate(count, options).then(
          (allocation) => {
            request.state = 'served'
            settled.push(request.index)
            hold(allocation)
          },
          (reason) => {
            request.state = reason === 'abort' ? 'aborted' : reason.code
          },
        )
        waits.push(wait)
      } else if (roll < 62) {
        const request = asked[random.below(Math.max(1, asked.length))]
        request?.controller.abort('abort')
      } else if (roll < 95) {
        const [item] = held.splice(random.below(Math.max(1, held.length)), 1)
        if (item !== undefined) {
          const { bytes } = item.allocation
          expect(bytes[0] === item.mark && bytes[bytes.length - 1] === item.mark, random.origin).toBe(true)
          item.allocation.release()
        }
      } else {
        await turn()
        asked = asked.filter(({ state }) => state === 'waiting')
      }
      expect(used(), random.origin).toBeLessThanOrEqual(LIMIT)
    }
    // No request waits forever: released memory goes to the waiting requests.
    while (asked.some(({ state }) => state === 'waiting')) {
      for (const { allocation } of held.splice(0)) allocation.release()
      await turn()
    }
    await Promise.all(waits)
    for (const { allocation } of held) allocation.release()
    expect(settled, random.origin).toEqual(settled.toSorted((a, b) => a - b))
    expect(settled.length).toBeGreaterThan(100)
    const { peakBytes, ...rest } = pool.stats()
    expect(rest).toEqual({ allocatedBytes: 0, liveAllocations: 0, waiting: 0 })
    expect(peakBytes / 1024).toBeLessThanOrEqual(LIMIT)
    await pool.close()
  })
})

describe('close()', () => {
  it('refuses new requests, rejects waits, and resolves with the last release', async () => {
    const pool = poolOf(4)
    const last = pool.tryAllocate(4)!
    const waiting = pool.allocate(1)
    let closed = false
    const closing = pool.close().then(() => {
      closed = true
    })
    expect(pool.close()).toBe(pool.close())
    expect(await codeOfRejection(waiting)).toBe('ERR_CLOSED')
    expect(codeOf(() => pool.tryAllocate(1))).toBe('ERR_CLOSED')
    expect(codeOf(() => pool.allocateSync(1, { timeoutMs: 1 }))).toBe('ERR_CLOSED')
    expect(await codeOfRejection(pool.allocate(1))).toBe('ERR_CLOSED')
    await turn()
    expect([closed, statsOf(pool)]).toEqual([
      false,
      { allocatedBytes: 4, liveAllocations: 1, waiting: 0, peakBytes: 4 },
    ])
    last.bytes.fill(1)
    last.release()
    await closing
    expect(statsOf(pool)).toEqual({ allocatedBytes: 0, liveAllocations: 0, waiting: 0, peakBytes: 4 })
    expect(codeOf(() => pool.tryAllocate(1))).toBe('ERR_CLOSED')
  })

  it('can be awaited with `await using`', async () => {
    let pool: BudgetPool
    {
      await using scoped = poolOf(2)
      pool = scoped
      using allocation = scoped.tryAllocate(1)!
      allocation.bytes[0] = 1
    }
    expect(codeOf(() => pool.tryAllocate(1))).toBe('ERR_CLOSED')
  })

  it.skipIf(DEBUG)('returns 1 GiB of traffic to the system without a garbage collection', () => {
    const printed = run(`
      import { BudgetPool } from 'framepool'
      const MIB = 1 << 20
      async function churn(bytes) {
        const pool = new BudgetPool({ bufferSize: 16384, maxMemory: 256 * MIB })
        const held = []
        for (let churned = 0; churned < bytes; churned += MIB) {
          if (held.length === 256) held.splice(churned % 251, 1)[0].release()
          const allocation = pool.tryAllocate(64)
          allocation.bytes.fill(1)
          held.push(allocation)
        }
        const grown = process.memoryUsage.rss()
        for (const allocation of held) allocation.release()
        await pool.close()
        return grown
      }
      await churn(MIB)
      const start = process.memoryUsage.rss()
      const grown = await churn(1024 * MIB)
      console.log(JSON.stringify({ start, grown, end: process.memoryUsage.rss() }))
    `)
    const { start, grown, end } = JSON.parse(printed)
    expect(grown - start).toBeGreaterThan(200 << 20)
    expect(end).toBeLessThan(start * 1.1)
  })
})

describe('memory that the system does not have', () => {
  it.runIf(process.platform === 'linux')('fails with ERR_NO_MEMORY and does not end the process', () => {
    const printed = run(`
      import { execFileSync } from 'node:child_process'
      import { readFileSync } from 'node:fs'
      import { BudgetPool } from 'framepool'
      const pool = new BudgetPool({ bufferSize: 16384, maxMemory: 2 ** 40 })
      const used = Number(readFileSync('/proc/self/status', 'utf8').match(/VmSize:\\s+(\\d+) kB/)[1]) * 1024
      execFileSync('prlimit', ['--pid', process.pid, '--as=' + (used + 2 ** 29)])
      const codes = [
        (() => { try { pool.tryAllocate(65535) } catch ({ code }) { return code } })(),
        (() => { try { pool.allocateSync(65535, { timeoutMs: 0 }) } catch ({ code }) { return code } })(),
        await pool.allocate(65535).catch(({ code }) => code),
        pool.stats().allocatedBytes,
        pool.tryAllocate(1).release(),
      ]
      console.log(codes.join())
    `)
    expect(printed).toBe('ERR_NO_MEMORY,ERR_NO_MEMORY,ERR_NO_MEMORY,0,true\n')
  })
})

describe('workers', () => {
  const WORKER = `
    import { parentPort } from 'node:worker_threads'
    import { BudgetPool } from 'framepool'
    const pool = new BudgetPool({ bufferSize: 1024, maxMemory: 4096 })
    const held = pool.tryAllocate(3)
    held.bytes.fill(7)
    const waits = [pool.allocate(2), pool.allocate(4)]
  `
  const START = `
    import { Worker } from 'node:worker_threads'
    import { once } from 'node:events'
    const start = (source) => new Worker(source, { eval: true, execArgv: ['--input-type=module'] })
  `

  it('have separate pools and waits', () => {
    const printed = run(`${START}
      import { BudgetPool } from 'framepool'
      const pool = new BudgetPool({ bufferSize: 1024, maxMemory: 4096 })
      const held = pool.tryAllocate(4)
      const mine = pool.allocate(4)
      const worker = start(${JSON.stringify(`${WORKER}
        held.release()
        ;(await waits[0]).release()
        ;(await waits[1]).release()
        await pool.close()
        parentPort.postMessage(pool.stats())
      `)})
      const [theirs] = await once(worker, 'message')
      console.log(JSON.stringify([theirs, pool.stats().waiting]))
      held.release()
      console.log((await mine).length)
    `)
    expect(printed).toBe('[{"allocatedBytes":0,"liveAllocations":0,"waiting":0,"peakBytes":4096},1]\n4\n')
  }, 60_000)

  it('may end while waits are pending, or granted and not settled', () => {
    const ends = ['', 'held.release()', 'held.release(); pool.close()', 'pool.close()']
    const printed = run(`${START}
      for (let round = 0; round < 5; round++) {
        for (const end of ${JSON.stringify(ends)}) {
          for (const last of ['process.exit(0)', 'throw new Error("end")', 'for (;;);']) {
            const worker = start(${JSON.stringify(WORKER)} + end + '; parentPort.postMessage(0);' + last)
            worker.on('error', () => {})
            // once() would reject with the worker's error.
            const ended = new Promise((resolve) => worker.on('exit', resolve))
            if (last.startsWith('for')) {
              await once(worker, 'message')
              worker.terminate()
            }
            await ended
          }
        }
      }
      console.log('alive')
    `)
    expect(printed).toBe('alive\n')
  }, 120_000)
})
