import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { type BuddyBuffer, BuddyPool, type BuddyPoolOptions, type BuddyPoolStats, ByteRing } from '../../index.js'
import { BuddyMemory } from '../../src/buddy/buddy-memory.js'
import { createBuddyPool } from '../../src/native/buddy.js'
import { codeOf, codeOfRejection } from '../support/code-of.js'
import { DEBUG } from '../support/debug-mode.js'
import { detachByStream } from '../support/detach.js'
import { Random } from '../support/random.js'

const KIB = 2 ** 10
const MIB = 2 ** 20
const root = fileURLToPath(new URL('../..', import.meta.url))

const open: BuddyPool[] = []

/** Creates a pool that the end of the test closes. */
function make(options?: BuddyPoolOptions): BuddyPool {
  const pool = new BuddyPool(options)
  open.push(pool)
  return pool
}

afterEach(() => {
  for (const pool of open.splice(0)) void pool.close()
})

/** Allocates buffers of `size` bytes until the pool has no more. */
function fill(pool: BuddyPool, size = MIB): BuddyBuffer[] {
  const buffers: BuddyBuffer[] = []
  for (let buffer = pool.tryAllocate(size); buffer !== null; buffer = pool.tryAllocate(size)) buffers.push(buffer)
  return buffers
}

const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

/** Runs a program in a separate process. */
function run(program: string, options: { uid?: number; command?: string[] } = {}): string {
  const [command = process.execPath, ...before] = options.command ?? []
  const { stdout, stderr, status } = spawnSync(command, [...before, '--input-type=module', '-e', program], {
    cwd: root,
    encoding: 'utf8',
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  })
  if (status !== 0) throw new Error(stderr)
  return stdout
}

describe.skipIf(process.platform !== 'linux')('the backend of blocks', () => {
  it('can be a file, which no other pool may use', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'framepool-'))
    const file = join(folder, 'blocks')
    const pool = new BuddyPool({ maxMemory: 128 * MIB, block: { backend: { file } } })
    const buffer = pool.allocateSync(16_384)
    buffer.bytes.fill(0xab)
    expect(statSync(file).size).toBe(64 * MIB)
    const bytes = readFileSync(file)
    expect(bytes.indexOf(Buffer.alloc(16_384, 0xab)) % 16_384).toBe(0)
    const other = new BuddyPool({ block: { backend: { file } } })
    expect(() => other.allocateSync(1)).toThrow(
      expect.objectContaining({ code: 'EAGAIN', syscall: 'flock', path: file }),
    )
    buffer.release()
    await pool.close()
    await other.close()
    const missing = new BuddyPool({ block: { backend: { file: join(folder, 'no', 'such') } } })
    await expect(missing.allocate(1)).rejects.toMatchObject({
      code: 'ENOENT',
      errno: -2,
      syscall: 'open',
      path: join(folder, 'no', 'such'),
    })
    await missing.close()
    rmSync(folder, { recursive: true })
  })

  it('can be huge pages, if there are any', async () => {
    const pool = new BuddyPool({ block: { backend: 'hugetlb' } })
    try {
      const buffer = pool.allocateSync(1)
      buffer.bytes.fill(1)
      buffer.release()
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOMEM', syscall: 'mmap' })
    }
    await pool.close()
  })

  it('is one of those that there are', () => {
    const methods = { allocate: (bytes: number) => new ArrayBuffer(bytes), release: () => {} }
    for (const backend of ['heap', '', null, 5, {}, { ...methods, file: 'blocks' }]) {
      expect(() => new BuddyPool({ block: { backend: backend as never } })).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
      )
    }
    expect(() => new BuddyPool({ block: { backend: { file: 5 } as never } })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    )
  })
})

