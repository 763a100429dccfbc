import { describe, expect, it } from 'vitest'
import { FramePoolError, Slice, SlotPool, SystemMemoryBuffer } from '../../index.js'

const outOfRange = expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
const invalidArgType = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })

const wrongNumbers = [
  -1,
  -0.5,
  0.5,
  1e-9,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  2 ** 32,
  2 ** 53,
]
const noNumbers: [string, unknown][] = [
  ['a string', '8'],
  ['a bigint', 8n],
  ['a symbol', Symbol('8')],
  ['null', null],
  ['a boolean', true],
  ['an array', [8]],
  ['an object without a prototype', Object.create(null)],
  ['an object that turns into a number', { valueOf: () => 8 }],
]

/** Every function that takes a number of bytes. */
const numeric: [string, (value: number) => unknown][] = [
  ['new SlotPool', (value) => new SlotPool(value)],
  ['new SystemMemoryBuffer', (value) => new SystemMemoryBuffer(value)],
  ...[new SlotPool(64), new SystemMemoryBuffer()].flatMap((buffer): [string, (value: number) => unknown][] => [
    [`${buffer.constructor.name} getWritable`, (value) => buffer.getWritable(value)],
    [`${buffer.constructor.name} getDataByRef`, (value) => buffer.getDataByRef(value)],
    [`${buffer.constructor.name} dangerSetStart`, (value) => buffer.dangerSetStart(value)],
    [`${buffer.constructor.name} truncate`, (value) => buffer.truncate(value)],
  ]),
]

describe.each(numeric)('%s', (_, call) => {
  it.each(wrongNumbers)('refuses %d', (value) => {
    expect(() => call(value)).toThrow(outOfRange)
  })

  it.each(noNumbers)('refuses %s', (_, value) => {
    expect(() => call(value as number)).toThrow(invalidArgType)
  })

  it('accepts 0', () => {
    expect(() => call(0)).not.toThrow()
    expect(() => call(-0)).not.toThrow()
  })
})

describe('capacities', () => {
  it('go up to 2^32 − 1', () => {
    const pool = new SlotPool(2 ** 32 - 1)
    expect(pool.capacity).toBe(2 ** 32 - 1)
    pool.close()
    expect(new SystemMemoryBuffer(2 ** 32 - 1).isEmpty).toBe(true)
  })

  it('have no default in a pool, and one in a system memory buffer', () => {
    expect(() => new SlotPool(undefined as unknown as number)).toThrow(invalidArgType)
    expect(new SystemMemoryBuffer().isEmpty).toBe(true)
  })
})

describe('options', () => {
  it.each<unknown>([null, 5, 'debug', true])('refuse %s', (options) => {
    expect(() => new SlotPool(8, options as object)).toThrow(invalidArgType)
  })

  it.each([undefined, {}, { debug: false }, { debug: true }])('may be %o', (options) => {
    expect(options === undefined ? new SlotPool(8) : new SlotPool(8, options)).toBeInstanceOf(SlotPool)
  })
})

describe('Slice.from', () => {
  it.each([
    ['nothing', undefined],
    ['a string', 'abc'],
    ['a number', 3],
    ['an array', [1, 2, 3]],
    ['an ArrayBuffer', new ArrayBuffer(3)],
    ['a Float32Array', new Float32Array(3)],
    ['a slice', Slice.from(new Uint8Array(3))],
    ['a forged array', Object.create(Uint8Array.prototype)],
  ])('refuses %s', (_, bytes) => {
    expect(() => Slice.from(bytes as Uint8Array)).toThrow(invalidArgType)
  })
})

describe('messages of errors', () => {
  it('name the fault', () => {
    expect(() => new SlotPool(-1)).toThrow('capacity must be a whole number from 0 to 4294967295, not -1')
    expect(() => new SlotPool('8' as unknown as number)).toThrow('capacity must be a number, not string')
    expect(() => new SlotPool(8).write([] as unknown as Uint8Array)).toThrow('source must be a Uint8Array, not Array')
    expect(() => new SlotPool(8).truncate(1)).toThrow('length must be a whole number from 0 to 0, not 1')
  })
})

describe('FramePoolError', () => {
  it('is an Error with a name and a code', () => {
    const slice = Slice.from(new Uint8Array(1))
    slice.release()
    const caught = (() => {
      try {
        return slice.bytes
      } catch (error) {
        return error
      }
    })()
    expect(caught).toBeInstanceOf(FramePoolError)
    expect(caught).toBeInstanceOf(Error)
    expect(caught).toMatchObject({ name: 'FramePoolError', code: 'ERR_RELEASED' })
    expect(`${caught}`).toBe('FramePoolError: the slice was released')
  })

  it('carries a cause', () => {
    const error = new FramePoolError('ERR_BUSY', 'no more files', { cause: 'many' })
    expect(error).toMatchObject({ cause: 'many', message: 'no more files' })
    expect(new FramePoolError('ERR_BUSY', 'later')).not.toHaveProperty('cause')
  })
})
