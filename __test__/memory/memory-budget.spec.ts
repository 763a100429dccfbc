import { describe, expect, it } from 'vitest'
import { MemoryBudget, Reservation, SlotPool } from '../../index.js'
import { codeOf, codeOfRejection } from '../support/code-of.js'
import { runProgram, WORKERS } from '../support/program.js'

describe('MemoryBudget', () => {
  it('reserves what is left, and no more', () => {
    const budget = new MemoryBudget(100)
    const first = budget.tryReserve(60)!
    expect([first.bytes, budget.maxMemory]).toEqual([60, 100])
    expect(budget.tryReserve(41)).toBe(null)
    using second = budget.tryReserve(40)!
    expect(budget.stats()).toEqual({ reservedBytes: 100, waiting: 0, peakBytes: 100 })
    expect([first.release(), first.release()]).toEqual([true, false])
    expect(budget.stats()).toEqual({ reservedBytes: 40, waiting: 0, peakBytes: 100 })
    expect(second.bytes).toBe(40)
  })

  it('serves requests that wait in their order', async () => {
    const budget = new MemoryBudget(100)
    const all = budget.tryReserve(100)!
    const order: string[] = []
    const large = budget.reserve(90).then((reservation) => {
      order.push('large')
      return reservation
    })
    const small = budget.reserve(5).then(() => order.push('small'))
    expect(budget.stats().waiting).toBe(2)
    expect(budget.tryReserve(1)).toBe(null)
    all.release()
    await small
    expect(order).toEqual(['large', 'small'])
    expect((await large).bytes).toBe(90)
  })

  it('gives up a wait', async () => {
    const budget = new MemoryBudget(10)
    using _ = budget.tryReserve(10)!
    const stop = new AbortController()
    const aborted = budget.reserve(1, { signal: stop.signal })
    stop.abort(new Error('mine'))
    await expect(aborted).rejects.toThrow('mine')
    expect(await codeOfRejection(budget.reserve(1, { timeoutMs: 1 }))).toBe('ERR_TIMEOUT')
    expect(budget.stats().waiting).toBe(0)
  })

  it('refuses what can never be', async () => {
    for (const bytes of [0, -1, 1.5, 2 ** 53, Number.NaN]) {
      expect(codeOf(() => new MemoryBudget(bytes))).toBe('ERR_OUT_OF_RANGE')
    }
    expect(codeOf(() => new MemoryBudget('1' as never))).toBe('ERR_INVALID_ARG_TYPE')
    const budget = new MemoryBudget(2 ** 40)
    expect(codeOf(() => budget.tryReserve(2 ** 40 + 1))).toBe('ERR_OUT_OF_RANGE')
    expect(await codeOfRejection(budget.reserve(0))).toBe('ERR_OUT_OF_RANGE')
    using most = budget.tryReserve(2 ** 40)!
    expect(budget.stats().reservedBytes).toBe(most.bytes)
    expect(codeOf(() => new (Reservation as never as new () => Reservation)())).toBe('ERR_INVALID_ARG_TYPE')
  })

  it('is one budget for several threads, and gets back what a worker had', () => {
    const printed = runProgram(`${WORKERS}
      import { adopt, MemoryBudget } from 'framepool'
      const budget = new MemoryBudget(100)
      const worker = start(\`
        import { parentPort, workerData } from 'node:worker_threads'
        import { adopt } from 'framepool'
        const budget = adopt(workerData)
        parentPort.postMessage([budget.maxMemory, budget.tryReserve(70).bytes])
        parentPort.once('message', () => process.exit())\`, { workerData: budget.share() })
      console.log((await once(worker, 'message'))[0], budget.tryReserve(31))
      const waiting = budget.reserve(100)
      worker.postMessage('end')
      console.log((await waiting).release(), adopt(budget.share()).stats())`)
    expect(printed).toBe('[ 100, 70 ] null\ntrue { reservedBytes: 0, waiting: 0, peakBytes: 100 }\n')
  })
})

describe('the heap of a slot pool', () => {
  it('can have a limit', () => {
    const pool = new SlotPool(10, { slots: 1, heapLimit: 100 })
    pool.getWritable(10)
    const slices = [pool.getDataOwned()]
    pool.getWritable(60)
    slices.push(pool.getDataOwned())
    expect(codeOf(() => pool.getWritable(41))).toBe('ERR_MEMORY_LIMIT')
    pool.getWritable(40)
    slices.push(pool.getDataOwned())
    expect(pool.stats()).toMatchObject({ outOfSlots: 0, outOfBytes: 0, tooLong: 2, heapRefusals: 1, heapFallbacks: 2 })
    slices[1]!.release()
    pool.getWritable(5)
    slices.push(pool.getDataOwned())
    expect(pool.stats()).toMatchObject({ outOfSlots: 1, slots: '1' })
    for (const slice of slices) slice.release()
    pool.close()
  })

  it('can count towards a budget that others share', () => {
    const budget = new MemoryBudget(100)
    const pools = [0, 1].map(() => new SlotPool(0, { heapLimit: budget }))
    pools[0]!.extendFromSlice(new Uint8Array(60))
    const slice = pools[0]!.getDataOwned()
    expect(budget.stats().reservedBytes).toBe(60)
    expect(codeOf(() => pools[1]!.extendFromSlice(new Uint8Array(50)))).toBe('ERR_MEMORY_LIMIT')
    slice.release()
    pools[1]!.extendFromSlice(new Uint8Array(50))
    for (const pool of pools) pool.close()
    expect(budget.stats().reservedBytes).toBe(0)
  })

  it('has as many slots as asked for', () => {
    for (const slots of [1, 9, 31, 32]) {
      const pool = new SlotPool(1000, { slots })
      const slices = Array.from({ length: slots + 1 }, (_, index) => {
        pool.getWritable(10).fill(index)
        return pool.getDataOwned()
      })
      expect(slices.map(({ slot }) => slot)).toEqual([...Array.from({ length: slots }, (_, index) => index + 1), null])
      for (const [index, { bytes }] of slices.entries()) expect(bytes.every((byte) => byte === index)).toBe(true)
      expect(pool.stats()).toMatchObject({ liveSlices: slots + 1, heapFallbacks: 1 })
      for (const slice of slices) slice.release()
      expect(pool.isDroppable).toBe(true)
      pool.close()
    }
    for (const slots of [0, 33, 1.5]) expect(codeOf(() => new SlotPool(1, { slots }))).toBe('ERR_OUT_OF_RANGE')
    expect(() => new SlotPool(1, { heapLimit: {} as never })).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_TYPE',
        message: 'heapLimit must be a number or a MemoryBudget',
      }),
    )
  })
})