describe('sizes', () => {
  const capacities: [number, number][] = [
    [1, 16 * KIB],
    [16 * KIB, 16 * KIB],
    [16 * KIB + 1, 64 * KIB],
    [64 * KIB, 64 * KIB],
    [64 * KIB + 1, 256 * KIB],
    [256 * KIB, 256 * KIB],
    [256 * KIB + 1, MIB],
    [MIB, MIB],
    [MIB + 1, 4 * MIB],
    [4 * MIB + 1, 16 * MIB],
    [16 * MIB + 1, 64 * MIB],
    [64 * MIB, 64 * MIB],
  ]

  it.each(capacities)('%d bytes get %d', (size, capacity) => {
    expect(BuddyPool.capacityFor(size)).toBe(capacity)
    const buffer = make().allocateSync(size)
    expect([buffer.capacity, buffer.length, buffer.bytes.length]).toEqual([capacity, capacity, capacity])
  })

  it.each([0, -1, 64 * MIB + 1, 1.5, Number.NaN, 2 ** 32])('%d is out of range', async (size) => {
    const pool = make()
    expect(codeOf(() => BuddyPool.capacityFor(size))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => pool.tryAllocate(size))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => pool.allocateSync(size))).toBe('ERR_OUT_OF_RANGE')
    expect(await codeOfRejection(pool.allocate(size))).toBe('ERR_OUT_OF_RANGE')
    expect(pool.stats().blocks).toBe(0)
  })

  it.each([
    [undefined, 256 * MIB],
    [1, 64 * MIB],
    [64 * MIB, 64 * MIB],
    [200 * MIB, 192 * MIB],
  ])('maxMemory %d is %d', (maxMemory, rounded) => {
    expect(make(maxMemory === undefined ? {} : { maxMemory }).stats().maxMemory).toBe(rounded)
  })
})

describe('options', () => {
  it.each<[unknown, string]>([
    [null, 'ERR_INVALID_ARG_TYPE'],
    [{ maxMemory: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ maxMemory: '1' }, 'ERR_INVALID_ARG_TYPE'],
    [{ mergeWatermarks: [1, 2, 3] }, 'ERR_INVALID_ARG_TYPE'],
    [{ mergeWatermarks: [1, 2, 3, -1] }, 'ERR_OUT_OF_RANGE'],
    [{ starvationTimeoutMs: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ slabEmptyWatermark: 0.5 }, 'ERR_OUT_OF_RANGE'],
    [{ threadCache: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ block: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ block: { lock: 'yes' } }, 'ERR_INVALID_ARG_TYPE'],
    [{ block: { onBlock: 1 } }, 'ERR_INVALID_ARG_TYPE'],
  ])('refuses %o', (options, code) => {
    expect(codeOf(() => new BuddyPool(options as BuddyPoolOptions))).toBe(code)
  })
})

