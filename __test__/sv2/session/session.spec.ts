import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { FramePoolError, SlotPool } from '../../../index.js'
import { generateAuthorityKeypair, Sv2Session } from '../../../src/sv2/index.js'
import { codeOf } from '../../support/code-of.js'
import { DEBUG } from '../../support/debug-mode.js'
import { pattern } from '../../support/pattern.js'
import { Random } from '../../support/random.js'
import {
  ACT_1,
  ACT_2,
  authority,
  drain,
  pair,
  receiveInPieces,
  SEALED_HEADER,
  strangers,
  TAG,
  wireLength,
  wireOf,
} from '../../support/sessions.js'

const MAX_PAYLOAD = 0xff_ffff

describe('handshake', () => {
  it('takes 64 bytes one way and 234 back', () => {
    const { initiator, responder } = strangers()
    expect([initiator.state, responder.state]).toEqual(['handshake', 'handshake'])
    expect([initiator.output.available, responder.output.available]).toEqual([ACT_1, 0])
    responder.receive(drain(initiator))
    expect([responder.state, responder.output.available]).toEqual(['transport', ACT_2])
    initiator.receive(drain(responder))
    expect([initiator.state, initiator.output.available]).toEqual(['transport', 0])
  })

  it('may be split at every byte', () => {
    for (let cut = 0; cut <= ACT_2; cut++) {
      const { initiator, responder } = strangers()
      const act1 = drain(initiator)
      responder.receive(act1.subarray(0, cut))
      expect(responder.state).toBe(cut < ACT_1 ? 'handshake' : 'transport')
      if (cut < ACT_1) responder.receive(act1.subarray(cut))
      const act2 = drain(responder)
      initiator.receive(act2.subarray(0, cut))
      expect(initiator.state).toBe(cut < ACT_2 ? 'handshake' : 'transport')
      initiator.receive(act2.subarray(cut))
      expect(initiator.state).toBe('transport')
      initiator.close()
      responder.close()
    }
  })

  it('may come one byte at a time, with frames right after it', () => {
    const { initiator, responder } = strangers()
    expect(receiveInPieces(responder, drain(initiator), () => 1)).toEqual([])
    responder.send({ messageType: 1 }, pattern(10))
    responder.send({ messageType: 2 }, pattern(0))
    expect(receiveInPieces(initiator, drain(responder), () => 1)).toEqual([
      { messageType: 1, payload: pattern(10) },
      { messageType: 2, payload: pattern(0) },
    ])
  })

  it('returns frames that come in one chunk with act 2', () => {
    const { initiator, responder } = strangers()
    responder.receive(drain(initiator))
    responder.send({ messageType: 7 }, pattern(100))
    const batch = initiator.receive(drain(responder))
    expect([...batch].map((frame) => frame.payload.length)).toEqual([100])
  })

  it('fails at the initiator when act 1 was changed, because any 64 bytes are a key', () => {
    for (const at of [0, 31, 63]) {
      const { initiator, responder } = strangers()
      const act1 = drain(initiator)
      act1[at]! ^= 1
      responder.receive(act1)
      const act2 = drain(responder)
      expect(codeOf(() => initiator.receive(act2))).toBe('ERR_SV2_HANDSHAKE')
      expectFailed(initiator, 'ERR_SV2_HANDSHAKE')
    }
  })

  it('fails when any byte of act 2 was changed', () => {
    for (let at = 0; at < ACT_2; at++) {
      const { initiator, responder } = strangers()
      responder.receive(drain(initiator))
      const act2 = drain(responder)
      act2[at]! ^= 0x10
      expect(codeOf(() => initiator.receive(act2))).toBe('ERR_SV2_HANDSHAKE')
      expectFailed(initiator, 'ERR_SV2_HANDSHAKE')
      responder.close()
    }
  })

  it('refuses a certificate of another authority, and none without an authority key', () => {
    for (const [options, code] of [
      [{ authorityPublicKey: generateAuthorityKeypair().publicKey }, 'ERR_SV2_CERTIFICATE'],
      [{}, null],
    ] as const) {
      const initiator = Sv2Session.initiator(options)
      const responder = Sv2Session.responder(authority)
      responder.receive(drain(initiator))
      const act2 = drain(responder)
      if (code === null) {
        initiator.receive(act2)
        expect(initiator.state).toBe('transport')
      } else {
        expect(codeOf(() => initiator.receive(act2))).toBe(code)
        expectFailed(initiator, code)
      }
    }
  })
})

