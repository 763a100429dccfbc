import { describe, expect, it } from 'vitest'
import { Consumer, SlotPool } from '../../../index.js'
import type { Sv2Session } from '../../../src/sv2/index.js'
import { codeOf, codeOfRejection } from '../../support/code-of.js'
import { detachByStream } from '../../support/detach.js'
import { pattern } from '../../support/pattern.js'
import { ACT_1, ACT_2, drain, pair, strangers, wireLength, wireOf } from '../../support/sessions.js'

/** Returns a payload whose frame takes `length` bytes on the wire. */
function payloadFor(length: number): Buffer {
  return pattern(length - wireLength(1) + 1)
}

describe('output', () => {
  it('is a consumer that reports its position', () => {
    const { initiator } = strangers({ outputSize: 1024 })
    const { output } = initiator
    expect(output).toBeInstanceOf(Consumer)
    expect(output).toBe(initiator.output)
    expect([output.size, output.available, output.isEmpty, output.ended, output.position]).toEqual([
      1024,
      ACT_1,
      false,
      false,
      0n,
    ])
    drain(initiator)
    expect([output.available, output.isEmpty, output.position]).toEqual([0, true, BigInt(ACT_1)])
    initiator.close()
    expect(output.ended).toBe(true)
    expect(codeOf(() => new Consumer(Symbol('x'), {} as never))).toBe('ERR_INVALID_ARG_TYPE')
  })

  it('reads as much as the target holds', () => {
    const { initiator, responder } = pair()
    const payload = pattern(500)
    initiator.send({ messageType: 1 }, payload)
    const wire = Buffer.alloc(600)
    expect(initiator.output.read(wire.subarray(0, 0))).toBe(0)
    expect(initiator.output.read(wire.subarray(0, 10))).toBe(10)
    expect(initiator.output.available).toBe(wireLength(500) - 10)
    expect(initiator.output.read(wire.subarray(10))).toBe(wireLength(500) - 10)
    expect(initiator.output.read(wire)).toBe(0)
    expect(Buffer.from(responder.receive(wire.subarray(0, wireLength(500))).at(0)!.payload)).toEqual(payload)
    expect(codeOf(() => initiator.output.read('x' as never))).toBe('ERR_INVALID_ARG_TYPE')
  })

  it('offers one view, or two where the ring wraps', () => {
    const { initiator, responder } = pair({ outputSize: 256 })
    let wrapped = 0
    for (let round = 0; round < 40; round++) {
      const payload = pattern(60, round)
      initiator.send({ messageType: 1 }, payload)
      let wire = Buffer.alloc(0)
      const taken = initiator.output.ioSlices(([first, second], length) => {
        expect(first.length + second.length).toBe(length)
        expect(first.length).toBeGreaterThan(0)
        if (second.length > 0) wrapped++
        wire = Buffer.concat([first, second])
        return length
      })
      expect(taken).toBe(wireLength(60))
      expect(Buffer.from(responder.receive(wire).at(0)!.payload)).toEqual(payload)
    }
    expect(wrapped).toBeGreaterThan(5)
  })

  it('consumes only as many bytes as the callback returns', () => {
    const { initiator, responder } = pair()
    initiator.send({ messageType: 1 }, pattern(100))
    const wire = Buffer.alloc(wireLength(100))
    for (let at = 0; at < wire.length; at++) {
      initiator.output.ioSlices(([first], length) => {
        expect(length).toBe(wire.length - at)
        wire[at] = first[0]!
        return 1
      })
    }
    expect(initiator.output.available).toBe(0)
    expect(Buffer.from(responder.receive(wire).at(0)!.payload)).toEqual(pattern(100))
  })

  it('offers nothing when there is nothing', () => {
    const { initiator } = pair()
    const taken = initiator.output.ioSlices(([first, second], length) => {
      expect([first.length, second.length, length]).toEqual([0, 0, 0])
      return 0
    })
    expect(taken).toBe(0)
  })

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, wireLength(10) + 1, undefined, '1', 1n])(
    'ERR_INVALID_COUNT for %s, and nothing is taken',
    (count) => {
      const { initiator, responder } = pair()
      initiator.send({ messageType: 1 }, pattern(10))
      expect(codeOf(() => initiator.output.ioSlices(() => count as number))).toBe('ERR_INVALID_COUNT')
      expect([initiator.output.available, initiator.output.position]).toEqual([wireLength(10), BigInt(ACT_1)])
      expect(responder.receive(drain(initiator)).length).toBe(1)
    },
  )

  it('passes on an error of the callback, and consumes nothing', () => {
    const { initiator, responder } = pair()
    initiator.send({ messageType: 1 }, pattern(10))
    const thrown = new Error('mine')
    expect(() =>
      initiator.output.ioSlices(() => {
        throw thrown
      }),
    ).toThrow(thrown)
    expect(initiator.output.available).toBe(wireLength(10))
    expect(responder.receive(drain(initiator)).length).toBe(1)
    expect(codeOf(() => initiator.output.ioSlices(5 as never))).toBe('ERR_INVALID_ARG_TYPE')
  })

  it('cannot be read from within its callback', () => {
    const { initiator, responder } = pair()
    initiator.send({ messageType: 1 }, pattern(10))
    initiator.output.ioSlices(() => {
      expect(codeOf(() => initiator.output.ioSlices(() => 0))).toBe('ERR_BUSY')
      expect(codeOf(() => initiator.output.read(new Uint8Array(5)))).toBe('ERR_BUSY')
      return 0
    })
    expect(responder.receive(drain(initiator)).length).toBe(1)
  })

  it('keeps its views while frames are sent and received from within its callback', () => {
    const { initiator, responder } = pair({ outputSize: 256 })
    initiator.send({ messageType: 1 }, pattern(100))
    const incoming = wireOf(responder, { messageType: 5 }, pattern(30))
    const wire: Buffer[] = []
    initiator.output.ioSlices(([first, second], length) => {
      // Far more than fits into the ring.
      for (let index = 0; index < 20; index++) initiator.send({ messageType: 2 }, pattern(300, index))
      expect(initiator.receive(incoming).at(0)?.messageType).toBe(5)
      wire.push(Buffer.concat([first, second]))
      return length
    })
    wire.push(drain(initiator))
    const payloads = [...responder.receive(Buffer.concat(wire))].map(({ payload }) => Buffer.from(payload))
    expect(payloads).toEqual([pattern(100), ...Array.from({ length: 20 }, (_, index) => pattern(300, index))])
  })

  it('keeps its views when its callback closes the session, and is freed afterwards', () => {
    const { initiator, responder } = pair()
    initiator.send({ messageType: 1 }, pattern(100))
    let wire = Buffer.alloc(0)
    const taken = initiator.output.ioSlices(([first], length) => {
      initiator.close()
      expect(first.length).toBe(length)
      wire = Buffer.from(first)
      return length
    })
    expect(taken).toBe(wireLength(100))
    expect(Buffer.from(responder.receive(wire).at(0)!.payload)).toEqual(pattern(100))
    expect([initiator.state, initiator.stats().memoryBytes, initiator.output.available]).toEqual(['closed', 0, 0])
    expect(codeOf(() => initiator.send({ messageType: 1 }, pattern(1)))).toBe('ERR_SV2_STATE')
    expect(codeOf(() => initiator.output.ioSlices(() => 0))).toBe('ERR_SV2_STATE')
  })

  it('is freed when the callback that closes the session throws or takes nothing', () => {
    for (const end of [() => 0, () => 1e9, () => codeOf(() => 0) as never]) {
      const { initiator } = pair()
      initiator.send({ messageType: 1 }, pattern(100))
      let view: Uint8Array = new Uint8Array()
      try {
        initiator.output.ioSlices(([first]) => {
          view = first
          initiator.close()
          return end()
        })
      } catch {
        // Other tests check how the call ends.
      }
      expect([initiator.stats().memoryBytes, view.length]).toEqual([0, 0])
    }
  })

  it('is freed when the session fails inside its callback', () => {
    const { initiator } = pair()
    initiator.output.ioSlices(() => {
      expect(codeOf(() => initiator.receive(new Uint8Array(22)))).toBe('ERR_SV2_AEAD')
      return 0
    })
    expect(initiator.stats().memoryBytes).toBe(0)
  })

  it('detaches its views when the session is closed', () => {
    const { initiator } = pair()
    initiator.send({ messageType: 1 }, pattern(100))
    let view: Uint8Array = new Uint8Array()
    initiator.output.ioSlices(([first]) => {
      view = first
      return 0
    })
    expect(view.length).toBe(wireLength(100))
    initiator.close()
    expect(view.length).toBe(0)
  })

  it('continues after its memory was detached', () => {
    const { initiator, responder } = pair()
    initiator.send({ messageType: 1 }, pattern(100))
    initiator.output.ioSlices(([first]) => {
      detachByStream(first)
      return 0
    })
    expect(responder.receive(drain(initiator)).length).toBe(1)
    initiator.close()
    expect(initiator.stats().memoryBytes).toBe(0)
  })

  it('sends a frame larger than the ring whole', () => {
    const { initiator, responder } = pair({ outputSize: 64 })
    const payload = pattern(300_000)
    expect(initiator.send({ messageType: 1 }, payload)).toBe(false)
    expect(initiator.output.available).toBe(64)
    expect(initiator.stats().memoryBytes).toBeGreaterThan(300_000)
    const wire = drain(initiator)
    expect(wire.length).toBe(wireLength(300_000))
    expect(Buffer.compare(responder.receive(wire).at(0)!.payload, payload)).toBe(0)
    expect(initiator.stats().memoryBytes).toBeLessThan(16_384)
  })
})