describe('a buffer', () => {
  it.skipIf(DEBUG)('has bytes of its own in a block that has one ArrayBuffer', () => {
    const pool = make()
    const [first, second] = [pool.allocateSync(MIB), pool.allocateSync(MIB)]
    first.bytes.fill(1)
    second.bytes.fill(2)
    expect(first.bytes.buffer).toBe(second.bytes.buffer)
    expect(first.bytes.buffer.byteLength).toBe(64 * MIB)
    expect([first.bytes, second.bytes].map((bytes) => [bytes[0], bytes[MIB - 1]])).toEqual([
      [1, 1],
      [2, 2],
    ])
  })

  it('has a logical length', () => {
    const buffer = make().allocateSync(100)
    buffer.setLength(0)
    buffer.extendFromSlice(Uint8Array.of(1, 2, 3))
    buffer.extendFromSlice(buffer.bytes)
    expect([...buffer.bytes]).toEqual([1, 2, 3, 1, 2, 3])
    buffer.setLength(2)
    expect([buffer.length, ...buffer.bytes]).toEqual([2, 1, 2])
    expect(codeOf(() => buffer.setLength(16 * KIB + 1))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => buffer.extendFromSlice(new Uint8Array(16 * KIB - 1)))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => buffer.extendFromSlice([1] as unknown as Uint8Array))).toBe('ERR_INVALID_ARG_TYPE')
    expect([buffer.length, ...buffer.bytes]).toEqual([2, 1, 2])
    buffer.extendFromSlice(new Uint8Array(16 * KIB - 2))
    expect(buffer.length).toBe(buffer.capacity)
  })

  it('is released once, and stays released when its memory is used again', () => {
    const pool = make()
    const stale = pool.allocateSync(100)
    const place = stale.bytes.byteOffset
    expect([stale.release(), stale.release()]).toEqual([true, false])
    const next = pool.allocateSync(100)
    expect(next.bytes.byteOffset).toBe(place)
    for (const use of [() => stale.bytes, () => stale.setLength(0), () => stale.extendFromSlice(new Uint8Array(1))]) {
      expect(codeOf(use)).toBe('ERR_RELEASED')
    }
    expect(stale.release()).toBe(false)
    expect(pool.stats().liveBuffers).toBe(1)
    expect(next.bytes.length).toBe(16 * KIB)
  })

  it('can be used with `using`', () => {
    const pool = make()
    {
      using buffer = pool.allocateSync(1)
      expect(buffer.capacity).toBe(16 * KIB)
      expect(pool.stats().liveBuffers).toBe(1)
    }
    expect(pool.stats().liveBuffers).toBe(0)
  })

  it('is cleared only with `zero`', async () => {
    const pool = make()
    const dirty = pool.allocateSync(MIB)
    dirty.bytes.fill(7)
    dirty.release()
    const kept = pool.allocateSync(MIB)
    // In debug mode the new buffer has fresh memory, not the memory that was released.
    expect(kept.bytes[MIB - 1]).toBe(DEBUG ? 0 : 7)
    kept.release()
    const cleared = pool.allocateSync(MIB, { zero: true })
    expect(cleared.bytes.every((byte) => byte === 0)).toBe(true)
    cleared.bytes.fill(7)
    cleared.release()
    expect((await pool.allocate(MIB, { zero: true })).bytes.every((byte) => byte === 0)).toBe(true)
    expect(codeOf(() => pool.tryAllocate(1, { zero: 1 as unknown as boolean }))).toBe('ERR_INVALID_ARG_TYPE')
  })

  it('stays usable after other code has detached its ArrayBuffer', async () => {
    const buffer = make().allocateSync(MIB)
    buffer.bytes.fill(3)
    await detachByStream(buffer.bytes)
    expect(buffer.bytes.every((byte) => byte === 3)).toBe(true)
    expect(buffer.bytes.length).toBe(MIB)
  })
})

describe('the limit', () => {
  it('gives null or ERR_MEMORY_LIMIT at once', () => {
    const pool = make({ maxMemory: 64 * MIB })
    const buffers = fill(pool)
    expect(buffers.length).toBe(64)
    expect(pool.tryAllocate(1)).toBe(null)
    expect(codeOf(() => pool.allocateSync(1))).toBe('ERR_MEMORY_LIMIT')
    buffers[0]!.release()
    expect(pool.tryAllocate(1)).not.toBe(null)
  })

  it('makes allocate() wait', async () => {
    const pool = make({ maxMemory: 64 * MIB })
    const [held] = fill(pool, 64 * MIB)
    const waiting = pool.allocate(MIB)
    expect(pool.stats().waiting).toBe(1)
    held!.release()
    expect((await waiting).capacity).toBe(MIB)
    expect(pool.stats()).toMatchObject({ waiting: 0, liveBuffers: 1 })
  })

  it('lets a signal or a timeout end a wait without harm to the others', async () => {
    const pool = make({ maxMemory: 64 * MIB })
    const [held] = fill(pool, 64 * MIB)
    const abort = new AbortController()
    const aborted = pool.allocate(MIB, { signal: abort.signal })
    const timedOut = pool.allocate(MIB, { timeoutMs: 1 })
    const served = pool.allocate(MIB)
    abort.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    expect(await codeOfRejection(timedOut)).toBe('ERR_TIMEOUT')
    expect(pool.stats().waiting).toBe(1)
    held!.release()
    expect((await served).capacity).toBe(MIB)
    await expect(pool.allocate(1, { signal: AbortSignal.abort('before') })).rejects.toBe('before')
    expect(pool.stats()).toMatchObject({ waiting: 0, liveBuffers: 1 })
  })

  it('takes back at once a buffer that was granted to an aborted wait', () => {
    const pool = make({ maxMemory: 64 * MIB })
    const [held] = fill(pool, 64 * MIB)
    const abort = new AbortController()
    const left = pool.allocate(64 * MIB, { signal: abort.signal })
    left.catch(() => {})
    held!.release()
    abort.abort()
    expect(pool.tryAllocate(64 * MIB)).not.toBe(null)
  })

  it('serves 1,000 waits of random sizes as memory comes back', async () => {
    const random = new Random()
    const pool = make({ maxMemory: 128 * MIB })
    const held = fill(pool)
    const sizes = [16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB]
    const served = Array.from({ length: 1000 }, async () => {
      const size = sizes[random.below(sizes.length)]!
      const buffer = await pool.allocate(1 + random.below(size))
      if (random.below(2) === 0) await later()
      buffer.release()
    })
    expect(pool.stats().waiting).toBe(1000)
    for (const buffer of held) buffer.release()
    await Promise.all(served)
    expect(pool.stats()).toMatchObject({ waiting: 0, liveBuffers: 0 })
  })
})

