import { describe, expect, it } from 'vitest'
import { type Slice, SlotPool } from '../../index.js'
import { codeOf } from '../support/code-of.js'
import { DEBUG } from '../support/debug-mode.js'
import { detachByStream } from '../support/detach.js'

const MIB = 2 ** 20

/** Writes a message of `length` bytes equal to `byte`, and takes it. */
function message(pool: SlotPool, length = 1, byte = 0): Slice {
  pool.getWritable(length).fill(byte)
  return pool.getDataOwned()
}

/** Takes messages in turn, and returns the pool's line after each. */
function lines(pool: SlotPool, slices: Slice[], count: number): string[] {
  return Array.from({ length: count }, () => {
    slices.push(message(pool))
    return pool.toString()
  })
}

const FILLING = [
  '1-------  BACK MODE',
  '12------  BACK MODE',
  '123-----  BACK MODE',
  '1234----  BACK MODE',
  '12345---  BACK MODE',
  '123456--  BACK MODE',
  '1234567-  BACK MODE',
  '12345678  BACK MODE',
]

describe('the cases of the description', () => {
  it('1: an exhausted pool uses the heap', () => {
    const pool = new SlotPool(8)
    const slices: Slice[] = []
    expect(pool.toString()).toBe('--------  BACK MODE')
    expect(lines(pool, slices, 8)).toEqual(FILLING)
    expect(slices.map((slice) => slice.slot)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(lines(pool, slices, 2)).toEqual(['12345678  ALLOC MODE', '12345678  ALLOC MODE'])
    expect(slices.slice(8).map((slice) => slice.slot)).toEqual([null, null])
  })

  it('2: a pool with everything released starts again', () => {
    const pool = new SlotPool(8)
    const slices: Slice[] = []
    expect(lines(pool, slices, 8)).toEqual(FILLING)
    for (const slice of slices) slice.release()
    expect(pool.toString()).toBe('--------  BACK MODE')
    expect(lines(pool, slices, 2)).toEqual(['9-------  BACK MODE', '9a------  BACK MODE'])
    expect(pool.stats().resets).toBe(1)
  })

  it('3: from the back to the front, and back again', () => {
    const pool = new SlotPool(8)
    const slices: Slice[] = []
    expect(lines(pool, slices, 8)).toEqual(FILLING)
    slices[0]!.release()
    slices[1]!.release()
    expect(pool.toString()).toBe('--345678  BACK MODE')
    expect(lines(pool, slices, 2)).toEqual(['9-345678  FRONT MODE', '9a345678  FRONT MODE'])
    slices[6]!.release()
    slices[7]!.release()
    expect(pool.toString()).toBe('9a3456--  FRONT MODE')
    expect(lines(pool, slices, 2)).toEqual(['9a3456b-  BACK MODE', '9a3456bc  BACK MODE'])
    expect(pool.stats()).toMatchObject({ modeChanges: 2, resets: 0, heapFallbacks: 0, liveSlices: 8 })
  })
})

describe('stats', () => {
  it('are exact after every step', () => {
    const pool = new SlotPool(10)
    const empty = {
      mode: 'back',
      capacity: 10,
      slots: '--------',
      liveSlices: 0,
      heapFallbacks: 0,
      outOfSlots: 0,
      outOfBytes: 0,
      tooLong: 0,
      heapRefusals: 0,
      resets: 0,
      modeChanges: 0,
    }
    expect(pool.stats()).toEqual(empty)
    const first = message(pool, 6)
    expect(pool.stats()).toEqual({ ...empty, slots: '1-------', liveSlices: 1 })
    const onHeap = message(pool, 5)
    expect(pool.stats()).toEqual({
      ...empty,
      mode: 'alloc',
      slots: '1-------',
      liveSlices: 2,
      heapFallbacks: 1,
      outOfBytes: 1,
      modeChanges: 1,
    })
    onHeap.release()
    first.release()
    expect(pool.stats()).toEqual({ ...empty, mode: 'alloc', heapFallbacks: 1, outOfBytes: 1, modeChanges: 1 })
    message(pool, 10)
    expect(pool.stats()).toEqual({
      ...empty,
      slots: '2-------',
      liveSlices: 1,
      heapFallbacks: 1,
      outOfBytes: 1,
      resets: 1,
      modeChanges: 2,
    })
  })

  it('count through the digits and start again', () => {
    const pool = new SlotPool(1)
    const digits = Array.from({ length: 37 }, () => {
      using _ = message(pool)
      return pool.stats().slots[0]
    })
    expect(digits.join('')).toBe('123456789abcdefghijklmnopqrstuvwxyz12')
  })

  it('do not count empty slices as fallbacks', () => {
    const pool = new SlotPool(0)
    pool.getDataOwned()
    expect(pool.stats()).toMatchObject({ heapFallbacks: 0, liveSlices: 1 })
    message(pool)
    expect(pool.stats()).toMatchObject({ heapFallbacks: 1, liveSlices: 2, slots: '--------' })
  })

  it('agree with mode, capacity and SLOTS', () => {
    const pool = new SlotPool(16)
    expect(pool.capacity).toBe(16)
    expect(pool.mode).toBe('back')
    expect(SlotPool.SLOTS).toBe(8)
    expect(pool.stats().slots).toHaveLength(SlotPool.SLOTS)
    message(pool, 9)
    message(pool, 9)
    expect(pool.mode).toBe('alloc')
  })

  it('may be asked for in the middle of a message', () => {
    const pool = new SlotPool(16)
    message(pool, 4, 1)
    pool.getWritable(3).fill(2)
    expect(pool.toString()).toBe('1-------  BACK MODE')
    pool.getWritable(3).fill(3)
    expect(pool.stats().liveSlices).toBe(1)
    expect(pool.getDataOwned().bytes).toEqual(Uint8Array.of(2, 2, 2, 3, 3, 3))
  })
})

describe('the memory', () => {
  it.skipIf(DEBUG)('is one region, which its slices share without copying', () => {
    const pool = new SlotPool(64)
    const view = pool.getWritable(4)
    const first = pool.getDataOwned()
    const second = message(pool, 4)
    view.fill(7)
    expect(first.bytes).toEqual(new Uint8Array(4).fill(7))
    expect(second.bytes.buffer).toBe(first.bytes.buffer)
    expect(first.bytes.buffer.byteLength).toBe(64)
    expect(second.bytes.byteOffset).toBe(4)
  })

  it('moves a message that outgrows it to the heap, with all its bytes', () => {
    const pool = new SlotPool(8)
    const inPool = pool.getWritable(6)
    inPool.fill(1)
    pool.getWritable(6).fill(2)
    expect(pool.bytes).toEqual(Uint8Array.of(1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2))
    const slice = pool.getDataOwned()
    expect(slice.slot).toBeNull()
    expect(slice.bytes).toEqual(Uint8Array.of(1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2))
  })

  it('moves on the heap as a message grows: detaches the earlier view, and keeps the bytes', () => {
    const pool = new SlotPool(8)
    const before = pool.getWritable(20)
    before.fill(1)
    const bytes = pool.bytes
    const after = pool.getWritable(20)
    expect(before).toHaveLength(0)
    expect(bytes).toHaveLength(0)
    expect(after).toHaveLength(20)
    expect(pool.getDataByRef(20)).toEqual(new Uint8Array(20).fill(1))
  })

  it('is used again as soon as it has room after a message that did not fit', () => {
    const pool = new SlotPool(8)
    expect(message(pool, 9).slot).toBeNull()
    expect(pool.toString()).toBe('--------  BACK MODE')
    const slices = [message(pool, 4), message(pool, 4)]
    expect(message(pool).slot).toBeNull()
    expect(pool.mode).toBe('alloc')
    slices[1]!.release()
    expect(message(pool, 4).slot).toBe(2)
    expect(pool.mode).toBe('back')
  })

  it('moves bytes that are being written when everything else is released', () => {
    const pool = new SlotPool(12)
    const first = message(pool, 8)
    pool.getWritable(4).set([1, 2, 3, 4])
    first.release()
    pool.getWritable(4).set([5, 6, 7, 8])
    const slice = pool.getDataOwned()
    expect(slice.bytes).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))
    expect([slice.slot, slice.bytes.byteOffset]).toEqual([1, 0])
  })

  it('may be 0 bytes: every slice then comes from the heap', () => {
    const pool = new SlotPool(0)
    const slices = Array.from({ length: 10 }, (_, byte) => message(pool, 3, byte))
    expect(slices.every((slice) => slice.slot === null)).toBe(true)
    for (const [byte, slice] of slices.entries()) expect(slice.bytes).toEqual(new Uint8Array(3).fill(byte))
    // No message has room, so the pool stays in back mode.
    expect(pool.toString()).toBe('--------  BACK MODE')
    expect(pool.stats().heapFallbacks).toBe(10)
  })

  it('may be 2^32 − 1 bytes, which no message exceeds', () => {
    const pool = new SlotPool(2 ** 32 - 1)
    const view = pool.getWritable(2 ** 32 - 2)
    view[view.length - 1] = 7
    expect(pool.write(Uint8Array.of(8, 9))).toBe(1)
    expect(pool.write(Uint8Array.of(9))).toBe(0)
    expect(pool.length).toBe(2 ** 32 - 1)
    expect(codeOf(() => pool.writeAll(Uint8Array.of(9)))).toBe('ERR_WRITE_ZERO')
    expect(codeOf(() => pool.extendFromSlice(Uint8Array.of(9)))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => pool.getWritable(1))).toBe('ERR_OUT_OF_RANGE')
    const slice = pool.getDataOwned()
    expect(slice.bytes.subarray(-2)).toEqual(Uint8Array.of(7, 8))
    pool.close()
    slice.release()
  })
})

