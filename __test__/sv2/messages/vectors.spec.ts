import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, describe as group, it } from 'vitest'
import { type AnyMessage, describe, messageByName, messageOf, messages } from '../../../src/sv2/messages/index.js'
import { Random } from '../../support/random.js'

interface Vectors {
  seed: string
  messages: Record<
    string,
    {
      extensionType: number
      messageType: number
      channelMessage: boolean
      cases: { value: Record<string, unknown>; bytes: string; tlvs: TlvVectors }[]
    }
  >
}

/** TLVs behind a message, and their bytes. */
interface TlvVectors {
  list: { extensionType: number; fieldType: number; value: string }[]
  bytes: string
}

// Made by crates/message-vectors with the published crates; FRAMEPOOL_VECTORS names others, which it has made afresh.
const fixture = fileURLToPath(new URL('../../fixtures/messages.json', import.meta.url))
const vectors = JSON.parse(readFileSync(process.env.FRAMEPOOL_VECTORS ?? fixture, 'utf8')) as Vectors

/** Bytes of a text in hexadecimal, in which `ff*255` is a run. */
function bytesOf(text: string): Uint8Array {
  const parts = text.split(' ').map((part) => {
    const [, byte = '', count = ''] = /^(..)\*(\d+)$/.exec(part) ?? []
    return count === '' ? Buffer.from(part, 'hex') : Buffer.alloc(Number(count), Number.parseInt(byte, 16))
  })
  return new Uint8Array(Buffer.concat(parts))
}