describe.skipIf(DEBUG)('the magazine', () => {
  it('gives a buffer even after an unrelated call has failed', async () => {
    const pool = new BuddyPool()
    pool.allocateSync(1).release()
    const { consumer } = new ByteRing(8).intoParts()
    expect(codeOf(() => consumer.readableSync(1, { timeoutMs: 0 }))).toBe('ERR_TIMEOUT')
    const buffer = await pool.allocate(1)
    expect(pool.stats()).toMatchObject({ liveBuffers: 1, magazine: { buffers: 0 } })
    buffer.release()
    await pool.close()
  })

  it('keeps released buffers, which count as free', () => {
    const pool = make()
    const buffer = pool.allocateSync(MIB)
    const place = buffer.bytes.byteOffset
    buffer.release()
    expect(pool.stats()).toMatchObject({ liveBuffers: 0, magazine: { buffers: 1, bytes: MIB } })
    const again = pool.allocateSync(MIB)
    expect(again).not.toBe(buffer)
    expect(again.bytes.byteOffset).toBe(place)
    expect(pool.stats()).toMatchObject({ liveBuffers: 1, magazine: { buffers: 0, bytes: 0 } })
  })

  it('is limited in buffers and in bytes', () => {
    const pool = make()
    for (const [size, kept] of [
      [16 * KIB, 64],
      [64 * KIB, 64],
      [256 * KIB, 16],
      [MIB, 4],
      [4 * MIB, 1],
      [16 * MIB, 0],
    ] as const) {
      const before = pool.stats().magazine.buffers
      const buffers = Array.from({ length: Math.min(2 * kept + 1, 100) }, () => pool.allocateSync(size))
      for (const buffer of buffers) buffer.release()
      expect(pool.stats().magazine.buffers - before).toBe(kept)
    }
    expect(pool.stats()).toMatchObject({ liveBuffers: 0, magazine: { bytes: 17 * MIB } })
  })

  it('is not emptied by a pool that could not be shared', () => {
    const settings = { maxMemory: 64 * MIB, hugePages: false, lock: false, prefault: false, hugeTlb: false }
    const memory = new BuddyMemory(createBuddyPool(settings), () => {})
    memory.release(memory.acquire(1)!)
    const fails = (): void => {
      throw new Error('no ticket')
    }
    expect(() => memory.depart(fails)).toThrow('no ticket')
    expect(memory.report().magazine.buffers).toBe(1)
    memory.release(memory.recent(0)!)
    expect(memory.report().magazine.buffers).toBe(1)
    expect(memory.close(() => {})).toBe(0)
    memory.end()
  })

  it('is emptied before an allocation fails', () => {
    const pool = make({ maxMemory: 64 * MIB })
    for (const buffer of fill(pool)) buffer.release()
    expect(pool.stats().magazine.buffers).toBe(4)
    expect(pool.tryAllocate(64 * MIB)).not.toBe(null)
    expect(pool.stats().magazine.buffers).toBe(0)
  })

  it('is emptied before an allocation waits, and keeps nothing while one does', async () => {
    const pool = make({ maxMemory: 64 * MIB })
    const buffers = fill(pool)
    for (const buffer of buffers.splice(0, 4)) buffer.release()
    expect(pool.stats().magazine.buffers).toBe(4)
    const waiting = pool.allocate(64 * MIB)
    expect(pool.stats().magazine.buffers).toBe(0)
    buffers.pop()!.release()
    expect(pool.stats().magazine.buffers).toBe(0)
    for (const buffer of buffers) buffer.release()
    expect((await waiting).capacity).toBe(64 * MIB)
  })
})