describe('keys', () => {
  it('come in pairs that a responder accepts', () => {
    const { publicKey, secretKey } = generateAuthorityKeypair()
    const responder = Sv2Session.responder({ authorityPublicKey: publicKey, authoritySecretKey: secretKey })
    expect(responder.state).toBe('handshake')
    responder.close()
  })

  it('match those that the reference implementation prints', () => {
    const responder = Sv2Session.responder({
      authorityPublicKey: '9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72',
      authoritySecretKey: 'mkDLTBBRxdBv998612qipDYoTK3YUrqLe8uWw7gu3iXbSrn2n',
    })
    expect(responder.state).toBe('handshake')
    responder.close()
  })

  it('are refused when malformed or mismatched, without showing the secret', () => {
    const { authorityPublicKey, authoritySecretKey } = authority
    const other = generateAuthorityKeypair()
    const mistyped = `${authoritySecretKey.slice(0, -1)}${authoritySecretKey.endsWith('z') ? 'y' : 'z'}`
    const bad: [string, string][] = [
      [authorityPublicKey, ''],
      [authorityPublicKey, 'not base58: 0OIl'],
      [authorityPublicKey, mistyped],
      [authorityPublicKey, authoritySecretKey.slice(0, 20)],
      [authorityPublicKey, other.secretKey],
      [authorityPublicKey, '\u{1f511}'.repeat(50)],
      ['', authoritySecretKey],
      [authoritySecretKey, authoritySecretKey],
    ]
    for (const [publicKey, secretKey] of bad) {
      try {
        Sv2Session.responder({ authorityPublicKey: publicKey, authoritySecretKey: secretKey })
        expect.unreachable('the keys were taken')
      } catch (error) {
        expect(error).toBeInstanceOf(FramePoolError)
        const { code, message, stack } = error as FramePoolError
        expect(code).toBe('ERR_SV2_KEY')
        if (secretKey !== '') expect(message + stack).not.toContain(secretKey)
      }
    }
    expect(codeOf(() => Sv2Session.initiator({ authorityPublicKey: 'x' }))).toBe('ERR_SV2_KEY')
  })
})