/** A value of a vector as JavaScript has it; strings stay bytes. */
function revived(value: unknown, type: string): unknown {
  if (type === 'U64') return BigInt(value as string)
  if (typeof value === 'string') return bytesOf(value)
  if (typeof value !== 'object' || value === null) return value
  const elements = Array.isArray(value)
    ? value
    : Array((value as { count: number }).count).fill((value as unknown as { repeat: unknown }).repeat)
  return elements.map((element) => revived(element, ''))
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

const all = Object.entries(vectors.messages).map(([name, entry]) => {
  const message = messageByName(name) as AnyMessage
  const types = new Map(message.fields.map((field) => [field.name, field.type.name]))
  const cases = entry.cases.map(({ value, bytes, tlvs }) => {
    const encodable = Object.entries(value).map(([field, given]) => [field, revived(given, types.get(field) as string)])
    // The text that a string's bytes decode to.
    const decoded = encodable.map(([field, given]) => [
      field,
      types.get(field as string) === 'STR0_255' ? utf8.decode(given as Uint8Array) : given,
    ])
    return {
      ...{ encodable: Object.fromEntries(encodable), decoded: Object.fromEntries(decoded), bytes: bytesOf(bytes) },
      ...{ tlvs: tlvs.list.map((tlv) => ({ ...tlv, value: bytesOf(tlv.value) })), tlvBytes: bytesOf(tlvs.bytes) },
    }
  })
  return { name, message, entry, cases }
})

it('every message has vectors', () => {
  expect(all.map(({ name }) => name).sort()).toEqual(messages.map(({ name }) => name).sort())
  for (const { cases } of all) expect(cases.length).toBeGreaterThanOrEqual(5)
})

group.each(all)('$name', ({ message, entry, cases }) => {
  it('is what the published crates take it for', () => {
    const { extensionType, messageType, channelMessage } = entry
    expect(message).toMatchObject({ extensionType, messageType, channelMessage })
    expect(messageOf({ extensionType, messageType })).toBe(message)
  })

  it('has the bytes and the values of the crates', () => {
    for (const { encodable, decoded, bytes } of cases) {
      expect(message.byteLength(encodable)).toBe(bytes.length)
      expect(Buffer.compare(message.encode(encodable), bytes)).toBe(0)
      expect(message.validate(bytes)).toBe(bytes.length)
      const values = message.decode(bytes)
      // `toEqual` would take minutes for the longest lists.
      for (const [field, value] of Object.entries(decoded)) {
        expect(same(values[field], value), field).toBe(true)
        expect(same(message.get[field]!(bytes), value), field).toBe(true)
        if (field in message.raw) expect(same(message.raw[field]!(bytes), encodable[field]), field).toBe(true)
      }
      expect(Object.keys(values)).toEqual(Object.keys(message.get))
    }
  })

  it('has the TLVs of the crates behind it', () => {
    for (const { encodable, bytes, tlvs, tlvBytes } of cases) {
      const payload = Buffer.concat([bytes, tlvBytes])
      expect(message.byteLength(encodable, tlvs)).toBe(payload.length)
      expect(Buffer.compare(message.encode(encodable, tlvs), payload)).toBe(0)
      const target = new Uint8Array(payload.length)
      expect(message.encodeInto(target, encodable, tlvs)).toBe(payload.length)
      expect(Buffer.compare(target, payload)).toBe(0)
      expect(message.validate(payload)).toBe(bytes.length)
      const found = message.tlvs(payload)
      expect(found.map(({ extensionType, fieldType }) => ({ extensionType, fieldType }))).toEqual(
        tlvs.map(({ extensionType, fieldType }) => ({ extensionType, fieldType })),
      )
      expect(found.every(({ value }, index) => same(value, tlvs[index]!.value))).toBe(true)
    }
  })

  it("has TLVs in the specification's big-endian form", () => {
    const { bytes } = cases[0]!
    // Examples of 03 §3.4.3 and of extension 0x0002.
    for (const extension of [1, 2]) {
      const value = new TextEncoder().encode('Worker_001')
      const tail = Uint8Array.of(0, extension, 0x01, 0, value.length, ...value)
      expect(message.tlvs(Uint8Array.of(...bytes, ...tail, ...tail))).toEqual(
        [0, 1].map(() => ({ extensionType: extension, fieldType: 1, value })),
      )
    }
  })

  it('overwrites each field of fixed size', () => {
    for (const { encodable } of cases.slice(2)) {
      for (const { encodable: others } of cases.slice(0, 2)) {
        const payload = message.encode(encodable)
        const set = message.set as Record<string, (payload: Uint8Array, value: unknown) => void>
        for (const field of Object.keys(set)) set[field]!(payload, others[field])
        const mixed = { ...encodable, ...Object.fromEntries(Object.keys(set).map((field) => [field, others[field]])) }
        expect(Buffer.compare(payload, message.encode(mixed))).toBe(0)
      }
    }
  })
})

function same(one: unknown, other: unknown): boolean {
  if (one instanceof Uint8Array) return other instanceof Uint8Array && Buffer.compare(one, other) === 0
  if (!Array.isArray(one)) return Object.is(one, other)
  return Array.isArray(other) && one.length === other.length && one.every((element, at) => same(element, other[at]))
}

/** Returns the values that a message reads in a payload, or null if it throws `ERR_SV2_MESSAGE`. Other errors are thrown. */
function attempt<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_SV2_MESSAGE') throw error
    return null
  }
}

/** Every way to look at a payload; what decodes must encode again. */
function look(message: AnyMessage, payload: Uint8Array): void {
  const end = attempt(() => message.validate(payload))
  const values = attempt(() => message.decode(payload))
  if ((values === null) !== (end === null)) throw new Error(`${message.name}: decode and validate differ`)
  for (const field of Object.keys(message.get)) attempt(() => message.get[field]!(payload))
  for (const field of Object.keys(message.raw)) attempt(() => message.raw[field]!(payload))
  attempt(() => message.tlvs(payload))
  const { extensionType, messageType } = message
  if (!/^[ -~…]+$/.test(describe({ extensionType, messageType, payload }))) throw new Error('not one line of text')
  if (values === null || end === null) return
  checkMemory(message, values, payload)
  // Beyond UTF-8 the bytes are not the text's: from there on the two must agree.
  const again = attempt(() => message.decode(message.encode({ ...values, ...rawOf(message, payload) })))
  for (const [field, value] of Object.entries(values)) {
    const nan = typeof value === 'number' && Number.isNaN(value)
    if (!nan && !same(again?.[field], value)) throw new Error(`${message.name}.${field} is not what it was`)
  }
}