describe('stats', () => {
  it.skipIf(DEBUG)('are exact after every step', () => {
    const pool = make({ threadCache: false, mergeWatermarks: [0, 0, 0, 0], slabEmptyWatermark: 0 })
    const empty: BuddyPoolStats = {
      allocatedMemory: 0,
      maxMemory: 256 * MIB,
      blocks: 0,
      liveBuffers: 0,
      waiting: 0,
      freeCounts: [0, 0, 0, 0],
      pendingCounts: [0, 0, 0, 0],
      slabFreeCounts: [0, 0, 0],
      magazine: { buffers: 0, bytes: 0 },
    }
    expect(pool.stats()).toEqual(empty)
    const large = pool.allocateSync(16 * MIB)
    const one = { ...empty, allocatedMemory: 64 * MIB, blocks: 1, liveBuffers: 1, freeCounts: [0, 0, 3, 0] }
    expect(pool.stats()).toEqual(one)
    const small = pool.allocateSync(16 * KIB)
    expect(pool.stats()).toEqual({ ...one, liveBuffers: 2, freeCounts: [3, 3, 2, 0], slabFreeCounts: [63, 0, 0] })
    small.release()
    const kept = { buffers: 1, bytes: 16 * KIB }
    expect(pool.stats()).toEqual({ ...one, freeCounts: [3, 3, 2, 0], slabFreeCounts: [63, 0, 0], magazine: kept })
    large.release()
    expect(pool.stats()).toMatchObject({ liveBuffers: 0, freeCounts: [3, 3, 3, 0] })
    pool.allocateSync(64 * MIB).release()
    expect(pool.stats()).toMatchObject({ blocks: 2, allocatedMemory: 128 * MIB, freeCounts: [3, 3, 3, 1] })
  })
})

describe('blocks', () => {
  it('are reported once each, on a later turn of the event loop', async () => {
    const blocks: unknown[] = []
    const pool = make({ block: { onBlock: (block) => blocks.push(block) } })
    const held = [pool.allocateSync(64 * MIB), pool.allocateSync(1)]
    expect(blocks).toEqual([])
    await later()
    held.push(await pool.allocate(64 * MIB))
    pool.allocateSync(1)
    await later()
    expect(blocks).toEqual([0, 1, 2].map((index) => ({ bytes: 64 * MIB, index })))
  })

  it('can use huge pages and prefaulting', () => {
    const pool = make({ block: { hugePages: true, prefault: true } })
    expect(pool.allocateSync(MIB).bytes.every((byte) => byte === 0)).toBe(true)
  })

  it('can be refused, with the limit in the message', () => {
    const printed = run(
      `
      import { BuddyPool } from 'framepool'
      const pool = new BuddyPool({ block: { lock: true } })
      const told = ({ code, errno, syscall, message }) => console.log(JSON.stringify({ code, errno, syscall, message }))
      try { pool.allocateSync(1) } catch (error) { told(error) }
      await pool.allocate(1).catch(told)
      console.log(pool.stats().allocatedMemory)
      await pool.close()
      `,
      {
        command: ['/bin/sh', '-c', `ulimit -l 64 && exec ${process.execPath} "$@"`, 'sh'],
        ...(process.getuid!() === 0 ? { uid: 65_534 } : {}),
      },
    )
    const lines = printed.trimEnd().split('\n')
    expect(lines.length).toBe(3)
    for (const line of lines.slice(0, 2)) {
      const { code, errno, syscall, message } = JSON.parse(line)
      expect([code, errno, syscall]).toEqual(['ENOMEM', -12, 'mlock'])
      expect(message).toContain('RLIMIT_MEMLOCK is 65536 bytes')
    }
    expect(lines[2]).toBe('0')
  })

  it('are mapped for allocate() without stalling the event loop', async () => {
    const options = { maxMemory: 512 * MIB, block: { prefault: true } }
    const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!
    const synchronous = make(options)
    const blocked = Array.from({ length: 7 }, () => {
      const start = performance.now()
      synchronous.allocateSync(64 * MIB)
      return performance.now() - start
    })
    const pool = make(options)
    const stalls: number[] = []
    for (let block = 0; block < 7; block++) {
      const start = performance.now()
      const buffer = pool.allocate(64 * MIB)
      stalls.push(performance.now() - start)
      await buffer
    }
    expect(median(stalls)).toBeLessThan(median(blocked) / 4)
  })
})