describe('arguments', () => {
  const wrongTypes: [string, () => unknown][] = [
    ['no options', () => Sv2Session.responder(undefined as never)],
    ['no secret key', () => Sv2Session.responder({ authorityPublicKey: 'x' } as never)],
    ['a number for a key', () => Sv2Session.initiator({ authorityPublicKey: 5 as never })],
    ['null for options', () => Sv2Session.initiator(null as never)],
    ['a string for a size', () => Sv2Session.initiator({ outputSize: '64' as never })],
    ['something else for a pool', () => Sv2Session.initiator({ pool: {} as never })],
    ['the constructor', () => new Sv2Session(Symbol('x'), {} as never)],
    ['a string for a chunk', () => pair().initiator.receive('x' as never)],
    ['an array for a chunk', () => pair().initiator.receive([1] as never)],
    ['a DataView for a chunk', () => pair().initiator.receive(new DataView(new ArrayBuffer(8)) as never)],
    ['words for a payload', () => pair().initiator.send({ messageType: 1 }, new Uint16Array(4) as never)],
    ['no header', () => pair().initiator.send(null as never, new Uint8Array())],
    ['no message type', () => pair().initiator.send({} as never, new Uint8Array())],
    ['no batch', () => pair().initiator.forward({} as never, pair().initiator)],
    ['no target', () => pair().initiator.forward(pair().initiator.receive(new Uint8Array()), {} as never)],
  ]
  it.each(wrongTypes)('ERR_INVALID_ARG_TYPE: %s', (_, call) => {
    expect(codeOf(call)).toBe('ERR_INVALID_ARG_TYPE')
  })

  const wrongValues: [string, () => unknown][] = [
    ['maxFrameSize above 24 bits', () => Sv2Session.initiator({ maxFrameSize: MAX_PAYLOAD + 1 })],
    ['maxFrameSize negative', () => Sv2Session.initiator({ maxFrameSize: -1 })],
    ['outputSize no power of two', () => Sv2Session.initiator({ outputSize: 65 })],
    ['outputSize too small', () => Sv2Session.initiator({ outputSize: 32 })],
    ['outputSize NaN', () => Sv2Session.initiator({ outputSize: Number.NaN })],
    ['validity negative', () => Sv2Session.responder({ ...authority, certificateValiditySeconds: -1 })],
    ['messageType 256', () => pair().initiator.send({ messageType: 256 }, new Uint8Array())],
    ['messageType 1.5', () => pair().initiator.send({ messageType: 1.5 }, new Uint8Array())],
    ['extensionType 0x8000', () => pair().initiator.send({ messageType: 1, extensionType: 0x8000 }, new Uint8Array())],
  ]
  it.each(wrongValues)('ERR_OUT_OF_RANGE: %s', (_, call) => {
    expect(codeOf(call)).toBe('ERR_OUT_OF_RANGE')
  })
})

