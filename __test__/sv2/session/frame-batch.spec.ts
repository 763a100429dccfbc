import { describe, expect, it } from 'vitest'
import { SlotPool } from '../../../index.js'
import type { Frame, FrameBatch, Sv2Session } from '../../../src/sv2/index.js'
import { codeOf } from '../../support/code-of.js'
import { detachByStream } from '../../support/detach.js'
import { pattern } from '../../support/pattern.js'
import { drain, pair, strangers, wireLength, wireOf } from '../../support/sessions.js'

/** Bytes in the table of a batch for each frame. */
const ENTRY = 12

/** Sends frames with payloads of these lengths, and returns the one batch that `to` receives. */
function batchOf(from: Sv2Session, to: Sv2Session, ...lengths: number[]): FrameBatch {
  for (const [index, length] of lengths.entries()) from.send({ messageType: index }, pattern(length, index))
  return to.receive(drain(from))
}

function copies(batch: Iterable<Frame>): Buffer[] {
  return [...batch].map(({ payload }) => Buffer.from(payload))
}

function expectReleased(batch: FrameBatch, frame: Frame, to: Sv2Session): void {
  const members: (() => unknown)[] = [
    () => batch.length,
    () => batch.at(0),
    () => [...batch],
    () => batch.retain(),
    () => frame.messageType,
    () => frame.extensionType,
    () => frame.channelMessage,
    () => frame.channelId,
    () => frame.payload,
    () => to.forward(batch, to),
    () => to.forward(frame, to),
  ]
  expect(members.map(codeOf)).toEqual(members.map(() => 'ERR_RELEASED'))
  expect(batch.release()).toBe(false)
}

describe('a batch', () => {
  it('is read by index or by iteration, any number of times', () => {
    const { initiator, responder } = pair()
    const batch = batchOf(initiator, responder, 5, 0, 300)
    const payloads = [pattern(5, 0), pattern(0), pattern(300, 2)]
    expect(batch.length).toBe(3)
    expect(copies(batch)).toEqual(payloads)
    expect(copies(batch)).toEqual(payloads)
    expect([0, 1, 2].map((index) => batch.at(index)?.messageType)).toEqual([0, 1, 2])
    expect([-1, -2, -3].map((index) => batch.at(index)?.messageType)).toEqual([2, 1, 0])
    expect([3, -4, Number.POSITIVE_INFINITY].map((index) => batch.at(index))).toEqual([undefined, undefined, undefined])
    expect([1.9, -0.5, Number.NaN].map((index) => batch.at(index)?.messageType)).toEqual([1, 0, 0])
  })

  it('is empty while no frame is complete', () => {
    const { initiator, responder } = pair()
    const wire = wireOf(initiator, { messageType: 1 }, pattern(10))
    const batch = responder.receive(wire.subarray(0, -1))
    expect([batch.length, batch.at(0), [...batch]]).toEqual([0, undefined, []])
    expect(responder.receive(new Uint8Array()).length).toBe(0)
    expect([batch.release(), batch.release()]).toEqual([true, false])
    expect(responder.receive(wire.subarray(-1)).length).toBe(1)
  })

  it.each(['the same session', 'another session'])('goes back at the next receive() of %s', (which) => {
    const pool = new SlotPool(4096)
    const { initiator, responder } = pair({ pool })
    const other = which === 'the same session' ? responder : strangers({ pool }).responder
    const batch = batchOf(initiator, responder, 8)
    const frame = batch.at(0)!
    expect(pool.stats().liveSlices).toBe(1)
    other.receive(new Uint8Array(1))
    expect(pool.stats().liveSlices).toBe(0)
    expectReleased(batch, frame, initiator)
  })

  it('is shared with all sessions of the isolate by default', () => {
    const { initiator, responder } = pair()
    const batch = batchOf(initiator, responder, 8)
    const frame = batch.at(0)!
    strangers().responder.receive(new Uint8Array(1))
    expectReleased(batch, frame, initiator)
  })

  it('goes back when released, once', () => {
    const pool = new SlotPool(4096)
    const { initiator, responder } = pair({ pool })
    const batch = batchOf(initiator, responder, 8)
    const frame = batch.at(0)!
    expect([batch.release(), batch.release()]).toEqual([true, false])
    expect(pool.stats().liveSlices).toBe(0)
    expectReleased(batch, frame, initiator)
  })

  it('stops an iteration under way when it is released', () => {
    const { initiator, responder } = pair()
    const batch = batchOf(initiator, responder, 1, 1)
    const frames = batch[Symbol.iterator]()
    expect(frames.next().done).toBe(false)
    batch.release()
    expect(codeOf(() => frames.next())).toBe('ERR_RELEASED')
  })
})

