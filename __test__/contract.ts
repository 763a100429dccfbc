import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { type AeadBuffer, type Buffer as PoolBuffer, Slice } from '../index.js'
import { DEBUG } from './support/debug-mode.js'
import { detachByStream } from './support/detach.js'

const outOfRange = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }
const invalidArgType = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }

/** Returns `length` bytes that count up from `first`. */
export function counting(length: number, first = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => first + i)
}

/** Tests the contract that every buffer keeps. `make` creates a new buffer for each test. */
export function bufferContract(name: string, make: () => PoolBuffer & AeadBuffer): void {
  /** Creates a buffer and writes `bytes` to it. */
  function written(...bytes: number[]): PoolBuffer & AeadBuffer {
    const buffer = make()
    buffer.writeAll(Uint8Array.from(bytes))
    return buffer
  }

  describe(name, () => {
    it('is empty at first', () => {
      const buffer = make()
      expect(buffer.length).toBe(0)
      expect(buffer.isEmpty).toBe(true)
      expect(buffer.isDroppable).toBe(true)
      expect(buffer.bytes).toHaveLength(0)
      expect(buffer.getDataByRef(1)).toHaveLength(0)
    })

    describe('getWritable', () => {
      it('reserves the bytes, and keeps what is written to them', () => {
        const buffer = make()
        const view = buffer.getWritable(5)
        expect(view).toHaveLength(5)
        expect(buffer.length).toBe(5)
        expect(buffer.isEmpty).toBe(false)
        view.set(counting(5))
        expect(buffer.getDataOwned().bytes).toEqual(counting(5))
        expect(buffer.length).toBe(0)
      })

      it('continues after the bytes written before', () => {
        const buffer = make()
        for (let part = 0; part < 20; part++) buffer.getWritable(7).set(counting(7, part * 7))
        expect(buffer.length).toBe(140)
        expect(buffer.getDataOwned().bytes).toEqual(counting(140, 0))
      })

      it('gives an empty view for 0 bytes, and changes nothing', () => {
        const buffer = make()
        expect(buffer.getWritable(0)).toHaveLength(0)
        expect(buffer.isEmpty).toBe(true)
        buffer.writeAll(counting(3))
        expect(buffer.getWritable(0)).toHaveLength(0)
        expect(buffer.length).toBe(3)
        expect(buffer.getDataOwned().bytes).toEqual(counting(3))
      })

      it('takes a megabyte', () => {
        const buffer = make()
        buffer.getWritable(2 ** 20).fill(7)
        const slice = buffer.getDataOwned()
        expect(slice.length).toBe(2 ** 20)
        expect(slice.bytes.every((byte) => byte === 7)).toBe(true)
      })

      it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32])('refuses %d bytes', (length) => {
        const buffer = written(1)
        expect(() => buffer.getWritable(length)).toThrow(expect.objectContaining(outOfRange))
        expect(buffer.bytes).toEqual(counting(1))
      })

      it('refuses more than 2^32 − 1 bytes in all', () => {
        const buffer = written(1, 2)
        expect(() => buffer.getWritable(2 ** 32 - 2)).toThrow(expect.objectContaining(outOfRange))
        expect(buffer.bytes).toEqual(counting(2))
      })
    })

    describe('getDataOwned', () => {
      it('gives an empty slice, which counts as alive, when nothing is written', () => {
        const buffer = make()
        const slice = buffer.getDataOwned()
        expect(slice).toBeInstanceOf(Slice)
        expect(slice.length).toBe(0)
        expect(slice.isEmpty).toBe(true)
        expect(slice.slot).toBeNull()
        expect(slice.bytes).toHaveLength(0)
        expect(slice.copy()).toHaveLength(0)
        expect(buffer.isDroppable).toBe(false)
        expect(slice.release()).toBe(true)
        expect(buffer.isDroppable).toBe(true)
      })

      it('keeps the bytes of every slice while others come and go', () => {
        const buffer = make()
        const alive = new Map<number, Slice>()
        for (let message = 0; message < 200; message++) {
          buffer.writeAll(new Uint8Array(1 + (message % 5)).fill(message))
          alive.set(message, buffer.getDataOwned())
          if (message % 3 !== 0) {
            const [oldest] = alive.keys()
            alive.get(oldest!)!.release()
            alive.delete(oldest!)
          }
          for (const [value, slice] of alive) expect(slice.bytes).toEqual(new Uint8Array(1 + (value % 5)).fill(value))
        }
        expect(alive.size).toBeGreaterThan(20)
        for (const slice of alive.values()) slice.release()
        expect(buffer.isDroppable).toBe(true)
      })

      it('gives slices that can be written to', () => {
        const buffer = written(1, 2, 3)
        const slice = buffer.getDataOwned()
        slice.bytes[1] = 9
        expect(slice.bytes).toEqual(Uint8Array.of(1, 9, 3))
      })
    })

    describe('getDataByRef', () => {
      it('shows the first bytes, or all of fewer, and consumes nothing', () => {
        const buffer = written(1, 2, 3)
        expect(buffer.getDataByRef(0)).toHaveLength(0)
        expect(buffer.getDataByRef(2)).toEqual(counting(2))
        expect(buffer.getDataByRef(3)).toEqual(counting(3))
        expect(buffer.getDataByRef(2 ** 32 - 1)).toEqual(counting(3))
        expect(buffer.length).toBe(3)
      })

      it('shows the memory itself', () => {
        const buffer = written(1, 2, 3)
        buffer.getDataByRef(1)[0] = 9
        expect(buffer.getDataOwned().bytes).toEqual(Uint8Array.of(9, 2, 3))
      })

      it('counts hidden bytes', () => {
        const buffer = written(1, 2, 3)
        buffer.dangerSetStart(2)
        expect(buffer.getDataByRef(2)).toEqual(counting(2))
      })

      it.each([-1, 0.5, Number.NaN, 2 ** 32])('refuses %d bytes', (length) => {
        expect(() => make().getDataByRef(length)).toThrow(expect.objectContaining(outOfRange))
      })
    })

    describe('write, writeAll, extendFromSlice', () => {
      it('append a copy', () => {
        const buffer = make()
        const source = counting(3)
        expect(buffer.write(source)).toBe(3)
        source.fill(0)
        buffer.writeAll(counting(3, 4))
        buffer.extendFromSlice(counting(3, 7))
        expect(buffer.getDataOwned().bytes).toEqual(counting(9))
      })

      it('accept memory that was detached as empty, also of another realm', () => {
        const buffer = written(1)
        for (const bytes of [new Uint8Array(2), runInNewContext('new Uint8Array(2)') as Uint8Array<ArrayBuffer>]) {
          structuredClone(bytes, { transfer: [bytes.buffer] })
          expect(buffer.write(bytes)).toBe(0)
          buffer.writeAll(bytes)
          buffer.extendFromSlice(bytes)
        }
        expect(buffer.getDataOwned().bytes).toEqual(counting(1))
      })

      it('accept empty input', () => {
        const buffer = make()
        expect(buffer.write(new Uint8Array(0))).toBe(0)
        buffer.writeAll(new Uint8Array(0))
        buffer.extendFromSlice(new Uint8Array(0))
        expect(buffer.isEmpty).toBe(true)
      })

      it('read Node Buffers, parts of buffers and shared memory', () => {
        const buffer = make()
        const shared = new Uint8Array(new SharedArrayBuffer(4))
        shared.set(counting(4, 0x63))
        expect(buffer.write(Buffer.from('ab'))).toBe(2)
        expect(buffer.write(shared.subarray(0, 2))).toBe(2)
        buffer.extendFromSlice(counting(9, 0x60).subarray(5, 7))
        expect(buffer.getDataOwned().bytes).toEqual(counting(6, 0x61))
      })

      it('read the buffer itself, even if its bytes move as it grows', () => {
        const buffer = written(1, 2, 3, 4)
        for (let times = 0; times < 6; times++) buffer.writeAll(buffer.getDataByRef(buffer.length))
        expect(buffer.length).toBe(4 * 2 ** 6)
        expect(buffer.write(buffer.bytes.subarray(1, 3))).toBe(2)
        buffer.extendFromSlice(buffer.getDataByRef(1))
        const bytes = buffer.getDataOwned().bytes
        expect(bytes).toEqual(Uint8Array.from({ length: 259 }, (_, i) => (i < 256 ? 1 + (i % 4) : [2, 3, 1][i - 256]!)))
      })

      it('read slices of the buffer', () => {
        const buffer = written(1, 2, 3)
        const first = buffer.getDataOwned()
        buffer.writeAll(first.bytes)
        buffer.writeAll(first.bytes.subarray(1))
        expect(buffer.getDataOwned().bytes).toEqual(Uint8Array.of(1, 2, 3, 2, 3))
        expect(first.bytes).toEqual(counting(3))
      })

      it.each([
        ['a string', 'abc'],
        ['null', null],
        ['an array', [1, 2]],
        ['an ArrayBuffer', new ArrayBuffer(4)],
        ['a DataView', new DataView(new ArrayBuffer(4))],
        ['another kind of array', new Uint16Array(4)],
        ['a forged array', Object.create(Uint8Array.prototype)],
      ])('refuse %s', (_, source) => {
        const buffer = written(1)
        for (const method of ['write', 'writeAll', 'extendFromSlice'] as const) {
          expect(() => buffer[method](source as Uint8Array)).toThrow(expect.objectContaining(invalidArgType))
        }
        expect(buffer.bytes).toEqual(counting(1))
      })
    })

    describe('dangerSetStart', () => {
      it('hides the first bytes from `bytes`, and from nothing else', () => {
        const buffer = written(1, 2, 3, 4)
        buffer.dangerSetStart(3)
        expect(buffer.bytes).toEqual(counting(1, 4))
        buffer.writeAll(counting(2, 5))
        expect(buffer.bytes).toEqual(counting(3, 4))
        expect(buffer.length).toBe(6)
        buffer.dangerSetStart(1)
        expect(buffer.bytes).toEqual(counting(5, 2))
        expect(buffer.getDataOwned().bytes).toEqual(counting(6))
      })

      it('applies until the next getDataOwned', () => {
        const buffer = written(1, 2)
        buffer.dangerSetStart(2)
        expect(buffer.bytes).toHaveLength(0)
        buffer.getDataOwned()
        buffer.writeAll(counting(2))
        expect(buffer.bytes).toEqual(counting(2))
      })

      it.each([-1, 4, 0.5, Number.NaN])('refuses %d of 3 bytes', (index) => {
        const buffer = written(1, 2, 3)
        buffer.dangerSetStart(1)
        expect(() => buffer.dangerSetStart(index)).toThrow(expect.objectContaining(outOfRange))
        expect(buffer.bytes).toEqual(counting(2, 2))
      })
    })

    describe('truncate', () => {
      it('counts from the start that dangerSetStart set', () => {
        const buffer = written(1, 2, 3, 4, 5)
        buffer.truncate(4)
        expect(buffer.bytes).toEqual(counting(4))
        buffer.dangerSetStart(1)
        buffer.truncate(2)
        expect(buffer.bytes).toEqual(counting(2, 2))
        expect(buffer.length).toBe(3)
        expect(buffer.getDataOwned().bytes).toEqual(counting(3))
      })

      it('leaves only the hidden bytes when it truncates to 0', () => {
        const buffer = written(1, 2, 3)
        buffer.dangerSetStart(2)
        buffer.truncate(0)
        expect(buffer.length).toBe(2)
        buffer.dangerSetStart(0)
        buffer.truncate(0)
        expect(buffer.isEmpty).toBe(true)
        expect(buffer.getDataOwned().isEmpty).toBe(true)
      })

      it('appends the next bytes to those kept', () => {
        const buffer = written(1, 2, 9, 9)
        buffer.truncate(2)
        buffer.writeAll(counting(70, 3))
        buffer.truncate(71)
        buffer.writeAll(counting(1, 72))
        expect(buffer.getDataOwned().bytes).toEqual(counting(72))
      })

      // In debug mode a view is valid until the next call.
      it.skipIf(DEBUG).each([3, 300])('leaves the view of %i bytes valid as input when it truncates to 0', (length) => {
        const buffer = written(...counting(length))
        const view = buffer.bytes
        buffer.truncate(0)
        buffer.extendFromSlice(view)
        expect(buffer.bytes).toEqual(counting(length))
      })

      it('does not affect later messages', () => {
        const buffer = written(9, 9)
        buffer.truncate(0)
        expect(buffer.getDataOwned().isEmpty).toBe(true)
        buffer.writeAll(counting(3))
        expect(buffer.getDataOwned().bytes).toEqual(counting(3))
      })

      it.each([-1, 3, 0.5, Number.NaN])('refuses %d of 2 bytes', (length) => {
        const buffer = written(1, 2, 3)
        buffer.dangerSetStart(1)
        expect(() => buffer.truncate(length)).toThrow(expect.objectContaining(outOfRange))
        expect(buffer.bytes).toEqual(counting(2, 2))
      })
    })

    describe('its memory, detached by other code,', () => {
      it('comes back while a message is being written', () => {
        const buffer = written(1, 2, 3)
        const view = buffer.bytes
        detachByStream(view)
        expect(view).toHaveLength(0)
        expect(buffer.bytes).toEqual(counting(3))
        buffer.writeAll(counting(100, 4))
        expect(buffer.getDataOwned().bytes).toEqual(counting(103))
      })

      it('comes back in slices each time', () => {
        const slice = written(1, 2, 3).getDataOwned()
        for (let times = 0; times < 3; times++) {
          const view = slice.bytes
          detachByStream(view)
          expect(view).toHaveLength(0)
          expect(slice.bytes).toEqual(counting(3))
        }
        expect(slice.release()).toBe(true)
      })

      it('passes to the slice', () => {
        const buffer = written(1, 2, 3)
        detachByStream(buffer.bytes)
        const slice = buffer.getDataOwned()
        expect(slice.bytes).toEqual(counting(3))
        expect(slice.release()).toBe(true)
      })
    })
  })
}
