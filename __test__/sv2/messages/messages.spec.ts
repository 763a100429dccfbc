import { runInNewContext } from 'node:vm'
import { expect, describe as group, it } from 'vitest'
import {
  type DispatchedFrame,
  describe,
  dispatcher,
  type Message,
  messageByName,
  messageOf,
  messages,
  NewExtendedMiningJob,
  NewMiningJob,
  NewTemplate,
  OpenExtendedMiningChannel,
  OpenExtendedMiningChannelSuccess,
  OpenStandardMiningChannel,
  ProvideMissingTransactionsSuccess,
  RequestExtensions,
  SetCustomMiningJob,
  SetGroupChannel,
  SetNewPrevHash,
  SetTarget,
  SetupConnection,
  SetupConnectionError,
  SetupConnectionFlags,
  SetupConnectionSuccess,
  SubmitSharesErrorCode,
  SubmitSharesExtended,
  SubmitSharesStandard,
  SubmitSharesSuccess,
  TemplateSetNewPrevHash,
  versionRollingMask,
} from '../../../src/sv2/messages/index.js'
import { codeOf } from '../../support/code-of.js'

const share = { channelId: 3, sequenceNumber: 7, jobId: 9, nonce: 0xdead_beef, ntime: 1_700_000_000, version: 2 }
const open = { requestId: 1, userIdentity: 'miner', nominalHashRate: 1e12, maxTarget: new Uint8Array(32).fill(0xff) }
const extended = { ...share, extranonce: Uint8Array.of(1, 2) }

group('the messages', () => {
  it('have the names of the exports, and those of the specification', () => {
    expect(messageByName('SubmitSharesSuccess')).toBe(SubmitSharesSuccess)
    expect(messageByName('SubmitShares.Success')).toBe(SubmitSharesSuccess)
    expect(messageByName('SetNewPrevHash')).toBe(SetNewPrevHash)
    expect(messageByName('TemplateSetNewPrevHash')).toBe(TemplateSetNewPrevHash)
    expect(TemplateSetNewPrevHash.specName).toBe('SetNewPrevHash')
    expect(messageByName('toString')).toBeUndefined()
  })

  it('are found by extension and type, whatever the channel bit', () => {
    for (const message of messages) {
      const { extensionType, messageType } = message
      expect(messageOf({ extensionType, messageType })).toBe(message)
      expect(messageOf({ extensionType: extensionType | 0x8000, messageType })).toBe(message)
      expect(messages.filter((other) => other.is({ extensionType, messageType }))).toEqual([message])
    }
    expect(messageOf({ extensionType: 0, messageType: 0x1e })).toBeUndefined()
    expect(messageOf({ extensionType: 2, messageType: 0 })).toBeUndefined()
    expect(RequestExtensions.is({ extensionType: 0, messageType: 0 })).toBe(false)
  })

  it('have the channel bits of today', () => {
    const types = messages.filter(({ channelMessage }) => channelMessage).map(({ messageType }) => messageType)
    const wanted = [0x03, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24]
    expect(types).toEqual(wanted)
  })

  it('cannot be changed', () => {
    expect(Object.isFrozen(messages)).toBe(true)
    for (const message of messages) {
      const { fields, get, raw, set } = message
      for (const part of [message, fields, get, raw, set]) expect(Object.isFrozen(part)).toBe(true)
      for (const field of fields) expect([field, field.type].every(Object.isFrozen)).toBe(true)
    }
  })
})

