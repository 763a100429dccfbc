import { describe, expect, it } from 'vitest'
import { ByteRing, Slice, SlotPool, SystemMemoryBuffer } from '../../index.js'
import { generateAuthorityKeypair, Sv2Session } from '../../src/sv2/index.js'
import { counting } from '../contract.js'
import { codeOf } from '../support/code-of.js'
import { detachByStream } from '../support/detach.js'

/** Makers of a slice of each kind, with the bytes 1, 2, 3. */
const kinds: [string, () => Slice][] = [
  ['in a slot', () => taken(new SlotPool(8))],
  ['of a pool, from the heap', () => taken(new SlotPool(0))],
  ['of a system memory buffer', () => taken(new SystemMemoryBuffer())],
  ['of its own', () => Slice.from(counting(3))],
]

function taken(buffer: SlotPool | SystemMemoryBuffer): Slice {
  buffer.write(counting(3))
  return buffer.getDataOwned()
}

describe.each(kinds)('a slice %s', (_, make) => {
  it('has its bytes, always in the same view', () => {
    const slice = make()
    expect(slice.length).toBe(3)
    expect(slice.isEmpty).toBe(false)
    expect(slice.bytes).toEqual(counting(3))
    expect(slice.bytes).toBe(slice.bytes)
  })

  it('copies into ordinary memory', () => {
    const slice = make()
    const copy = slice.copy()
    expect(copy).toEqual(counting(3))
    expect(copy.buffer.byteLength).toBe(3)
    slice.release()
    expect(structuredClone(copy, { transfer: [copy.buffer as ArrayBuffer] })).toEqual(counting(3))
    expect(copy).toHaveLength(0)
  })

  it('is released once', () => {
    const slice = make()
    expect(slice.release()).toBe(true)
    expect(slice.release()).toBe(false)
    slice[Symbol.dispose]()
    expect(codeOf(() => slice.bytes)).toBe('ERR_RELEASED')
    expect(codeOf(() => slice.copy())).toBe('ERR_RELEASED')
    expect(slice.length).toBe(3)
  })

  it('is released at the end of its `using` block', () => {
    const slice = make()
    {
      using same = slice
      expect(same.bytes).toHaveLength(3)
    }
    expect(slice.release()).toBe(false)
  })
})

describe.each(kinds.slice(1))('a slice %s', (_, make) => {
  it('has no slot, and detaches every view when it is released', () => {
    const slice = make()
    const view = slice.bytes
    expect(slice.slot).toBeNull()
    slice.release()
    expect(view).toHaveLength(0)
  })
})

describe.each([
  ['SlotPool', () => new SlotPool(0)],
  ['SystemMemoryBuffer', () => new SystemMemoryBuffer()],
])('a heap slice of a %s', (_, make) => {
  it('detaches even views that were returned before the slice was taken', () => {
    const buffer = make()
    const view = buffer.getWritable(3)
    const slice = buffer.getDataOwned()
    expect(view).toHaveLength(3)
    slice.release()
    expect(view).toHaveLength(0)
  })

  it.each([true, false])('does not free memory that other code has taken (shown again: %s)', async (shownAnew) => {
    const buffer = make()
    const length = 2 ** 26
    const taken = detachByStream(buffer.getWritable(length).fill(5))
    if (shownAnew) expect(buffer.bytes[0]).toBe(5)
    const slice = buffer.getDataOwned()
    expect(slice.length).toBe(length)
    slice.release()
    // The system takes this much memory back when it is freed, so a read of freed memory would crash.
    const bytes = await taken
    expect([bytes[0], bytes.at(-1)]).toEqual([5, 5])
  })
})