describe('frames', () => {
  it.each([0, 1, 65_518, 65_519, 65_520, 131_038, 1_000_000, MAX_PAYLOAD])('carry %i bytes both ways', (length) => {
    const { initiator, responder } = pair({ maxFrameSize: MAX_PAYLOAD })
    for (const [from, to] of [
      [initiator, responder],
      [responder, initiator],
    ] as const) {
      const payload = pattern(length, 7)
      const wire = wireOf(from, { messageType: 9 }, payload)
      expect(wire.length).toBe(wireLength(length))
      const frame = to.receive(wire).at(0)!
      // This is far faster than `toEqual` on 16 MB.
      expect(Buffer.compare(frame.payload, payload)).toBe(0)
    }
    initiator.close()
    responder.close()
  })

  it('carry their header', () => {
    const { initiator, responder } = pair()
    const headers = [
      { messageType: 0, extensionType: 0, channelMessage: false },
      { messageType: 255, extensionType: 0x7fff, channelMessage: true },
      { messageType: 0x1a, extensionType: 0, channelMessage: true },
      { messageType: 3, extensionType: 0x1234, channelMessage: false },
    ]
    for (const header of headers) {
      expect(responder.receive(wireOf(initiator, header, new Uint8Array(8))).at(0)).toMatchObject(header)
    }
    expect(responder.receive(wireOf(initiator, { messageType: 5 }, new Uint8Array(1))).at(0)).toMatchObject({
      messageType: 5,
      extensionType: 0,
      channelMessage: false,
      channelId: null,
    })
  })

  it('give the channel id of channel messages that have one', () => {
    const { initiator, responder } = pair()
    const payload = Buffer.from([0xfe, 0xff, 0xff, 0xff, 1])
    for (const [channelMessage, length, channelId] of [
      [true, 5, 0xffff_fffe],
      [true, 4, 0xffff_fffe],
      [true, 3, null],
      [true, 0, null],
      [false, 5, null],
    ] as const) {
      initiator.send({ messageType: 1, channelMessage }, payload.subarray(0, length))
      expect(responder.receive(drain(initiator)).at(0)?.channelId).toBe(channelId)
    }
  })

  it('may be split at every byte', () => {
    const { initiator, responder } = pair()
    const lengths = [0, 1, 15, 16, 17, 300, 0, 0, 64]
    for (const [index, length] of lengths.entries()) initiator.send({ messageType: index }, pattern(length, index))
    const frames = receiveInPieces(responder, drain(initiator), () => 1)
    expect(frames).toEqual(lengths.map((length, index) => ({ messageType: index, payload: pattern(length, index) })))
  })

  it('may be split anywhere, many at once', () => {
    const random = new Random()
    const { initiator, responder } = pair()
    const sent: { messageType: number; payload: Buffer }[] = []
    for (let index = 0; index < 400; index++) {
      const length = random.below(10) === 0 ? random.below(200_000) : random.below(500)
      sent.push({ messageType: index & 0xff, payload: random.bytes(length) })
    }
    for (const { messageType, payload } of sent) initiator.send({ messageType }, payload)
    const wire = drain(initiator)
    const frames = receiveInPieces(responder, wire, () => 1 + random.below(random.below(2) === 0 ? 64 : 100_000))
    expect(frames, random.origin).toHaveLength(sent.length)
    for (const [index, { messageType, payload }] of frames.entries()) {
      expect(messageType, random.origin).toBe(sent[index]!.messageType)
      expect(payload.equals(sent[index]!.payload), random.origin).toBe(true)
    }
  })

  it('may come from memory that other threads can write', () => {
    const { initiator, responder } = pair()
    const payload = new Uint8Array(new SharedArrayBuffer(50)).fill(3)
    const wire = wireOf(initiator, { messageType: 1 }, payload)
    const shared = new Uint8Array(new SharedArrayBuffer(wire.length))
    shared.set(wire)
    expect(Buffer.from(responder.receive(shared).at(0)!.payload)).toEqual(Buffer.alloc(50, 3))
  })

  it.skipIf(DEBUG)('may be received from a view of the receiving pool', () => {
    const pool = new SlotPool(4096)
    const { initiator, responder } = pair({ pool })
    const first = wireOf(initiator, { messageType: 1 }, pattern(100, 1))
    const [a, b] = [
      wireOf(initiator, { messageType: 2 }, pattern(200, 2)),
      wireOf(initiator, { messageType: 3 }, pattern(50, 3)),
    ]
    const region = new Uint8Array(responder.receive(first).at(0)!.payload.buffer)
    // The view lies at the start, where the next batch will lie.
    region.set(a)
    region.set(b, a.length)
    const frames = [...responder.receive(region.subarray(0, a.length + b.length))]
    expect(frames.map(({ payload }) => Buffer.from(payload))).toEqual([pattern(200, 2), pattern(50, 3)])
  })

  it('may be sent from a view of the pool or of the output itself', () => {
    const { initiator, responder } = pair({ outputSize: 256 })
    const batch = responder.receive(wireOf(initiator, { messageType: 1 }, pattern(64)))
    const echoed = wireOf(responder, { messageType: 2 }, batch.at(0)!.payload)
    expect(Buffer.from(initiator.receive(echoed).at(0)!.payload)).toEqual(pattern(64))

    responder.send({ messageType: 1 }, pattern(100))
    responder.output.ioSlices(([waiting]) => {
      // The payload is larger than the free part of the ring, so the copy would overwrite its own source.
      responder.send({ messageType: 2 }, waiting)
      return 0
    })
    const wire = drain(responder)
    const [one, two] = [...initiator.receive(wire)]
    expect(Buffer.from(one!.payload)).toEqual(pattern(100))
    expect(Buffer.from(two!.payload)).toEqual(wire.subarray(0, wireLength(100)))
  })
})