group('decode', () => {
  it('gives views of the payload', () => {
    const payload = SubmitSharesExtended.encode(extended)
    const { extranonce } = SubmitSharesExtended.decode(payload)
    payload[25] = 9
    expect(extranonce).toEqual(Uint8Array.of(9, 2))
    expect(extranonce.constructor).toBe(Uint8Array)
  })

  it('takes payloads that lie anywhere', () => {
    const payload = SubmitSharesExtended.encode(extended)
    const memory = Buffer.alloc(64, 0xff)
    payload.forEach((byte, index) => {
      memory[index + 3] = byte
    })
    expect(SubmitSharesExtended.decode(memory.subarray(3, 3 + payload.length))).toEqual(extended)
    const foreign = runInNewContext(`new Uint8Array([${payload}])`) as Uint8Array
    expect({ ...SubmitSharesExtended.decode(foreign), extranonce: null }).toEqual({ ...extended, extranonce: null })
    const shared = new Uint8Array(new SharedArrayBuffer(payload.length))
    shared.set(payload)
    expect(SubmitSharesExtended.decode(shared).sequenceNumber).toBe(7)
  })

  it('looks at bit 0 of a BOOL', () => {
    const template = new Uint8Array(41)
    expect(NewTemplate.get.futureTemplate(template)).toBe(false)
    template[8] = 0xfe
    expect(NewTemplate.decode(template).futureTemplate).toBe(false)
    template[8] = 0x03
    expect(NewTemplate.get.futureTemplate(template)).toBe(true)
  })

  it('decodes strings leniently, and keeps what they begin with', () => {
    const payload = OpenStandardMiningChannel.encode({ ...open, userIdentity: Uint8Array.of(0x61, 0xff, 0x62) })
    expect(OpenStandardMiningChannel.get.userIdentity(payload)).toBe('a\ufffdb')
    expect(OpenStandardMiningChannel.raw.userIdentity(payload)).toEqual(Uint8Array.of(0x61, 0xff, 0x62))
    const marked = OpenStandardMiningChannel.encode({ ...open, userIdentity: '\ufeffé' })
    expect(OpenStandardMiningChannel.decode(marked).userIdentity).toBe('\ufeffé')
    const shared = new Uint8Array(new SharedArrayBuffer(marked.length))
    shared.set(marked)
    expect(OpenStandardMiningChannel.decode(shared).userIdentity).toBe('\ufeffé')
  })

  it('names the field that a payload lacks', () => {
    const refuse = (message: Message<string, object>, payload: Uint8Array) =>
      codeOf(() => message.decode(payload)) === 'ERR_SV2_MESSAGE'
    expect(refuse(SubmitSharesStandard, new Uint8Array(23))).toBe(true)
    expect(() => SubmitSharesStandard.decode(new Uint8Array(23))).toThrow(
      'SubmitSharesStandard.version: no U32 at offset 20 of 23 bytes',
    )
    expect(() => SubmitSharesExtended.decode(Uint8Array.of(...new Uint8Array(24), 33, ...new Uint8Array(33)))).toThrow(
      'SubmitSharesExtended.extranonce: no B0_32 at offset 24 of 58 bytes',
    )
    expect(() => NewMiningJob.decode(Uint8Array.of(...new Uint8Array(8), 2, ...new Uint8Array(44)))).toThrow(
      'NewMiningJob.minNtime: no OPTION[U32] at offset 8 of 53 bytes',
    )
    expect(() => SetGroupChannel.decode(Uint8Array.of(1, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4))).toThrow(
      'SetGroupChannel.channelIds: no SEQ0_64K[U32] at offset 4 of 10 bytes',
    )
    expect(() => OpenExtendedMiningChannelSuccess.get.groupChannelId(new Uint8Array(43))).toThrow(
      'OpenExtendedMiningChannelSuccess.groupChannelId: no U32 at offset 43 of 43 bytes',
    )
  })

  it('refuses what no frame can carry', () => {
    const tooLong = new Uint8Array(0x100_0000)
    const { decode, validate, get } = SetGroupChannel
    for (const read of [decode, validate, get.channelIds]) {
      expect(codeOf(() => read(tooLong))).toBe('ERR_SV2_MESSAGE')
      expect(() => read(tooLong)).toThrow('SetGroupChannel: payload too long')
    }
    expect(SetGroupChannel.validate(tooLong.subarray(1))).toBe(6)
    expect(codeOf(() => SetTarget.decode('payload' as unknown as Uint8Array))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => SetTarget.get.channelId(undefined as unknown as Uint8Array))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => SetGroupChannel.validate(new DataView(new ArrayBuffer(9)) as unknown as Uint8Array))).toBe(
      'ERR_INVALID_ARG_TYPE',
    )
  })

  it('reads fields behind a malformed one no more than the payload allows', () => {
    const payload = ProvideMissingTransactionsSuccess.encode({ requestId: 1, transactionList: [new Uint8Array(3)] })
    expect(ProvideMissingTransactionsSuccess.get.requestId(payload.subarray(0, 4))).toBe(1)
    expect(codeOf(() => ProvideMissingTransactionsSuccess.get.transactionList(payload.subarray(0, 10)))).toBe(
      'ERR_SV2_MESSAGE',
    )
  })
})