/**
 * Checks that decoded values take memory for nothing that the payload does not have: views of it, texts no longer than it, and no more
 * elements of lists than it has bytes for.
 */
function checkMemory({ name }: AnyMessage, values: Record<string, unknown>, payload: Uint8Array): void {
  let elements = 0
  for (const value of Object.values(values)) {
    if (Array.isArray(value)) elements += value.length
    for (const bytes of Array.isArray(value) ? value : [value]) {
      if (bytes instanceof Uint8Array && bytes.buffer !== payload.buffer) throw new Error(`${name}: not a view`)
      if (typeof bytes === 'string' && bytes.length > payload.length) throw new Error(`${name}: a long text`)
    }
  }
  if (2 * elements > payload.length) throw new Error(`${name}: ${elements} elements of ${payload.length} bytes`)
}

function rawOf(message: AnyMessage, payload: Uint8Array): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(message.raw).map(([field, raw]) => [field, raw(payload)]))
}

// 1,000,000 for a release: then all is tried, which takes minutes.
const PAYLOADS = Number(process.env.FRAMEPOOL_PAYLOADS ?? 50_000)
const WHOLE = PAYLOADS >= 1_000_000

group('hostile bytes', { timeout: WHOLE ? 1_800_000 : 60_000 }, () => {
  it('are refused as a payload that is cut at any length', () => {
    for (const { message, cases } of all) {
      for (const { bytes } of cases) {
        // Only the ends of the longest payloads are cut: each cut is read up to its end.
        const lengths = Array.from({ length: Math.min(bytes.length, WHOLE ? 3_000 : 300) }, (_, index) => [
          index,
          bytes.length - 1 - index,
        ])
        for (const length of new Set(lengths.flat())) {
          if (attempt(() => message.validate(bytes.subarray(0, length))) !== null) {
            throw new Error(`${message.name}: ${length} of ${bytes.length} bytes were taken`)
          }
          if (length < 300) look(message, bytes.subarray(0, length))
        }
      }
    }
  })

  it('give values or ERR_SV2_MESSAGE when a payload is changed at any place', () => {
    for (const { message, cases } of all) {
      for (const { bytes } of cases.filter((entry) => entry.bytes.length < 2_000)) {
        const changed = new Uint8Array(bytes)
        for (let at = 0; at < bytes.length; at++) {
          for (const change of WHOLE ? Array.from({ length: 255 }, (_, index) => index + 1) : [0x01, 0x80, 0xff]) {
            changed[at] = bytes[at]! ^ change
            look(message, changed)
          }
          changed[at] = bytes[at]!
        }
      }
    }
  })

  it('give values or ERR_SV2_MESSAGE when they are random', () => {
    const random = new Random()
    const noise = random.bytes(1 << 20)
    const list = messages as readonly unknown[] as AnyMessage[]
    for (let index = 0; index < PAYLOADS; index++) {
      const length = random.below(random.below(8) === 0 ? 2_000 : 100)
      const start = random.below(noise.length - length)
      // Between bytes that no read may show.
      const payload = noise.subarray(start, start + length)
      // Each message gets its share.
      try {
        look(list[index % list.length]!, payload)
      } catch (error) {
        throw new Error(`${random.origin}: payload ${index}`, { cause: error })
      }
    }
  })

  it('take no memory when they claim 65,535 elements', () => {
    const claims = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
    const payload = Uint8Array.from(claims)
    const list = messages as readonly unknown[] as AnyMessage[]
    for (const message of list) attempt(() => message.decode(payload))
    const start = process.memoryUsage()
    for (let round = 0; round < 1_000; round++) {
      for (const message of list.filter(({ fields }) =>
        fields.some(({ type }) => type.size === 0 && type.most === 0xffff),
      )) {
        if (attempt(() => message.decode(payload)) !== null) throw new Error(message.name)
      }
    }
    const end = process.memoryUsage()
    expect(end.arrayBuffers - start.arrayBuffers).toBeLessThan(1 << 20)
  })
})
