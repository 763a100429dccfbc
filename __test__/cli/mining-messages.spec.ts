import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Field } from '../../src/cli/demo/fields.js'
import * as messages from '../../src/cli/demo/messages.js'

interface Fixture {
  messageType: number
  channelMessage: boolean
  cases: { value: Record<string, unknown>; bytes: string }[]
}

// `crates/framepool/tests/mining_fixtures.rs` makes these with the published crates.
const fixtures: Record<string, Fixture> = JSON.parse(
  readFileSync(new URL('../fixtures/mining-messages.json', import.meta.url), 'utf8'),
)
const codecs = Object.values(messages).filter((entry) => typeof entry === 'object') as unknown as messages.Message<
  Record<string, Field<unknown>>
>[]

// JSON has neither bytes nor u64: in the fixtures, byte fields are hexadecimal and u64 fields are decimal text.
const BYTE_FIELDS = ['maxTarget', 'target', 'extranoncePrefix', 'merkleRoot', 'prevHash']
function revive(name: string, value: unknown): unknown {
  if (BYTE_FIELDS.includes(name)) return fromHex(value as string)
  return name === 'newSharesSum' ? BigInt(value as string) : value
}

function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

it('has a fixture for every message', () => {
  expect(codecs.map((codec) => codec.name).sort()).toEqual(Object.keys(fixtures).sort())
})

describe.each(codecs)('$name', (codec) => {
  const fixture = fixtures[codec.name]!
  const cases = fixture.cases.map(({ value, bytes }) => ({
    values: Object.fromEntries(Object.entries(value).map(([name, field]) => [name, revive(name, field)])),
    bytes: fromHex(bytes),
  }))

  it('has the type and the channel bit of the published crate', () => {
    expect(codec).toMatchObject({ messageType: fixture.messageType, channelMessage: fixture.channelMessage })
  })

  it('encodes to the bytes of the published crate, and decodes them', () => {
    for (const { values, bytes } of cases) {
      expect(new Uint8Array(codec.encode(values))).toEqual(bytes)
      expect(codec.decode(bytes)).toEqual(values)
    }
  })

  it('decodes to copies that outlive the received bytes', () => {
    for (const { values, bytes } of cases) {
      const received = new Uint8Array(bytes)
      const decoded = codec.decode(received)
      received.fill(0xa5)
      expect(decoded).toEqual(values)
    }
  })

  it('refuses every truncation and any extra byte', () => {
    for (const { bytes } of cases) {
      for (let length = 0; length < bytes.length; length++) {
        expect(() => codec.decode(bytes.subarray(0, length))).toThrow(new RegExp(`^${codec.name}\\.\\w+: `))
      }
      expect(() => codec.decode(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(`${codec.name}: 1 bytes too many`)
    }
  })

  it('decodes changed bytes as another message, or refuses them by name', () => {
    for (const { bytes } of cases) {
      for (let position = 0; position < bytes.length; position++) {
        for (const change of [0x01, 0x80, 0xff]) {
          const changed = new Uint8Array(bytes)
          changed[position]! ^= change
          let values: Record<string, unknown>
          try {
            values = codec.decode(changed)
          } catch (error) {
            expect((error as Error).message).toMatch(new RegExp(`^${codec.name}[.:]`))
            continue
          }
          expect(codec.decode(codec.encode(values))).toEqual(values)
        }
      }
    }
  })
})

describe('values that do not fit', () => {
  const prevHash = { channelId: 1, jobId: 1, prevHash: new Uint8Array(32), minNtime: 0, nbits: 0 }
  const success = { requestId: 1, channelId: 1, target: new Uint8Array(32), groupChannelId: 0 }

  it.each([
    ['a u16 above its range', () => messages.SetupConnectionSuccess.encode({ usedVersion: 65_536, flags: 0 })],
    ['a negative u32', () => messages.SetNewPrevHash.encode({ ...prevHash, nbits: -1 })],
    ['31 bytes for a U256', () => messages.SetNewPrevHash.encode({ ...prevHash, prevHash: new Uint8Array(31) })],
    [
      '33 bytes for a B0_32',
      () => messages.OpenStandardMiningChannelSuccess.encode({ ...success, extranoncePrefix: new Uint8Array(33) }),
    ],
    [
      '256 bytes of UTF-8 for a STR0_255',
      () => messages.OpenMiningChannelError.encode({ requestId: 1, errorCode: 'é'.repeat(128) }),
    ],
  ])('%s', (_name, encode) => {
    expect(encode).toThrow(RangeError)
  })
})

describe('malformed fields', () => {
  it('refuses a B0_32 longer than 32 bytes', () => {
    const bytes = Buffer.concat([Buffer.alloc(40), Buffer.of(33), Buffer.alloc(33 + 4)])
    expect(() => messages.OpenStandardMiningChannelSuccess.decode(bytes)).toThrow(
      'OpenStandardMiningChannelSuccess.extranoncePrefix: a length of 33 where at most 32 is allowed',
    )
  })

  it('refuses an option of two values', () => {
    const bytes = Buffer.concat([Buffer.alloc(8), Buffer.of(2), Buffer.alloc(44)])
    expect(() => messages.NewMiningJob.decode(bytes)).toThrow('NewMiningJob.minNtime: an option of 2 values')
  })

  it('refuses a string that is not UTF-8', () => {
    const bytes = Buffer.of(0, 0, 0, 0, 1, 0xff)
    expect(() => messages.SetupConnectionError.decode(bytes)).toThrow('SetupConnectionError.errorCode: not UTF-8')
  })
})
