import { describe, expect, it } from 'vitest'
import {
  describe as describeFrame,
  dispatcher,
  messages,
  SubmitSharesStandard,
} from '../../../src/sv2/messages/index.js'
import { rejection, THROWN, throwing, thrownBy, trap } from '../../support/thrown.js'

/** A payload of zeros is one of every message: its strings and lists are empty. */
const zeros = new Uint8Array(1000)

const all = Object.values(messages).map((message) => ({
  name: message.name as string,
  fields: message.decode(zeros) as object,
  encode: message.encode as (fields: object) => Uint8Array,
  encodeInto: message.encodeInto as (target: Uint8Array, fields: object) => number,
  byteLength: message.byteLength as (fields: object) => number,
}))

const frame = { extensionType: 0, messageType: SubmitSharesStandard.messageType, payload: zeros }

describe.each(THROWN)('%s, thrown', (_, thrown) => {
  it('by a getter of a field makes and writes nothing, in any message', () => {
    for (const { fields, encode, encodeInto, byteLength } of all) {
      const target = new Uint8Array(1000).fill(7)
      for (const name of Object.keys(fields)) {
        const given = trap(name, thrown, fields)
        expect(thrownBy(() => encode(given))).toEqual({ reason: thrown })
        expect(thrownBy(() => encodeInto(target, given))).toEqual({ reason: thrown })
        expect(thrownBy(() => byteLength(given))).toEqual({ reason: thrown })
      }
      expect(target.every((byte) => byte === 7)).toBe(true)
    }
  })

  it('by a getter of a TLV makes and writes nothing', () => {
    const fields = SubmitSharesStandard.decode(zeros)
    const tlv = { extensionType: 2, fieldType: 1, value: Uint8Array.of(1) }
    const target = new Uint8Array(1000).fill(7)
    for (const name of Object.keys(tlv)) {
      const tlvs = [tlv, trap(name, thrown, tlv)]
      expect(thrownBy(() => SubmitSharesStandard.encode(fields, tlvs))).toEqual({ reason: thrown })
      expect(thrownBy(() => SubmitSharesStandard.encodeInto(target, fields, tlvs))).toEqual({ reason: thrown })
    }
    expect(target.every((byte) => byte === 7)).toBe(true)
  })

  it('by a getter of the handlers of a dispatcher makes no dispatcher', () => {
    expect(thrownBy(() => dispatcher(trap('SubmitSharesStandard', thrown)))).toEqual({ reason: thrown })
  })

  it('by a handler, or by otherwise, is thrown by the call, and later frames are handled', () => {
    let call: () => unknown = throwing(thrown)
    const dispatch = dispatcher({ SubmitSharesStandard: () => call() }, () => call())
    const unknown = { ...frame, messageType: 0xff }
    for (const given of [frame, unknown]) expect(thrownBy(() => dispatch(given))).toEqual({ reason: thrown })
    call = () => 'handled'
    expect([dispatch(frame), dispatch(unknown)]).toEqual(['handled', 'handled'])
  })

  it('by an async handler rejects its call alone', async () => {
    let call: () => unknown = throwing(thrown)
    const dispatch = dispatcher({ SubmitSharesStandard: async () => call() })
    const first = rejection(dispatch(frame) as Promise<unknown>)
    call = () => 'handled'
    const second = dispatch(frame)
    expect(await first).toEqual({ reason: thrown })
    expect(await second).toBe('handled')
  })

  it('by a getter of a frame is thrown by the call', () => {
    const dispatch = dispatcher({ SubmitSharesStandard: () => 'handled' })
    for (const name of Object.keys(frame)) {
      const given = trap(name, thrown, frame)
      for (const call of [dispatch, describeFrame]) expect(thrownBy(() => call(given))).toEqual({ reason: thrown })
    }
    expect(dispatch(frame)).toBe('handled')
  })
})