describe('a retained batch', () => {
  it('stays until it is released', () => {
    const pool = new SlotPool(4096)
    const { initiator, responder } = pair({ pool })
    const first = batchOf(initiator, responder, 20).retain()
    const second = batchOf(initiator, responder, 30, 40).retain()
    batchOf(initiator, responder, 50)
    expect([responder.stats().retainedBatches, pool.stats().liveSlices]).toEqual([2, 3])
    expect([copies(first), copies(second)]).toEqual([[pattern(20)], [pattern(30), pattern(40, 1)]])
    const frame = first.at(0)!
    expect(first.release()).toBe(true)
    first[Symbol.dispose]()
    expectReleased(first, frame, initiator)
    expect([responder.stats().retainedBatches, pool.stats().liveSlices]).toEqual([1, 2])
    expect(second.retain()).toBe(second)
    expect(responder.stats().retainedBatches).toBe(1)
    second[Symbol.dispose]()
    expect([responder.stats().retainedBatches, pool.stats().liveSlices]).toEqual([0, 1])
  })

  it('comes from the heap when the slots are taken, and is counted', () => {
    const pool = new SlotPool(1 << 20)
    const { initiator, responder } = pair({ pool })
    const kept = Array.from({ length: 12 }, (_, index) => batchOf(initiator, responder, 100 + index, 7).retain())
    expect(responder.stats()).toMatchObject({ retainedBatches: 12, heapFallbacks: 4 })
    expect(pool.stats()).toMatchObject({ liveSlices: 12, heapFallbacks: 4, mode: 'alloc' })
    for (const [index, batch] of kept.entries()) {
      expect(copies(batch)).toEqual([pattern(100 + index), pattern(7, 1)])
      responder.forward(batch, responder)
    }
    const echoed = initiator.receive(drain(responder))
    expect(copies(echoed).map(({ length }) => length)).toEqual(kept.flatMap((_, index) => [100 + index, 7]))
    for (const batch of kept) batch.release()
    echoed.release()
    expect(responder.stats()).toMatchObject({ retainedBatches: 0, heapFallbacks: 4 })
    batchOf(initiator, responder, 1)
    expect(responder.stats().heapFallbacks).toBe(4)
    expect(pool.stats()).toMatchObject({ liveSlices: 1, mode: 'back' })
  })

  it('outlives its session and its pool', () => {
    const pool = new SlotPool(4096)
    const { initiator, responder } = pair({ pool })
    const batch = batchOf(initiator, responder, 64).retain()
    responder.close()
    pool.close()
    expect(copies(batch)).toEqual([pattern(64)])
    expect(batch.release()).toBe(true)
  })
})