describe('a bad peer', () => {
  it('is noticed at any changed byte of a frame', () => {
    const length = wireLength(20)
    for (let at = 0; at < length; at++) {
      const { initiator, responder } = pair()
      const wire = wireOf(initiator, { messageType: 1 }, pattern(20))
      wire[at]! ^= 0x80
      expect(codeOf(() => responder.receive(wire))).toBe('ERR_SV2_AEAD')
      expectFailed(responder, 'ERR_SV2_AEAD')
      initiator.close()
    }
  })

  it('is noticed in the header alone, and in any chunk of a large payload', () => {
    for (const at of [SEALED_HEADER - 1, SEALED_HEADER, SEALED_HEADER + 65_519 + TAG, wireLength(200_000) - 1]) {
      const { initiator, responder } = pair()
      const wire = wireOf(initiator, { messageType: 1 }, pattern(200_000))
      wire[at]! ^= 1
      const end = at < SEALED_HEADER ? SEALED_HEADER : wire.length
      expect(codeOf(() => responder.receive(wire.subarray(0, end)))).toBe('ERR_SV2_AEAD')
      expectFailed(responder, 'ERR_SV2_AEAD')
    }
  })

  it.each([
    ['repeats a frame', ([a, b]: Buffer[]) => [a!, a!, b!]],
    ['drops a frame', ([, b]: Buffer[]) => [b!]],
    ['reorders frames', ([a, b]: Buffer[]) => [b!, a!]],
    ['adds a byte', ([a, b]: Buffer[]) => [Buffer.from([0]), a!, b!]],
  ])('is noticed when it %s', (_, change) => {
    const { initiator, responder } = pair()
    const frames = [1, 2].map((messageType) => wireOf(initiator, { messageType }, pattern(20)))
    expect(() => {
      for (const wire of change(frames)) responder.receive(wire)
    }).toThrow(expect.objectContaining({ code: 'ERR_SV2_AEAD' }))
    expectFailed(responder, 'ERR_SV2_AEAD')
  })

  it('loses no good frame before the bad one', () => {
    const { initiator, responder } = pair()
    const good = [1, 2].map((messageType) => wireOf(initiator, { messageType }, pattern(20, messageType)))
    const bad = wireOf(initiator, { messageType: 3 }, pattern(20))
    bad[0]! ^= 1
    const batch = responder.receive(Buffer.concat([...good, bad]))
    expect([...batch].map(({ messageType }) => messageType)).toEqual([1, 2])
    expect(Buffer.from(batch.at(1)!.payload)).toEqual(pattern(20, 2))
    expectFailed(responder, 'ERR_SV2_AEAD')
    // Closing the session does not end the batch.
    expect(batch.at(0)?.messageType).toBe(1)
    expect(batch.release()).toBe(true)
  })

  it('cannot send more than maxFrameSize', () => {
    const { initiator, responder } = pair({ maxFrameSize: 1000 })
    expect(responder.receive(wireOf(initiator, { messageType: 1 }, pattern(1000))).length).toBe(1)
    const before = responder.stats().memoryBytes
    const wire = wireOf(initiator, { messageType: 1 }, pattern(1001))
    // The header alone shows it.
    expect(codeOf(() => responder.receive(wire.subarray(0, SEALED_HEADER)))).toBe('ERR_SV2_FRAME_TOO_LARGE')
    expectFailed(responder, 'ERR_SV2_FRAME_TOO_LARGE')
    expect(before).toBeLessThan(100_000)
  })

  it('makes a session hold only the bytes that have come, not the length that the header announced', () => {
    const { initiator, responder } = pair({ maxFrameSize: MAX_PAYLOAD })
    const before = responder.stats().memoryBytes
    const wire = wireOf(initiator, { messageType: 1 }, pattern(MAX_PAYLOAD))
    responder.receive(wire.subarray(0, SEALED_HEADER + 1000))
    expect(responder.stats().memoryBytes - before).toBeLessThan(4096)
    responder.receive(wire.subarray(SEALED_HEADER + 1000, 1_000_000))
    const held = responder.stats().memoryBytes - before
    expect(held).toBeGreaterThan(990_000)
    expect(held).toBeLessThan(2_100_000)
    responder.receive(wire.subarray(1_000_000))
    expect(responder.stats().memoryBytes - before).toBeLessThan(8192)
    initiator.close()
    responder.close()
  })
})

