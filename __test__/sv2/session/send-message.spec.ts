import { expect, it } from 'vitest'
import {
  DeclareMiningJob,
  SetTarget,
  SubmitSharesExtended,
  SubmitSharesSuccess,
} from '../../../src/sv2/messages/index.js'
import { codeOf } from '../../support/code-of.js'
import { drain, pair } from '../../support/sessions.js'

const success = { channelId: 1, lastSequenceNumber: 2, newSubmitsAcceptedCount: 3, newSharesSum: 4n }

it('sends the encoding of a message, with its header', () => {
  const { initiator, responder } = pair()
  expect(initiator.send(SubmitSharesSuccess, success)).toBe(true)
  expect(initiator.send(SubmitSharesSuccess, { ...success, channelId: 7 })).toBe(true)
  const batch = responder.receive(drain(initiator))
  const [first, second] = [...batch]
  expect(first).toMatchObject({ messageType: 0x1c, extensionType: 0, channelMessage: true, channelId: 1 })
  expect(SubmitSharesSuccess.decode(first!.payload)).toEqual(success)
  expect(second?.channelId).toBe(7)
})

it('sends messages of any length, and TLVs', () => {
  const { initiator, responder } = pair({ maxFrameSize: 0xff_ffff })
  const job = {
    ...{ requestId: 1, miningJobToken: Uint8Array.of(1), version: 2 },
    ...{ coinbaseTxPrefix: new Uint8Array(3), coinbaseTxSuffix: new Uint8Array(60_000).fill(4) },
    ...{ wtxidList: [new Uint8Array(32).fill(5)], excessData: new Uint8Array(0) },
  }
  initiator.send(DeclareMiningJob, job)
  expect(DeclareMiningJob.decode(responder.receive(drain(initiator)).at(0)!.payload)).toEqual(job)
  const share = {
    channelId: 1,
    sequenceNumber: 2,
    jobId: 3,
    nonce: 4,
    ntime: 5,
    version: 6,
    extranonce: Uint8Array.of(7),
  }
  const tlvs = [{ extensionType: 2, fieldType: 1, value: Uint8Array.of(8, 9) }]
  initiator.send(SubmitSharesExtended, share, tlvs)
  const { payload } = responder.receive(drain(initiator)).at(0)!
  expect(SubmitSharesExtended.tlvs(payload)).toEqual(tlvs)
})

it('sends nothing that does not fit its field', () => {
  const { initiator } = pair()
  expect(codeOf(() => initiator.send(SetTarget, { channelId: -1, maximumTarget: new Uint8Array(32) }))).toBe(
    'ERR_OUT_OF_RANGE',
  )
  expect(codeOf(() => initiator.send(SetTarget, undefined!))).toBe('ERR_INVALID_ARG_TYPE')
  expect(initiator.output.available).toBe(0)
  initiator.close()
  const fields = { channelId: 1, maximumTarget: new Uint8Array(32) }
  expect(codeOf(() => initiator.send(SetTarget, fields))).toBe('ERR_SV2_STATE')
})

it('takes a message as the header of a payload that is ready', () => {
  const { initiator, responder } = pair()
  initiator.send(SubmitSharesSuccess, SubmitSharesSuccess.encode(success))
  expect(responder.receive(drain(initiator)).at(0)).toMatchObject({ messageType: 0x1c, channelId: 1 })
})

it('rewrites a frame where it lies, and forwards it', () => {
  const [one, two] = [pair(), pair()]
  one.initiator.send(SubmitSharesSuccess, success)
  const batch = one.responder.receive(drain(one.initiator))
  SubmitSharesSuccess.set.channelId(batch.at(0)!.payload, 99)
  one.responder.forward(batch, two.initiator)
  const forwarded = two.responder.receive(drain(two.initiator)).at(0)!
  expect(SubmitSharesSuccess.decode(forwarded.payload)).toEqual({ ...success, channelId: 99 })
})