group('encode', () => {
  it.each([
    ['a number below', () => SubmitSharesStandard.encode({ ...share, nonce: -1 }), 'ERR_OUT_OF_RANGE', 'nonce'],
    ['a number above', () => SubmitSharesStandard.encode({ ...share, ntime: 2 ** 32 }), 'ERR_OUT_OF_RANGE', 'ntime'],
    [
      'a U16 above',
      () => SetupConnectionSuccess.encode({ usedVersion: 65_536, flags: 0 }),
      'ERR_OUT_OF_RANGE',
      'usedV',
    ],
    ['a fraction', () => SubmitSharesStandard.encode({ ...share, version: 0.5 }), 'ERR_OUT_OF_RANGE', 'version'],
    ['NaN', () => SubmitSharesStandard.encode({ ...share, version: Number.NaN }), 'ERR_OUT_OF_RANGE', 'version'],
    [
      '31 bytes',
      () => SetTarget.encode({ channelId: 1, maximumTarget: new Uint8Array(31) }),
      'ERR_OUT_OF_RANGE',
      'maxi',
    ],
    [
      'too many bytes',
      () => SubmitSharesExtended.encode({ ...share, extranonce: new Uint8Array(33) }),
      'ERR_OUT_OF_RANGE',
      'extranonce',
    ],
    [
      'a long text',
      () => OpenStandardMiningChannel.encode({ ...open, userIdentity: 'é'.repeat(128) }),
      'ERR_OUT_OF_RANGE',
      'userIdentity',
    ],
    [
      'a float beyond 32 bits',
      () => OpenStandardMiningChannel.encode({ ...open, nominalHashRate: 1e39 }),
      'ERR_OUT_OF_RANGE',
      'nominalHashRate',
    ],
    [
      'a bigint above',
      () =>
        SubmitSharesSuccess.encode({
          ...{ channelId: 1, lastSequenceNumber: 1, newSubmitsAcceptedCount: 1 },
          newSharesSum: 2n ** 64n,
        }),
      'ERR_OUT_OF_RANGE',
      'newSharesSum',
    ],
    [
      'a list that is too long',
      () => SetGroupChannel.encode({ groupChannelId: 1, channelIds: Array(65_536).fill(0) }),
      'ERR_OUT_OF_RANGE',
      'channelIds',
    ],
    [
      'an element',
      () => SetGroupChannel.encode({ groupChannelId: 1, channelIds: [1, 2 ** 32] }),
      'ERR_OUT_OF_RANGE',
      'channelIds[1]',
    ],
    [
      'more than a frame carries',
      () => ProvideMissingTransactionsSuccess.encode({ requestId: 1, transactionList: [new Uint8Array(0xff_ffff)] }),
      'ERR_OUT_OF_RANGE',
      'ProvideMissing',
    ],
    ['no field', () => SubmitSharesStandard.encode({ ...share, nonce: undefined! }), 'ERR_INVALID_ARG_TYPE', 'nonce'],
    ['no fields', () => SubmitSharesStandard.encode(null!), 'ERR_INVALID_ARG_TYPE', 'SubmitSharesStandard'],
    [
      'a number for bytes',
      () => SubmitSharesExtended.encode({ ...share, extranonce: 3 as unknown as Uint8Array }),
      'ERR_INVALID_ARG_TYPE',
      'extranonce',
    ],
    [
      'a TLV',
      () =>
        SetTarget.encode({ channelId: 1, maximumTarget: open.maxTarget }, [
          { extensionType: 2, fieldType: 256, value: new Uint8Array(1) },
        ]),
      'ERR_OUT_OF_RANGE',
      'tlvs[0].fieldType',
    ],
  ])('refuses %s and names the field', (_, encode, code, name) => {
    expect(codeOf(encode)).toBe(code)
    expect(encode).toThrow(name)
  })

  it('checks all before it writes', () => {
    const target = new Uint8Array(32)
    expect(codeOf(() => SubmitSharesStandard.encodeInto(target, { ...share, version: -1 }))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => SubmitSharesStandard.encodeInto(target.subarray(0, 23), share))).toBe('ERR_OUT_OF_RANGE')
    const tlvs = [{ extensionType: 2, fieldType: 1, value: new Uint8Array(4) }]
    expect(codeOf(() => SubmitSharesStandard.encodeInto(target, share, tlvs))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => SubmitSharesStandard.encodeInto([] as unknown as Uint8Array, share))).toBe(
      'ERR_INVALID_ARG_TYPE',
    )
    expect(target).toEqual(new Uint8Array(32))
    expect(SubmitSharesStandard.encodeInto(target, share)).toBe(24)
    expect(target.subarray(0, 24)).toEqual(SubmitSharesStandard.encode(share))
  })

  it('keeps a frame that waits for its turn, and refuses one whose memory was detached as one of no bytes', async () => {
    let go = (): void => {}
    const turn = new Promise<void>((resolve) => {
      go = resolve
    })
    const dispatch = dispatcher({ SubmitSharesStandard: () => turn })
    const { extensionType, messageType } = SubmitSharesStandard
    const frame = (payload: Uint8Array) => ({ extensionType, messageType, payload })
    const first = dispatch(frame(new Uint8Array(100)))
    const payload = new Uint8Array(100)
    structuredClone(payload.buffer, { transfer: [payload.buffer] })
    const second = dispatch(frame(payload))
    go()
    await first
    await expect(second).rejects.toMatchObject({ code: 'ERR_SV2_MESSAGE' })
  })

  it('takes bytes whose memory was detached as none', () => {
    for (const extranonce of [new Uint8Array(2), runInNewContext('new Uint8Array(2)') as Uint8Array<ArrayBuffer>]) {
      structuredClone(extranonce, { transfer: [extranonce.buffer] })
      const payload = SubmitSharesExtended.encode({ ...share, extranonce })
      expect(SubmitSharesExtended.decode(payload).extranonce).toHaveLength(0)
    }
    const maxTarget = new Uint8Array(32)
    structuredClone(maxTarget, { transfer: [maxTarget.buffer] })
    expect(codeOf(() => OpenStandardMiningChannel.encode({ ...open, maxTarget }))).toBe('ERR_OUT_OF_RANGE')
  })

  it('takes an element once', () => {
    let asked = 0
    const list = new Proxy([1, 2, 3], {
      get: (target, key) => (key === '0' ? asked++ * 2 ** 40 : Reflect.get(target, key)),
    })
    expect(SetGroupChannel.encodeInto(new Uint8Array(20), { groupChannelId: 1, channelIds: list })).toBe(18)
    expect(asked).toBe(1)
  })

  it('says how long a payload is without making it', () => {
    expect(OpenStandardMiningChannel.byteLength({ ...open, userIdentity: 'é' })).toBe(43)
    const tlvs = [{ extensionType: 2, fieldType: 1, value: new Uint8Array(4) }]
    expect(SubmitSharesExtended.byteLength(extended, tlvs)).toBe(27 + 9)
  })
})