describe('states', () => {
  it('refuses frames before the handshake is done', () => {
    const { initiator, responder } = strangers()
    const { responder: other, initiator: sender } = pair()
    const batch = other.receive(wireOf(sender, { messageType: 1 }, pattern(1)))
    for (const session of [initiator, responder]) {
      expect(codeOf(() => session.send({ messageType: 1 }, new Uint8Array()))).toBe('ERR_SV2_STATE')
      expect(codeOf(() => other.forward(batch, session))).toBe('ERR_SV2_STATE')
      expect(session.state).toBe('handshake')
    }
    responder.receive(drain(initiator))
    initiator.receive(drain(responder))
    expect(initiator.state).toBe('transport')
  })

  it('refuses everything after close, and closes twice', () => {
    const { initiator, responder } = pair()
    const wire = wireOf(initiator, { messageType: 1 }, pattern(1))
    responder.send({ messageType: 1 }, pattern(1))
    responder.close()
    responder.close()
    responder[Symbol.dispose]()
    expect(responder.state).toBe('closed')
    expect(responder.error).toBeNull()
    expect(codeOf(() => responder.receive(wire))).toBe('ERR_SV2_STATE')
    expect(codeOf(() => responder.send({ messageType: 1 }, pattern(1)))).toBe('ERR_SV2_STATE')
    expect(codeOf(() => responder.output.read(new Uint8Array(1)))).toBe('ERR_SV2_STATE')
    expect(codeOf(() => responder.output.ioSlices(() => 0))).toBe('ERR_SV2_STATE')
    expect(responder.output.available).toBe(0)
    expect(responder.output.ended).toBe(true)
  })

  it('keeps the first error, also after close', () => {
    const { responder, initiator } = pair()
    expect(codeOf(() => responder.receive(new Uint8Array(SEALED_HEADER)))).toBe('ERR_SV2_AEAD')
    const { error } = responder
    responder.close()
    expect(responder.error).toBe(error)
    expect(codeOf(() => responder.send({ messageType: 1 }, pattern(1)))).toBe('ERR_SV2_AEAD')
    expect(initiator.state).toBe('transport')
  })

  it('keeps the output of a failed session until it is drained, then frees the memory', () => {
    const { initiator, responder } = pair()
    responder.send({ messageType: 4 }, pattern(70_000))
    expect(codeOf(() => responder.receive(new Uint8Array(SEALED_HEADER)))).toBe('ERR_SV2_AEAD')
    expect(responder.stats().memoryBytes).toBeGreaterThan(0)
    expect(responder.output.ended).toBe(true)
    const frames = [...initiator.receive(drain(responder))]
    expect(frames.map(({ payload }) => payload.length)).toEqual([70_000])
    expect(responder.stats().memoryBytes).toBe(0)
    expect(responder.output.read(new Uint8Array(1))).toBe(0)
  })

  it('frees the memory of a failed session with an empty output at once', () => {
    const { responder } = pair()
    expect(codeOf(() => responder.receive(new Uint8Array(SEALED_HEADER)))).toBe('ERR_SV2_AEAD')
    expect(responder.stats().memoryBytes).toBe(0)
  })
})

it('a session whose pool has no room closes with what the pool says, and prints nothing', () => {
  const program = `
    import { strict as assert } from 'node:assert'
    import { SlotPool } from 'framepool'
    import { Sv2Session } from 'framepool/sv2'
    const all = ({ output }) => {
      const wire = new Uint8Array(output.available)
      output.read(wire)
      return wire
    }
    for (const heapLimit of [100, undefined]) {
      const pool = new SlotPool(64, heapLimit === undefined ? {} : { heapLimit })
      const client = Sv2Session.initiator({ pool })
      const server = Sv2Session.responder(${JSON.stringify(authority)})
      server.receive(all(client))
      client.receive(all(server))
      server.send({ messageType: 1 }, new Uint8Array(30))
      assert.equal(client.receive(all(server)).at(0).payload.length, 30)
      server.send({ messageType: 1 }, new Uint8Array(200))
      if (heapLimit === undefined) {
        assert.equal(client.receive(all(server)).at(0).payload.length, 200)
        continue
      }
      const wire = all(server)
      assert.throws(() => client.receive(wire), { code: 'ERR_MEMORY_LIMIT', message: /limit of 100/ })
      assert.equal(client.state, 'closed')
      assert.equal(client.error.code, 'ERR_MEMORY_LIMIT')
      assert.throws(() => client.receive(wire), { code: 'ERR_MEMORY_LIMIT' })
      assert.equal(pool.stats().heapRefusals, 1)
      pool.getWritable(64)
      assert.equal(pool.getDataOwned().slot, 1)
    }
  `
  const env = { ...process.env, FRAMEPOOL_DEBUG: '' }
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', env })
  expect([run.status, run.stderr]).toEqual([0, ''])
})