describe("a session's pool", () => {
  it('must not hold a pending message', () => {
    const pool = new SlotPool(4096)
    const { initiator, responder } = pair({ pool })
    const kept = batchOf(initiator, responder, 8)
    const wire = wireOf(initiator, { messageType: 1 }, pattern(9))
    pool.getWritable(3).set([1, 2, 3])
    expect(codeOf(() => responder.receive(wire))).toBe('ERR_BUSY')
    // The session, the batch and the bytes are unchanged.
    expect([responder.state, copies(kept)]).toEqual(['transport', [pattern(8)]])
    const slice = pool.getDataOwned()
    expect(slice.bytes).toEqual(new Uint8Array([1, 2, 3]))
    expect(copies(responder.receive(wire))).toEqual([pattern(9)])
    slice.release()
  })

  it('may be used between batches', () => {
    const pool = new SlotPool(4096)
    const { initiator, responder } = pair({ pool })
    for (let round = 0; round < 50; round++) {
      const batch = batchOf(initiator, responder, 100)
      pool.getWritable(200).fill(round)
      const slice = pool.getDataOwned()
      expect(copies(batch)).toEqual([pattern(100)])
      batchOf(initiator, responder, 300)
      expect(slice.bytes.every((byte) => byte === round)).toBe(true)
      slice.release()
    }
    expect(pool.stats().heapFallbacks).toBe(0)
  })

  it('uses no more memory than a batch needs', () => {
    const pool = new SlotPool(wireLength(100) * 3)
    const { initiator, responder } = pair({ pool })
    expect(copies(batchOf(initiator, responder, 100, 100, 100))).toEqual([
      pattern(100),
      pattern(100, 1),
      pattern(100, 2),
    ])
    expect(responder.stats().heapFallbacks).toBe(0)
  })

  it('may be smaller than a frame, which then comes from the heap', () => {
    const pool = new SlotPool(1000)
    const { initiator, responder } = pair({ pool })
    const large = batchOf(initiator, responder, 100_000)
    expect(copies(large)).toEqual([pattern(100_000)])
    expect(pool.stats()).toMatchObject({ liveSlices: 1, heapFallbacks: 1, mode: 'back' })
    const { payload } = large.at(0)!
    expect(copies(batchOf(initiator, responder, 10))).toEqual([pattern(10)])
    // The memory is freed, and every view of it is detached.
    expect(payload.length).toBe(0)
    expect(responder.stats().heapFallbacks).toBe(1)
  })

  it('may have no capacity at all', () => {
    const { initiator, responder } = pair({ pool: new SlotPool(0) })
    const batch = batchOf(initiator, responder, 0, 5)
    expect(copies(batch)).toEqual([pattern(0), pattern(5, 1)])
    expect(responder.forward(batch, responder)).toBe(true)
    expect(copies(initiator.receive(drain(responder)))).toEqual([pattern(0), pattern(5, 1)])
    expect(responder.stats().heapFallbacks).toBe(1)
  })

  it('may be closed, after which nothing can be received', () => {
    const pool = new SlotPool(4096)
    const { initiator, responder } = pair({ pool })
    const batch = batchOf(initiator, responder, 8)
    const frame = batch.at(0)!
    pool.close()
    expectReleased(batch, frame, initiator)
    expect(codeOf(() => batchOf(initiator, responder, 8))).toBe('ERR_CLOSED')
    expect(responder.state).toBe('transport')
  })

  it('stays usable after a bad frame has changed its mode', () => {
    const pool = new SlotPool(1000)
    const { initiator, responder } = pair({ pool })
    const front = batchOf(initiator, responder, 400).retain()
    const back = batchOf(initiator, responder, 300).retain()
    front.release()
    const wire = wireOf(initiator, { messageType: 1 }, pattern(300))
    wire[wire.length - 1]! ^= 1
    // Only the front had room for the frame.
    expect(codeOf(() => responder.receive(wire))).toBe('ERR_SV2_AEAD')
    pool.getWritable(50).fill(1)
    const slice = pool.getDataOwned()
    expect(copies(back)).toEqual([pattern(300)])
    expect(slice.bytes).toEqual(new Uint8Array(50).fill(1))
  })
})

describe('memory that JavaScript changes', () => {
  it('is shown again when the region was detached', () => {
    const pool = new SlotPool(4096)
    const { initiator, responder } = pair({ pool })
    const batch = batchOf(initiator, responder, 100, 50)
    const frame = batch.at(0)!
    detachByStream(frame.payload)
    expect(Buffer.from(frame.payload)).toEqual(pattern(100))
    expect(copies(batch)).toEqual([pattern(100), pattern(50, 1)])
    expect(copies(batchOf(initiator, responder, 10))).toEqual([pattern(10)])
  })

  it('cannot make a frame reach beyond its batch', () => {
    const pool = new SlotPool(4096)
    const { initiator, responder } = pair({ pool })
    const foreign = batchOf(initiator, responder, 500).retain()
    const overwritten: [string, (table: DataView) => void][] = [
      ['longer', (table) => table.setUint32(4, 101, true)],
      ['far longer', (table) => table.setUint32(4, 0xffff_ffff, true)],
      ['behind', (table) => table.setUint32(0, 1, true)],
      ['far behind', (table) => table.setUint32(0, 0xffff_ff9c, true)],
    ]
    for (const [name, overwrite] of overwritten) {
      const batch = batchOf(initiator, responder, 100)
      const { buffer, byteOffset } = batch.at(0)!.payload
      overwrite(new DataView(buffer, byteOffset + 100, ENTRY))
      expect(
        codeOf(() => batch.at(0)),
        name,
      ).toBe('ERR_INTERNAL')
      expect(
        codeOf(() => [...batch]),
        name,
      ).toBe('ERR_INTERNAL')
      expect(
        codeOf(() => responder.forward(batch, responder)),
        name,
      ).toBe('ERR_INTERNAL')
      expect(responder.output.available, name).toBe(0)
    }
    expect(copies(foreign)).toEqual([pattern(500)])
    // Nothing is sent, and the session continues.
    expect(copies(batchOf(responder, initiator, 5))).toEqual([pattern(5)])
  })
})