describe('send', () => {
  it('is false from the high-water mark on, and drops nothing', () => {
    const { initiator, responder } = pair({ outputSize: 1024 })
    const answers: boolean[] = []
    for (let index = 0; index < 12; index++) answers.push(initiator.send({ messageType: index }, payloadFor(128)))
    // The output holds 1,024 bytes after the eighth frame.
    expect(answers).toEqual([...Array(7).fill(true), ...Array(5).fill(false)])
    const batch = responder.receive(drain(initiator))
    expect([...batch].map(({ messageType }) => messageType)).toEqual(Array.from({ length: 12 }, (_, index) => index))
    expect(initiator.send({ messageType: 1 }, pattern(1))).toBe(true)
  })

  it('refuses payloads that no frame can carry, and sends nothing', () => {
    const { initiator, responder } = pair({ maxFrameSize: 10 })
    const payload = new Uint8Array(0x100_0000)
    expect(codeOf(() => initiator.send({ messageType: 1 }, payload))).toBe('ERR_SV2_FRAME_TOO_LARGE')
    expect([initiator.output.available, initiator.state, initiator.error]).toEqual([0, 'transport', null])
    expect(responder.receive(wireOf(initiator, { messageType: 1 }, pattern(10))).length).toBe(1)
  })
})

describe('drained', () => {
  /** Makes a session whose ring of 1,024 bytes is full. */
  function full(): Sv2Session {
    const { initiator } = pair({ outputSize: 1024 })
    expect(initiator.send({ messageType: 1 }, payloadFor(1024))).toBe(false)
    return initiator
  }

  it('resolves at once with little in the output, even before the handshake', async () => {
    await strangers().initiator.drained()
    const { initiator } = pair({ outputSize: 1024 })
    initiator.send({ messageType: 1 }, payloadFor(512))
    await initiator.drained()
  })

  it('resolves every wait when half the ring is free', async () => {
    const session = full()
    let resolved = 0
    const waits = [session.drained(), session.drained({ timeoutMs: 60_000 })]
    for (const wait of waits) wait.then(() => resolved++)
    session.output.read(new Uint8Array(511))
    await new Promise(setImmediate)
    expect(resolved).toBe(0)
    session.output.read(new Uint8Array(1))
    await Promise.all(waits)
    expect(resolved).toBe(2)
  })

  it('rejects with ERR_TIMEOUT', async () => {
    const session = full()
    expect(await codeOfRejection(session.drained({ timeoutMs: 1 }))).toBe('ERR_TIMEOUT')
    const wait = session.drained()
    drain(session)
    await wait
  })

  it('rejects with the reason of an abort, before and while it waits', async () => {
    const session = full()
    const reason = new Error('enough')
    await expect(session.drained({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const wait = session.drained({ signal: controller.signal, timeoutMs: 60_000 })
    controller.abort(reason)
    await expect(wait).rejects.toBe(reason)
    drain(session)
    await session.drained()
  })

  it('rejects when the session is closed, and after', async () => {
    const session = full()
    const wait = codeOfRejection(session.drained())
    session.close()
    expect(await wait).toBe('ERR_SV2_STATE')
    expect(await codeOfRejection(session.drained())).toBe('ERR_SV2_STATE')
  })

  it('rejects when the session fails, and after', async () => {
    const session = full()
    const wait = codeOfRejection(session.drained())
    expect(codeOf(() => session.receive(new Uint8Array(22)))).toBe('ERR_SV2_AEAD')
    expect(await wait).toBe('ERR_SV2_AEAD')
    drain(session)
    expect(await codeOfRejection(session.drained())).toBe('ERR_SV2_AEAD')
  })

  it.each([
    ['ERR_INVALID_ARG_TYPE', { signal: {} as never }],
    ['ERR_INVALID_ARG_TYPE', { timeoutMs: '1' as never }],
    ['ERR_OUT_OF_RANGE', { timeoutMs: -1 }],
    ['ERR_OUT_OF_RANGE', { timeoutMs: 2 ** 31 }],
    ['ERR_INVALID_ARG_TYPE', null as never],
  ])('%s for wrong options', async (code, options) => {
    expect(await codeOfRejection(full().drained(options))).toBe(code)
  })
})

describe('forward', () => {
  const header = { messageType: 200, extensionType: 0x123, channelMessage: true }

  it('re-encrypts one frame or all of a batch', () => {
    const [from, to] = [pair(), pair()]
    for (let index = 0; index < 3; index++) from.initiator.send({ ...header, messageType: index }, pattern(70, index))
    const batch = from.responder.receive(drain(from.initiator))
    expect(from.responder.forward(batch.at(1)!, to.initiator)).toBe(true)
    expect(from.responder.forward(batch, to.initiator)).toBe(true)
    expect(to.initiator.stats().framesOut).toBe(4)
    const wire = drain(to.initiator)
    expect(wire.length).toBe(4 * wireLength(70))
    const frames = [...to.responder.receive(wire)]
    expect(frames.map(({ messageType }) => messageType)).toEqual([1, 0, 1, 2])
    expect(frames.map(({ payload }) => Buffer.from(payload))).toEqual([1, 0, 1, 2].map((index) => pattern(70, index)))
    expect(frames[0]).toMatchObject({ ...header, messageType: 1 })
  })

  it('may target the receiving session, and be large', () => {
    const { initiator, responder } = pair({ outputSize: 64, maxFrameSize: 3_000_000 })
    const payload = pattern(3_000_000)
    const batch = responder.receive(wireOf(initiator, header, payload))
    expect(responder.forward(batch, responder)).toBe(false)
    const back = initiator.receive(drain(responder)).at(0)!
    expect(Buffer.compare(back.payload, payload)).toBe(0)
    expect(back).toMatchObject(header)
  })

  it('is false when the output is over its mark, even for an empty batch', () => {
    const { initiator, responder } = pair({ outputSize: 1024 })
    const batch = responder.receive(wireOf(initiator, header, payloadFor(600))).retain()
    const empty = responder.receive(new Uint8Array())
    expect([responder.forward(batch, responder), responder.forward(empty, responder)]).toEqual([true, true])
    expect([responder.forward(batch, responder), responder.forward(empty, responder)]).toEqual([false, false])
  })

  it('takes batches into sessions of other pools', () => {
    const from = pair({ pool: new SlotPool(4096) })
    const to = pair({ pool: new SlotPool(4096) })
    const batch = from.responder.receive(wireOf(from.initiator, header, pattern(40)))
    from.responder.forward(batch, to.initiator)
    expect(Buffer.from(to.responder.receive(drain(to.initiator)).at(0)!.payload)).toEqual(pattern(40))
  })

  it('works from a closed session, but not to one', () => {
    const from = pair()
    const to = pair()
    const batch = from.responder.receive(wireOf(from.initiator, header, pattern(40)))
    const empty = from.responder.receive(new Uint8Array()).retain()
    expect(codeOf(() => from.responder.forward(batch, to.initiator))).toBe('ERR_RELEASED')
    const kept = from.responder.receive(wireOf(from.initiator, header, pattern(40))).retain()
    from.responder.close()
    expect(from.responder.forward(kept, to.initiator)).toBe(true)
    to.responder.close()
    for (const frames of [kept, kept.at(0)!, empty]) {
      expect(codeOf(() => from.responder.forward(frames, to.responder))).toBe('ERR_SV2_STATE')
    }
    kept.release()
  })

  it('refuses frames that another session has received', () => {
    const from = pair()
    const other = pair()
    const batch = from.responder.receive(wireOf(from.initiator, header, pattern(40))).retain()
    for (const frames of [batch, batch.at(0)!]) {
      expect(codeOf(() => other.responder.forward(frames, from.responder))).toBe('ERR_INVALID_ARG_VALUE')
    }
    expect(from.responder.output.available).toBe(0)
    expect(from.responder.forward(batch, from.responder)).toBe(true)
    batch.release()
  })
})

describe('established', () => {
  it('resolves when the handshake is done, and at once after that', async () => {
    const { initiator, responder } = strangers()
    let done = 0
    const both = [initiator, responder].map((session) =>
      session.established().then(() => {
        done++
      }),
    )
    responder.receive(drain(initiator))
    await both[1]
    expect([initiator.state, done]).toEqual(['handshake', 1])
    initiator.receive(drain(responder))
    await Promise.all(both)
    await initiator.established({ timeoutMs: 0 })
  })

  it('rejects when the handshake fails, or when the session is closed', async () => {
    const { initiator, responder } = strangers()
    const failed = codeOfRejection(initiator.established())
    expect(codeOf(() => initiator.receive(new Uint8Array(ACT_2)))).toBe('ERR_SV2_HANDSHAKE')
    expect(await failed).toBe('ERR_SV2_HANDSHAKE')
    expect(await codeOfRejection(initiator.established())).toBe('ERR_SV2_HANDSHAKE')
    const closed = codeOfRejection(responder.established())
    responder.close()
    expect(await closed).toBe('ERR_SV2_STATE')
  })

  it('can be aborted or time out', async () => {
    const { initiator } = strangers()
    expect(await codeOfRejection(initiator.established({ timeoutMs: 1 }))).toBe('ERR_TIMEOUT')
    const reason = new Error('enough')
    await expect(initiator.established({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})