describe('stats', () => {
  it('are exact', () => {
    const { initiator, responder } = pair()
    const counted = (session: Sv2Session) => {
      const { memoryBytes, ...rest } = session.stats()
      expect(memoryBytes).toBeGreaterThan(1024)
      expect(memoryBytes).toBeLessThan(80_000)
      return rest
    }
    const expected = {
      framesIn: 0,
      framesOut: 0,
      bytesIn: ACT_1,
      bytesOut: ACT_2,
      heapFallbacks: 0,
      retainedBatches: 0,
    }
    expect(counted(responder)).toEqual(expected)
    expect(counted(initiator)).toEqual({ ...expected, bytesIn: ACT_2, bytesOut: ACT_1 })

    for (const length of [0, 10, 65_520]) initiator.send({ messageType: 1 }, pattern(length))
    const wire = drain(initiator)
    const inAll = wireLength(0) + wireLength(10) + wireLength(65_520)
    expect(counted(initiator)).toMatchObject({ framesOut: 3, bytesOut: ACT_1 + inAll })
    // Bytes count on arrival, and frames when they are complete.
    responder.receive(wire.subarray(0, 30))
    expect(counted(responder)).toMatchObject({ framesIn: 1, bytesIn: ACT_1 + 30 })
    const batch = responder.receive(wire.subarray(30)).retain()
    expect(counted(responder)).toMatchObject({ framesIn: 3, bytesIn: ACT_1 + inAll, retainedBatches: 1 })
    responder.forward(batch, responder)
    expect(counted(responder)).toMatchObject({
      framesOut: 2,
      bytesOut: ACT_2 + wireLength(10) + wireLength(65_520),
    })
    responder.close()
    expect(responder.stats()).toEqual({
      framesIn: 3,
      framesOut: 2,
      bytesIn: ACT_1 + inAll,
      bytesOut: ACT_2 + wireLength(10) + wireLength(65_520),
      heapFallbacks: 0,
      retainedBatches: 1,
      memoryBytes: 0,
    })
    batch.release()
    expect(responder.stats().retainedBatches).toBe(0)
  })
})

describe('memory', () => {
  it('is freed on close: 2,000 sessions leave nothing behind', () => {
    const use = (sessions: number): void => {
      for (let made = 0; made < sessions; made += 2) {
        const { initiator, responder } = pair()
        // This touches the whole ring and shows it to JavaScript.
        initiator.send({ messageType: 1 }, payload)
        initiator.output.ioSlices((_, length) => length)
        initiator.close()
        responder.close()
      }
    }
    const payload = pattern(65_000)
    use(200)
    const before = process.memoryUsage.rss()
    use(2000)
    // If half of the sessions kept a ring of 64 KiB, they would hold 65 MB.
    expect(process.memoryUsage.rss() - before).toBeLessThan(20_000_000)
  })
})

function expectFailed(session: Sv2Session, code: string): void {
  expect(session.state).toBe('closed')
  expect(session.error).toBeInstanceOf(FramePoolError)
  expect(session.error?.code).toBe(code)
  expect(codeOf(() => session.receive(new Uint8Array(1)))).toBe(code)
  session.close()
  expect(session.stats().memoryBytes).toBe(0)
}
