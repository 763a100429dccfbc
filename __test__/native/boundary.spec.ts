import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import { markAsUntransferable } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { findAddon } from '../../src/native/load-addon.js'
import { codeOf } from '../support/code-of.js'
import { DEBUG } from '../support/debug-mode.js'
import { detachByStream } from '../support/detach.js'

/** Number of calls into native code since the last reset. */
const crossings = countCrossings()
const { BuddyPool, BudgetAllocation, BudgetPool, ByteRing, Slice, SliceChannel, SlotPool, SystemMemoryBuffer } =
  await import('../../index.js')
const { native } = await import('../../src/native/load.js')
const { closeSlotPool, createSlotPool, slotPoolRegion, slotPoolReport } = await import('../../src/native/slot.js')

/**
 * Wraps every function of the binding in a counter. This must run before the facade is loaded, because the facade keeps
 * references to the functions.
 */
function countCrossings(): () => number {
  let count = 0
  const counted = <T extends object>(functions: T): T => {
    const entries = Object.entries(functions).map(([name, value]: [string, unknown]) => {
      if (typeof value !== 'function') return [name, value]
      const call = (...args: unknown[]): unknown => {
        count++
        const result = value(...args)
        return name === 'openBoundary' ? counted(result) : result
      }
      return [name, call]
    })
    return Object.fromEntries(entries) as T
  }
  const require = createRequire(import.meta.url)
  const path = findAddon()
  const binding = require(path)
  require.cache[path]!.exports = counted(binding)
  return () => {
    const crossed = count
    count = 0
    return crossed
  }
}

/** Reads a file of the repository. */
function contents(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
}

describe('the boundary', () => {
  const declarations = native.boundaryDeclarations()

  it('has the same declarations in TypeScript as in native code', () => {
    // `npm run build` writes the file.
    expect(contents('src/native/boundary.generated.ts')).toBe(declarations)
  })

  it('has every kind of object listed in docs/debugging.md', () => {
    const union = /export type ObjectKind =((?:\n {2}\| '[a-z0-9-]+')+)\n/.exec(declarations)?.[1] ?? ''
    const kinds = union.match(/[a-z0-9-]{2,}/g) ?? []
    expect(kinds).toContain('ticket')
    const text = contents('docs/debugging.md')
    expect(kinds.filter((kind) => !text.includes(`\`${kind}\``))).toEqual([])
  })
})