group('in place', () => {
  it('reads and overwrites one field', () => {
    const payload = SubmitSharesStandard.encode(share)
    SubmitSharesStandard.set.channelId(payload, 0xffff_fffe)
    expect(SubmitSharesStandard.get.channelId(payload)).toBe(0xffff_fffe)
    expect(SubmitSharesStandard.decode(payload)).toEqual({ ...share, channelId: 0xffff_fffe })
    expect(codeOf(() => SubmitSharesStandard.set.channelId(payload, -1))).toBe('ERR_OUT_OF_RANGE')
    expect(() => SubmitSharesStandard.set.channelId(payload, -1)).toThrow('SubmitSharesStandard.channelId')
    expect(codeOf(() => SubmitSharesStandard.set.version(payload.subarray(0, 23), 1))).toBe('ERR_SV2_MESSAGE')
  })

  it('finds fields behind those of variable length', () => {
    const fields = { ...open, minExtranonceSize: 4 }
    const payload = OpenExtendedMiningChannel.encode(fields)
    OpenExtendedMiningChannel.set.minExtranonceSize(payload, 8)
    OpenExtendedMiningChannel.set.nominalHashRate(payload, 0.5)
    OpenExtendedMiningChannel.set.maxTarget(payload, new Uint8Array(32).fill(3))
    expect(OpenExtendedMiningChannel.decode(payload)).toEqual({
      ...fields,
      ...{ minExtranonceSize: 8, nominalHashRate: 0.5, maxTarget: new Uint8Array(32).fill(3) },
    })
    expect(OpenExtendedMiningChannel.set).not.toHaveProperty('userIdentity')
    expect(Object.keys(OpenExtendedMiningChannel.raw)).toEqual(['userIdentity'])
  })

  it('has a way in and out for each field', () => {
    for (const { get, set, raw, fields } of messages) {
      expect(Object.keys(get)).toEqual(fields.map(({ name }) => name))
      expect(Object.keys(set)).toEqual(fields.filter(({ type }) => type.size > 0).map(({ name }) => name))
      expect(Object.keys(raw)).toEqual(fields.filter(({ type }) => type.name === 'STR0_255').map(({ name }) => name))
    }
  })
})