describe('Slice.from', () => {
  it.each<[string, Uint8Array]>([
    ['a Uint8Array', counting(3)],
    ['a Node Buffer', Buffer.from([1, 2, 3])],
    ['a part of a buffer', counting(9, 0).subarray(1, 4)],
    ['the memory of a slice', Slice.from(counting(3)).bytes],
  ])('copies %s', (_, source) => {
    const slice = Slice.from(source)
    source.fill(0)
    expect(slice.bytes).toEqual(counting(3))
    expect(slice.slot).toBeNull()
  })

  it('copies shared memory', () => {
    const source = new Uint8Array(new SharedArrayBuffer(5), 1, 3)
    source.set(counting(3))
    const slice = Slice.from(source)
    source.fill(0)
    expect(slice.bytes).toEqual(counting(3))
  })

  it('copies slices of pools', () => {
    const pool = new SlotPool(8)
    pool.write(counting(3))
    const original = pool.getDataOwned()
    const copy = Slice.from(original.bytes)
    original.bytes.fill(0)
    expect(copy.bytes).toEqual(counting(3))
    expect(pool.stats().liveSlices).toBe(1)
  })

  it('makes an empty slice of no bytes', () => {
    const detached = counting(3)
    detachByStream(detached)
    for (const source of [new Uint8Array(0), detached]) {
      const slice = Slice.from(source)
      expect(slice.isEmpty).toBe(true)
      expect(slice.bytes).toHaveLength(0)
      expect(slice.release()).toBe(true)
    }
  })

  it('is counted by no pool', () => {
    const pool = new SlotPool(8)
    Slice.from(counting(3))
    expect(pool.isDroppable).toBe(true)
  })
})

it('a released slice does not show the slice that came after it', () => {
  const pool = new SlotPool(8)
  pool.write(counting(3))
  const first = pool.getDataOwned()
  first.release()
  pool.write(counting(3, 4))
  const second = pool.getDataOwned()
  expect(second.slot).toBe(first.slot)
  expect(codeOf(() => first.bytes)).toBe('ERR_RELEASED')
  expect(first.release()).toBe(false)
  expect(second.bytes).toEqual(counting(3, 4))
  expect(pool.stats().liveSlices).toBe(1)
})

/** One byte more than the largest length. The bytes are never touched. */
const TOO_LONG = 2 ** 32

it('no slice is longer than 2^32 − 1 bytes, however it is made', () => {
  const bytes = new Uint8Array(TOO_LONG)
  const before = process.memoryUsage.rss()
  expect(codeOf(() => Slice.from(bytes))).toBe('ERR_OUT_OF_RANGE')
  for (const make of [() => new SlotPool(8), () => new SystemMemoryBuffer()]) {
    const buffer = make()
    buffer.write(counting(3))
    expect(codeOf(() => buffer.getWritable(TOO_LONG - 3))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => buffer.extendFromSlice(bytes))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => buffer.extendFromSlice(bytes.subarray(3)))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => buffer.writeAll(bytes))).toBe('ERR_WRITE_ZERO')
    expect(buffer.bytes).toEqual(counting(3))
    buffer.getDataOwned().release()
  }
  const { publicKey: authorityPublicKey, secretKey: authoritySecretKey } = generateAuthorityKeypair()
  const pool = new SlotPool(8)
  const session = Sv2Session.responder({ authorityPublicKey, authoritySecretKey, pool })
  expect(codeOf(() => session.receive(bytes))).toBe('ERR_OUT_OF_RANGE')
  expect([session.state, session.stats().bytesIn]).toEqual(['handshake', 0])
  // The buffer continues as before.
  const peer = Sv2Session.initiator({ authorityPublicKey })
  const act = new Uint8Array(peer.output.available)
  peer.output.read(act)
  session.receive(act)
  expect(session.state).toBe('transport')
  expect(codeOf(() => session.send({ messageType: 1 }, bytes))).toBe('ERR_SV2_FRAME_TOO_LARGE')
  peer.close()
  session.close()
  const { producer, consumer } = new ByteRing(64).intoParts()
  expect(producer.write(bytes)).toBe(64)
  expect(consumer.read(bytes)).toBe(64)
  // The call is refused before it copies.
  expect(process.memoryUsage.rss() - before).toBeLessThan(2 ** 30)
})