describe.skipIf(DEBUG)('crossings', () => {
  /** Counts the native calls of `use`, after the pool has shown its memory. */
  function crossingsOf(use: () => void): number {
    crossings()
    use()
    return crossings()
  }

  it('are zero for a message when nothing else is alive', () => {
    const pool = new SlotPool(4096)
    const cycle = (): void => {
      pool.getWritable(64)[0] = 1
      const slice = pool.getDataOwned()
      slice.bytes[1] = 2
      slice.release()
    }
    cycle()
    const hundred = crossingsOf(() => {
      for (let message = 0; message < 100; message++) cycle()
    })
    expect(hundred).toBe(0)
  })

  it('are at most one for all messages while slots are free, however they are written', () => {
    const pool = new SlotPool(4096)
    const fill = (): void => {
      const slices = Array.from({ length: SlotPool.SLOTS }, () => {
        pool.getWritable(6)
        pool.writeAll(new Uint8Array(100))
        pool.extendFromSlice(new Uint8Array(100))
        pool.write(pool.getDataByRef(50))
        pool.dangerSetStart(6)
        pool.bytes[0] = 1
        pool.truncate(150)
        return pool.getDataOwned()
      })
      for (const slice of slices) {
        expect(slice.bytes).toHaveLength(156)
        slice.release()
      }
    }
    fill()
    expect(crossingsOf(fill)).toBeLessThanOrEqual(1)
  })

  it('are one for each slice that is sent, one to receive it and one to release it there', () => {
    const pool = new SlotPool(4096)
    const { sender, receiver } = SliceChannel.create<InstanceType<typeof Slice>>()
    const send = (): void => {
      pool.getWritable(10)
      sender.send(pool.getDataOwned())
    }
    // The first send also looks for room, and the first receive also learns where the pool ends.
    send()
    const first = receiver.tryReceive()
    expect([crossingsOf(send), crossingsOf(send)]).toEqual([1, 1])
    let second: typeof first = null
    expect(crossingsOf(() => (second = receiver.tryReceive()))).toBe(1)
    expect(crossingsOf(() => first?.release())).toBe(1)
    expect(crossingsOf(() => second?.release())).toBe(1)
    pool.close()
  })

  it('are one where the pool must look for room', () => {
    const pool = new SlotPool(80)
    const slices = Array.from({ length: 8 }, () => {
      pool.getWritable(10)
      return pool.getDataOwned()
    })
    slices[0]!.release()
    expect(crossingsOf(() => pool.getWritable(5))).toBe(1)
    expect(crossingsOf(() => pool.getDataOwned())).toBe(0)
    expect(pool.mode).toBe('front')
  })

  it('are one for an allocation of a budget pool, and one for its release', () => {
    const pool = new BudgetPool({ bufferSize: 1024, maxMemory: 65_536 })
    let allocation: InstanceType<typeof BudgetAllocation> | null = null
    expect(crossingsOf(() => (allocation = pool.tryAllocate(16)))).toBe(1)
    expect(crossingsOf(() => allocation?.release())).toBe(1)
    expect(crossingsOf(() => allocation?.release())).toBe(0)
  })

  it('are one for each buddy buffer acquired or released, and zero with the magazine', () => {
    const pool = new BuddyPool()
    const first = pool.allocateSync(2 ** 24)
    const crossed = crossingsOf(() => {
      const second = pool.allocateSync(2 ** 24)
      second.bytes[0] = 1
      second.release()
    })
    expect(crossed).toBe(2)
    first.release()
    pool.allocateSync(2 ** 14).release()
    const kept = crossingsOf(() => {
      const buffer = pool.allocateSync(100)
      buffer.setLength(0)
      buffer.extendFromSlice(new Uint8Array(10))
      buffer.bytes
      buffer.release()
    })
    expect(kept).toBe(0)
    void pool.close()
  })

  it('are at most two for each ring full of bytes while both halves are in this isolate', () => {
    const { producer, consumer } = new ByteRing(1024).intoParts()
    const bytes = new Uint8Array(100)
    const pass = (): void => {
      producer.write(bytes)
      consumer.ioSlices((_, length) => length)
    }
    pass()
    // The producer crosses when it reaches the last position that it knows of the consumer.
    expect(
      crossingsOf(() => {
        for (let round = 0; round < 100; round++) pass()
      }),
    ).toBeLessThanOrEqual(2 * Math.ceil((100 * bytes.length) / 900))
    expect(crossingsOf(pass)).toBeLessThanOrEqual(2)
    expect([producer.position, consumer.position]).toEqual([10_200n, 10_200n])
  })

  it('are zero for values that JavaScript already has', () => {
    const pool = new SlotPool(64)
    pool.write(new Uint8Array(8))
    const slice = pool.getDataOwned()
    const known = crossingsOf(() => {
      slice.bytes
      slice.copy()
      expect([pool.length, pool.isEmpty, pool.isDroppable, pool.capacity, slice.slot]).toEqual([0, true, false, 64, 1])
      pool.getWritable(0)
      slice.release()
    })
    expect(known).toBe(0)
  })
})

describe('handles', () => {
  it('name nothing once they are stale, even when their place is reused', () => {
    const first = createSlotPool(8, { slots: 8, debug: false })
    slotPoolReport(first)
    closeSlotPool(first, true)
    const second = createSlotPool(8, { slots: 8, debug: false })
    expect(second.index).toBe(first.index)
    expect(second.generation).not.toBe(first.generation)
    expect(codeOf(() => slotPoolReport(first))).toBe('ERR_RELEASED')
    expect(codeOf(() => slotPoolRegion(first))).toBe('ERR_RELEASED')
    expect(codeOf(() => closeSlotPool(first, true))).toBe('ERR_RELEASED')
    expect(slotPoolReport(second).line).toBe('--------  BACK MODE')
    closeSlotPool(second, true)
  })

  it('name nothing if they never existed', () => {
    for (const index of [0xffff_ffff, 1_000_000]) {
      expect(codeOf(() => slotPoolReport({ index, generation: 0 }))).toBe('ERR_RELEASED')
    }
  })
})