group('tlvs', () => {
  const name = new TextEncoder().encode('Worker_001')

  it('are little-endian, and views', () => {
    const payload = SubmitSharesExtended.encode(extended, [{ extensionType: 2, fieldType: 1, value: name }])
    expect([...payload.subarray(27, 32)]).toEqual([2, 0, 1, 10, 0])
    expect(SubmitSharesExtended.tlvs(payload)).toEqual([{ extensionType: 2, fieldType: 1, value: name }])
    expect(SubmitSharesExtended.validate(payload)).toBe(27)
    expect(SubmitSharesExtended.decode(payload)).toEqual(extended)
    expect(SubmitSharesExtended.tlvs(payload.subarray(0, 27))).toEqual([])
  })

  it("are recognized in the specification's big-endian form", () => {
    const payload = SubmitSharesExtended.encode(extended)
    const tail = [0x00, 0x02, 0x01, 0x00, 0x0a, ...name]
    expect(SubmitSharesExtended.tlvs(Uint8Array.of(...payload, ...tail))).toEqual([
      { extensionType: 2, fieldType: 1, value: name },
    ])
  })

  it('are big-endian only if all are of extension 0x0001 or 0x0002', () => {
    for (const extensionType of [0, 3, 0x4001]) {
      // Read the other way its length is 1, and the zeros behind it are TLVs without a value.
      const value = new Uint8Array(256)
      const tlvs = [{ extensionType, fieldType: 1, value }]
      expect(SubmitSharesExtended.tlvs(SubmitSharesExtended.encode(extended, tlvs))).toEqual(tlvs)
    }
  })

  it('refuses what is none', () => {
    const payload = SubmitSharesExtended.encode(extended)
    for (const tail of [[2], [2, 0, 1, 1, 0], [2, 0, 1, 0, 0, 1]]) {
      expect(codeOf(() => SubmitSharesExtended.tlvs(Uint8Array.of(...payload, ...tail)))).toBe('ERR_SV2_MESSAGE')
    }
  })
})

