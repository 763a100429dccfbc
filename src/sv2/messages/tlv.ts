import { lengthOf } from '../../support/bytes.js'
import { invalidArgType } from '../../support/errors.js'
import { B0_64K, U8, U16 } from './field-type.js'
import type { Layout } from './layout.js'
import { MAX_PAYLOAD, messageError, view } from './read.js'
import { copied, isArray, valuesOf } from './write.js'

/** A TLV (type, length, value) behind a message's last field: what a negotiated extension adds to it. */
export interface Tlv {
  /** Extension that the TLV belongs to: 0 to 65,535. */
  extensionType: number
  /** Type of the field within the extension: 0 to 255. */
  fieldType: number
  /** Bytes of the value, at most 65,535; a view of the payload when read. */
  value: Uint8Array
}

const fields = [
  { name: 'extensionType', type: U16 },
  { name: 'fieldType', type: U8 },
  { name: 'value', type: B0_64K },
]

/** Reads the TLVs behind the last field, which ends at `start`. */
export function readTlvs(payload: Uint8Array, start: number, name: string): Tlv[] {
  const length = lengthOf(payload)
  for (const high of [0, 1]) {
    /** Reads a U16 whose higher byte is the first or the second. */
    const word = (at: number): number => (payload[at + high]! << 8) | payload[at + 1 - high]!
    const tlvs: Tlv[] = []
    let at = start
    // The specification's examples are big-endian and of extension 0x0001 or 0x0002; read the other way they would be of
    // 0x0100 or 0x0200, which do not exist. All peers known write little-endian.
    while (at < length && (high > 0 || word(at) === 1 || word(at) === 2)) {
      // In front of the value are a U16, a U8, and its length, a U16.
      const end = at + 5 + word(at + 3)
      if (end <= length) {
        tlvs.push({ extensionType: word(at), fieldType: payload[at + 2]!, value: view(payload, at + 5, end) })
      }
      at = end
    }
    if (at === length) return tlvs
  }
  throw messageError(`${name}: no TLVs at offset ${start}`)
}

/** Fields of a payload, and their values, which nobody else can change. */
export type Part = readonly [layout: Layout, values: readonly unknown[]]

/** Returns a part for each TLV, if there are any. */
export function tlvParts({ name }: Layout, tlvs: readonly Tlv[] = []): Part[] {
  if (!isArray(tlvs)) throw invalidArgType(`${name}.tlvs: not an array`)
  return (copied(tlvs, { most: MAX_PAYLOAD }) as Tlv[]).map((tlv, index) => [
    { name: `${name}.tlvs[${index}]`, fields },
    valuesOf(tlv, fields),
  ])
}