describe('truncate to nothing', () => {
  it('forgets predicted bytes after any releases', () => {
    const pool = new SlotPool(40)
    const first = message(pool, 5)
    pool.getWritable(5)
    first.release()
    pool.truncate(0)
    const slice = message(pool, 3, 7)
    expect([slice.slot, slice.bytes.byteOffset]).toEqual([1, 0])
    expect(slice.bytes).toEqual(new Uint8Array(3).fill(7))
  })

  it('keeps a message on the heap that moved there', () => {
    const pool = new SlotPool(40)
    message(pool, 5)
    pool.getWritable(100)
    pool.truncate(0)
    const slice = message(pool, 3, 7)
    expect(slice.slot).toBeNull()
    expect(slice.bytes).toEqual(new Uint8Array(3).fill(7))
  })

  it('keeps a message in the front that moved there', () => {
    const pool = new SlotPool(40)
    const slices = [message(pool, 18), message(pool, 18)]
    slices[0]!.release()
    pool.getWritable(8)
    pool.truncate(0)
    const slice = message(pool, 3, 7)
    expect([slice.slot, slice.bytes.byteOffset]).toEqual([1, 0])
    expect(pool.mode).toBe('front')
  })
})

describe('close', () => {
  it('refuses all further use', () => {
    const pool = new SlotPool(8)
    pool.write(Uint8Array.of(1))
    pool.close()
    const uses = [
      () => pool.getWritable(1),
      () => pool.getWritable(0),
      () => pool.getDataOwned(),
      () => pool.getDataByRef(1),
      () => pool.bytes,
      () => pool.write(Uint8Array.of(1)),
      () => pool.writeAll(Uint8Array.of(1)),
      () => pool.extendFromSlice(Uint8Array.of(1)),
      () => pool.truncate(0),
      () => pool.dangerSetStart(0),
      () => pool.mode,
      () => pool.stats(),
    ]
    for (const use of uses) expect(codeOf(use)).toBe('ERR_CLOSED')
    expect(pool.toString()).toBe('CLOSED')
    expect(pool.capacity).toBe(8)
    expect(pool.length).toBe(0)
    expect(pool.isEmpty).toBe(true)
    expect(pool.isDroppable).toBe(true)
  })

  it('may be called again, and ends a `using` block', () => {
    const pool = new SlotPool(8)
    {
      using same = pool
      message(same).release()
    }
    expect(pool.toString()).toBe('CLOSED')
    pool.close()
    pool[Symbol.dispose]()
  })

  it('detaches views of the pool and of a message that is being written on the heap', () => {
    const pool = new SlotPool(8)
    const inPool = pool.getWritable(8)
    const onHeap = pool.getWritable(8)
    pool.close()
    expect(inPool).toHaveLength(0)
    expect(onHeap).toHaveLength(0)
  })

  it('leaves live slices readable, and detaches every view at the last release', () => {
    const pool = new SlotPool(16)
    const slices = [message(pool, 8, 1), message(pool, 8, 2), message(pool, 8, 3)]
    const views = slices.map((slice) => slice.bytes)
    pool.getWritable(20)
    pool.close()
    expect(pool.isDroppable).toBe(false)
    for (const [index, slice] of slices.entries()) expect(slice.bytes).toEqual(new Uint8Array(8).fill(index + 1))
    expect(slices[0]!.release()).toBe(true)
    // The slot is gone, but the region still exists, unless each slice has its own memory.
    expect(views[0]).toHaveLength(DEBUG ? 0 : 8)
    expect(slices[1]!.copy()).toEqual(new Uint8Array(8).fill(2))
    expect(slices[1]!.release()).toBe(true)
    expect(views[0]).toHaveLength(0)
    expect(views[1]).toHaveLength(0)
    // This slice has its own memory.
    expect(slices[2]!.bytes).toEqual(new Uint8Array(8).fill(3))
    expect(slices[2]!.release()).toBe(true)
    expect(views[2]).toHaveLength(0)
    expect(pool.isDroppable).toBe(true)
  })

  it.skipIf(DEBUG)('frees the memory at once, without the garbage collector', () => {
    const before = process.memoryUsage.rss()
    let highest = before
    for (let round = 0; round < 24; round++) {
      const pool = new SlotPool(64 * MIB)
      const slice = message(pool, 64 * MIB, round)
      // In every other round the slice is released last.
      if (round % 2 === 0) slice.release()
      pool.close()
      slice.release()
      highest = Math.max(highest, process.memoryUsage.rss())
    }
    expect(highest - before).toBeLessThan(2 * 64 * MIB)
  })

  it.each([true, false])('does not free memory that other code has taken (shown again: %s)', async (shownAnew) => {
    const pool = new SlotPool(64 * MIB)
    const slice = message(pool, 64 * MIB, 5)
    const taken = detachByStream(slice.bytes)
    const view = shownAnew ? slice.bytes : new Uint8Array(0)
    pool.close()
    slice.release()
    expect(view).toHaveLength(0)
    // The system takes this much memory back when it is freed, so a read of freed memory would crash.
    const bytes = await taken
    expect([bytes[0], bytes.at(-1)]).toEqual([5, 5])
  })
})