describe('close', () => {
  it('refuses calls, rejects waits, resolves with the last release and then detaches views', async () => {
    const pool = new BuddyPool({ maxMemory: 64 * MIB })
    const buffers = fill(pool)
    const view = buffers[0]!.bytes
    const waiting = pool.allocate(MIB)
    let closed = false
    const closing = pool.close().then(() => {
      closed = true
    })
    expect(await codeOfRejection(waiting)).toBe('ERR_CLOSED')
    expect(codeOf(() => pool.tryAllocate(1))).toBe('ERR_CLOSED')
    expect(codeOf(() => pool.allocateSync(1))).toBe('ERR_CLOSED')
    expect(await codeOfRejection(pool.allocate(1))).toBe('ERR_CLOSED')
    const last = buffers.pop()!
    for (const buffer of buffers) buffer.release()
    await later()
    expect(closed).toBe(false)
    expect(last.bytes.length).toBe(MIB)
    expect(pool.stats().liveBuffers).toBe(1)
    last.release()
    await closing
    expect(view.length).toBe(0)
    expect(pool.stats()).toMatchObject({ liveBuffers: 0, blocks: 0, allocatedMemory: 0, maxMemory: 64 * MIB })
    expect(pool.close()).toBe(pool.close())
  })

  it('resolves at once with nothing alive, buffers in the magazine included', async () => {
    const pool = new BuddyPool()
    pool.allocateSync(1).release()
    await pool[Symbol.asyncDispose]()
    expect(pool.stats().magazine.buffers).toBe(0)
  })

  it('frees the memory without a garbage collection', () => {
    const printed = run(`
      import { BuddyPool } from 'framepool'
      const MIB = 2 ** 20
      const churn = async (bytes) => {
        const pool = new BuddyPool()
        for (let done = 0; done < bytes; done += 256 * MIB) {
          const buffers = Array.from({ length: 64 }, () => pool.allocateSync(4 * MIB))
          for (const buffer of buffers) buffer.bytes.fill(1)
          for (const buffer of buffers) buffer.release()
        }
        const peak = process.memoryUsage.rss()
        await pool.close()
        return peak
      }
      await churn(1)
      const before = process.memoryUsage.rss()
      const peak = await churn(1024 * MIB)
      console.log(JSON.stringify({ before, peak, after: process.memoryUsage.rss() }))
    `)
    const { before, peak, after } = JSON.parse(printed)
    expect(peak - before).toBeGreaterThan(200 * MIB)
    expect(after).toBeLessThan(before * 1.1)
  })
})