describe('objects that framepool did not create', () => {
  const forgeries = [
    undefined,
    null,
    {},
    5,
    ...[SlotPool, Slice, BudgetPool, BudgetAllocation].map(({ prototype }) => Object.create(prototype)),
  ]

  it.each([
    ['SlotPool', SlotPool],
    ['SystemMemoryBuffer', SystemMemoryBuffer],
    ['Slice', Slice],
  ])('are refused by every member of %s', (_, { prototype }) => {
    const members = new Map<string | symbol, () => unknown>()
    for (let object: object = prototype; object !== Object.prototype; object = Object.getPrototypeOf(object)) {
      for (const key of Reflect.ownKeys(object)) {
        const { get, value } = Object.getOwnPropertyDescriptor(object, key)!
        if (key !== 'constructor' && key !== inspect.custom && !members.has(key)) members.set(key, get ?? value)
      }
    }
    expect(members.size).toBeGreaterThan(6)
    for (const member of members.values()) {
      for (const forgery of forgeries)
        expect(() => Reflect.apply(member, forgery, [new Uint8Array(1)])).toThrow(TypeError)
    }
  })

  it('cannot be slices', () => {
    const Forged = Slice as unknown as new (...args: unknown[]) => unknown
    expect(codeOf(() => new Forged())).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => new Forged(Symbol('framepool.slice'), {}, 0, 1, 1))).toBe('ERR_INVALID_ARG_TYPE')
  })

  it('are refused where native code takes bytes', () => {
    for (const source of [Object.create(Uint8Array.prototype), new Proxy(new Uint8Array(4), {})]) {
      expect(codeOf(() => Slice.from(source))).toBe('ERR_INVALID_ARG_TYPE')
      expect(codeOf(() => new SlotPool(8).write(source))).toBe('ERR_INVALID_ARG_TYPE')
    }
  })
})

describe('a region', () => {
  it.skipIf(DEBUG)('is shown again at the same address when other code has detached it', async () => {
    const pool = new SlotPool(64)
    pool.write(Uint8Array.of(1, 2, 3))
    const slice = pool.getDataOwned()
    const pending = pool.getWritable(2)
    pending.set([4, 5])
    const taken = await detachByStream(slice.bytes)
    expect(pending).toHaveLength(0)
    expect(slice.bytes).toEqual(Uint8Array.of(1, 2, 3))
    expect(slice.bytes.byteOffset).toBe(0)
    // Two ArrayBuffers now show the same memory.
    taken[0] = 9
    expect(slice.bytes[0]).toBe(9)
    pool.getWritable(1)[0] = 6
    expect(pool.getDataOwned().bytes).toEqual(Uint8Array.of(4, 5, 6))
  })

  it.runIf('transfer' in ArrayBuffer.prototype)('survives transfer()', () => {
    const pool = new SlotPool(64)
    const view = pool.getWritable(3)
    view.set([1, 2, 3])
    const { buffer } = view as unknown as { buffer: { transfer(): ArrayBuffer } }
    const moved = buffer.transfer()
    expect(moved.byteLength).toBe(64)
    expect(view).toHaveLength(0)
    expect(pool.getDataOwned().bytes).toEqual(Uint8Array.of(1, 2, 3))
  })

  // Node 24 crashes at exit if an ArrayBuffer over native memory was marked as untransferable.
  it.runIf(Number.parseInt(process.versions.node, 10) < 24)(
    'that must not be detached is kept as long as it is seen',
    () => {
      const pool = new SlotPool(2 ** 26)
      const view = pool.getWritable(2 ** 26).fill(7)
      markAsUntransferable(view.buffer)
      pool.close()
      // Runtimes without transfer() ignore the mark when native code detaches. Access to freed memory would crash here.
      expect(view.length === 0 || view.every((byte) => byte === 7)).toBe(true)
    },
  )
})