group('describe', () => {
  const frameOf = (message: { extensionType: number; messageType: number }, payload: Uint8Array) => ({
    extensionType: message.extensionType,
    messageType: message.messageType,
    payload,
  })

  it('gives a line', () => {
    expect(describe(frameOf(SubmitSharesStandard, SubmitSharesStandard.encode(share)))).toBe(
      'SubmitSharesStandard channelId=3 sequenceNumber=7 jobId=9 nonce=3735928559 ntime=1700000000 version=2',
    )
    const setup = {
      ...{ protocol: 0, minVersion: 2, maxVersion: 2, flags: SetupConnectionFlags.mining.REQUIRES_STANDARD_JOBS },
      ...{
        endpointHost: 'a"b\\',
        endpointPort: 1,
        vendor: '\n\u001b[31m',
        hardwareVersion: 'é',
        firmware: 'x'.repeat(65),
      },
      deviceId: '',
    }
    expect(describe(frameOf(SetupConnection, SetupConnection.encode(setup)))).toBe(
      'SetupConnection protocol=0 minVersion=2 maxVersion=2 flags=1 endpointHost="a\\"b\\\\" endpointPort=1 ' +
        `vendor="\\x0a\\x1b[31m" hardwareVersion="\\xc3\\xa9" firmware="${'x'.repeat(64)}"…(65) deviceId=""`,
    )
    const job = {
      ...{ channelId: 1, jobId: 2, minNtime: null, version: 3, versionRollingAllowed: true },
      ...{
        merklePath: [new Uint8Array(32)],
        coinbaseTxPrefix: new Uint8Array(9),
        coinbaseTxSuffix: Uint8Array.of(255),
      },
    }
    expect(describe(frameOf(NewExtendedMiningJob, NewExtendedMiningJob.encode(job)))).toBe(
      'NewExtendedMiningJob channelId=1 jobId=2 minNtime=null version=3 versionRollingAllowed=true merklePath=[1] ' +
        'coinbaseTxPrefix=0000000000000000…(9) coinbaseTxSuffix=ff',
    )
    const group = SetGroupChannel.encode({ groupChannelId: 1, channelIds: [1, 2, 3, 4, 5] })
    expect(describe(frameOf(SetGroupChannel, group))).toBe('SetGroupChannel groupChannelId=1 channelIds=[1,2,3,4,…](5)')
  })

  it('says what is wrong, and what follows', () => {
    const payload = SubmitSharesStandard.encode(share)
    expect(describe(frameOf(SubmitSharesStandard, payload.subarray(0, 9)))).toBe(
      'SubmitSharesStandard channelId=3 sequenceNumber=7 (malformed: jobId at offset 8 of 9 bytes)',
    )
    expect(describe(frameOf(SetupConnectionError, Uint8Array.of(1, 0, 0, 0, 0, 9, 9)))).toBe(
      'SetupConnectionError flags=1 errorCode="" +2 bytes',
    )
    expect(describe({ extensionType: 0, messageType: 0x1e, payload })).toBe(
      'unknown type 0x1e of extension 0x0000, 24 bytes',
    )
  })
})