describe('random programs', () => {
  it('respect maxMemory and keep every byte', async () => {
    const random = new Random()
    const maxMemory = 128 * MIB
    const pool = make({ maxMemory, starvationTimeoutMs: 5 })
    const sizes = [16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB]
    const alive = new Set<{ buffer: BuddyBuffer; mark: number }>()
    const waits = new Set<Promise<void>>()
    let marks = 0
    let settled = 0

    /** Marks every byte of a small buffer, and some bytes of each page of a large one. */
    const step = 4096 - 1
    const hold = (buffer: BuddyBuffer): void => {
      const mark = ++marks & 0xff
      const { bytes } = buffer
      for (let at = 0; at < bytes.length; at += step) bytes[at] = mark
      alive.add({ buffer, mark })
      const ranges = [...alive].map(({ buffer }) => ({
        of: buffer.bytes.buffer,
        at: buffer.bytes.byteOffset,
        end: buffer.bytes.byteOffset + buffer.capacity,
      }))
      const mine = ranges.pop()!
      if (ranges.some(({ of, at, end }) => of === mine.of && at < mine.end && mine.at < end)) throw new Error('overlap')
    }
    const drop = (): void => {
      const all = [...alive]
      if (all.length === 0) return
      const held = all[random.below(all.length)]!
      const { bytes } = held.buffer
      for (let at = 0; at < bytes.length; at += step) {
        if (bytes[at] !== held.mark) throw new Error(`a byte of a live buffer changed: ${random.origin}`)
      }
      alive.delete(held)
      held.buffer.release()
    }

    for (let operation = 0; operation < 10_000; operation++) {
      const size = 1 + random.below(sizes[Math.min(random.below(7), random.below(7))]!)
      const roll = random.below(100)
      if (roll < 30) {
        const buffer = pool.tryAllocate(size)
        if (buffer !== null) hold(buffer)
      } else if (roll < 45 && waits.size < 50) {
        const abort = new AbortController()
        const kind = random.below(3)
        const options = kind === 0 ? {} : kind === 1 ? { timeoutMs: random.below(10) } : { signal: abort.signal }
        const wait = pool.allocate(size, options).then(hold, (error) => {
          if (kind === 0 || (kind === 1 && error.code !== 'ERR_TIMEOUT') || (kind === 2 && error !== 'left'))
            throw error
        })
        const tracked = wait.finally(() => {
          settled++
          waits.delete(tracked)
        })
        waits.add(tracked)
        if (kind === 2) setTimeout(() => abort.abort('left'), random.below(5))
      } else if (roll < 97) {
        drop()
      } else {
        await later()
      }
      const stats = pool.stats()
      const bytes = [...alive].reduce((sum, { buffer }) => sum + buffer.capacity, 0)
      if (bytes > maxMemory || stats.allocatedMemory > maxMemory) throw new Error('beyond maxMemory')
      if (stats.liveBuffers < alive.size) throw new Error(`${stats.liveBuffers} are alive, not ${alive.size}`)
      if (stats.blocks * 64 * MIB > stats.allocatedMemory) throw new Error('blocks beyond allocatedMemory')
    }
    while (waits.size > 0 || alive.size > 0) {
      drop()
      await Promise.race([later(), ...waits])
    }
    expect(settled).toBeGreaterThan(100)
    expect(pool.stats()).toMatchObject({ liveBuffers: 0, waiting: 0 })
  }, 120_000)
})

describe('workers', () => {
  const program = `
    import { parentPort } from 'node:worker_threads'
    import { BuddyPool } from 'framepool'
    const pool = new BuddyPool({ maxMemory: 2 ** 26 })
    const held = [pool.allocateSync(2 ** 24), pool.allocateSync(1), pool.allocateSync(1)]
    held[0].bytes.fill(9)
    held[2].release()
    const waiting = pool.allocate(2 ** 26)
    parentPort.postMessage(pool.stats())
  `
  it('have separate pools, and may end with live buffers and pending waits', async () => {
    for (const end of ['process.exit()', 'await waiting']) {
      const worker = new Worker(program + end, { eval: true, execArgv: ['--input-type=module'] })
      const exited = once(worker, 'exit')
      const [stats] = await once(worker, 'message')
      expect(stats).toMatchObject({ liveBuffers: 2, waiting: 1, blocks: 1 })
      if (end.startsWith('await')) await worker.terminate()
      await exited
    }
    expect(make().stats().blocks).toBe(0)
  })
})

it('calls no method that a script put on a view', async () => {
  const own = make()
  const first = own.allocateSync(1)
  const { buffer, byteOffset } = first.bytes
  for (const name of ['fill', 'set', 'subarray', 'slice', 'constructor', 'length', 'buffer', 'byteOffset']) {
    Object.defineProperty(first.bytes, name, { value: () => 'other' })
  }
  first.setLength(5)
  first.extendFromSlice(Buffer.from('text'))
  expect(Buffer.from(buffer, byteOffset + 5, 4).toString()).toBe('text')
  first.release()
  // The magazine hands out the same buffer with the same view.
  const again = own.allocateSync(1, { zero: true })
  expect(Buffer.from(buffer, byteOffset, 16).every((byte) => byte === 0)).toBe(true)
  again.release()
  await own.close()
})