group('dispatcher', () => {
  const frames = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      ...{ extensionType: 0, messageType: 0x1a },
      payload: SubmitSharesStandard.encode({ ...share, sequenceNumber: index }),
    }))

  it('gives fields to handlers by name, and the rest to otherwise', () => {
    const seen: unknown[] = []
    const dispatch = dispatcher(
      {
        SubmitSharesStandard: ({ sequenceNumber }, frame) => {
          seen.push(sequenceNumber, frame.messageType)
          return 'forward'
        },
      },
      (frame) => {
        seen.push(frame.messageType)
        return 'drop'
      },
    )
    expect(dispatch(frames(1)[0]!)).toBe('forward')
    expect(dispatch({ extensionType: 0, messageType: 0x1e, payload: new Uint8Array(1) })).toBe('drop')
    expect(dispatch({ extensionType: 1, messageType: 0x1a, payload: new Uint8Array(1) })).toBe('drop')
    expect(seen).toEqual([0, 0x1a, 0x1e, 0x1a])
    expect(codeOf(() => dispatch({ extensionType: 0, messageType: 0x1a, payload: new Uint8Array(1) }))).toBe(
      'ERR_SV2_MESSAGE',
    )
    expect(dispatcher({})(frames(1)[0]!)).toBeUndefined()
  })

  it('keeps the order of frames while a handler waits, and copies what waits', async () => {
    const seen: number[] = []
    const dispatch = dispatcher({
      SubmitSharesStandard: async ({ sequenceNumber }) => {
        await new Promise((resolve) => setTimeout(resolve, 3 - sequenceNumber))
        seen.push(sequenceNumber)
        if (sequenceNumber === 1) throw new Error('one')
        return sequenceNumber
      },
    })
    const given: DispatchedFrame[] = frames(3)
    const results = given.map((frame) => dispatch(frame))
    for (const { payload } of given.slice(1)) payload.fill(0xff)
    await expect(Promise.allSettled(results)).resolves.toMatchObject([
      { value: 0 },
      { reason: { message: 'one' } },
      { value: 2 },
    ])
    expect(seen).toEqual([0, 1, 2])
  })

  it('leaves a rejection that nobody handles unhandled, also that of a frame that waits', async () => {
    const reasons: string[] = []
    const unhandled = (reason: Error): void => {
      reasons.push(reason.message)
    }
    const others = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection').on('unhandledRejection', unhandled)
    try {
      const dispatch = dispatcher({
        SubmitSharesStandard: async ({ sequenceNumber }) => {
          await null
          throw new Error(`share ${sequenceNumber}`)
        },
      })
      for (const frame of frames(2)) dispatch(frame)
      dispatch({ extensionType: 0, messageType: 0x1a, payload: new Uint8Array(3) })
      await expect(dispatch(frames(3)[2]!)).rejects.toThrow('share 2')
      await new Promise((resolve) => setTimeout(resolve, 10))
      expect(reasons).toEqual(['share 0', 'share 1', expect.stringContaining('no U32 at offset 0 of 3 bytes')])
    } finally {
      process.off('unhandledRejection', unhandled)
      for (const listener of others) process.on('unhandledRejection', listener)
    }
  })

  it('keeps what the caller has put on a frame that waits', async () => {
    const seen: unknown[] = []
    const dispatch = dispatcher<DispatchedFrame & { miner: string }>({
      SubmitSharesStandard: async (_, { miner, payload, messageType }) => {
        seen.push([miner, payload.length, messageType])
        await null
      },
    })
    const [first, second] = frames(2)
    dispatch({ ...first!, miner: 'alice' })
    await dispatch({ ...second!, miner: 'bob' })
    expect(seen).toEqual([
      ['alice', 24, 0x1a],
      ['bob', 24, 0x1a],
    ])
  })

  it('refuses what is no handler', () => {
    expect(codeOf(() => dispatcher({ Nothing: () => {} } as never))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => dispatcher({ SetTarget: 1 } as never))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => dispatcher(null as never))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => dispatcher({}, 1 as never))).toBe('ERR_INVALID_ARG_TYPE')
  })
})

it('has flags, codes and the mask', () => {
  expect(SetupConnectionFlags.mining.REQUIRES_VERSION_ROLLING).toBe(4)
  expect(SubmitSharesErrorCode.staleShare).toBe('stale-share')
  expect(versionRollingMask).toBe(0x1fffffe0)
  expect(SetCustomMiningJob.fields.map(({ name }) => name)).toContain('coinbaseTxInputNSequence')
})
