import { invalidArgType } from '../../support/errors.js'
import { messageError } from './read.js'
import { checkBytes, checkNumber, putBytes, putU8, putU16 } from './write.js'

/** A TLV (type, length, value) behind a message's last field: what a negotiated extension adds to it. */
export interface Tlv {
  /** Extension that the TLV belongs to: 0 to 65,535. */
  extensionType: number
  /** Type of the field within the extension: 0 to 255. */
  fieldType: number
  /** Bytes of the value, at most 65,535; a view of the payload when read. */
  value: Uint8Array
}

/** U16 extension, U8 field, U16 length. */
const HEADER = 5

/** Reads what follows the last field, which ends at `start`. */
export function readTlvs(payload: Uint8Array, start: number, name: string): Tlv[] {
  if (start === payload.length) return []
  // The specification's examples are big-endian and of extension 0x0001 or 0x0002; read the other way they would be of
  // 0x0100 or 0x0200, which do not exist. All peers known write little-endian.
  const bigEndian = payload[start] === 0 && (payload[start + 1] === 1 || payload[start + 1] === 2)
  const tlvs = (bigEndian && parse(payload, start, true)) || parse(payload, start, false)
  if (tlvs) return tlvs
  throw messageError(`${name}: the ${payload.length - start} bytes behind the last field are no TLVs`)
}

/** All TLVs from `start` on; null if they do not end where the payload does. */
function parse(payload: Uint8Array, start: number, bigEndian: boolean): Tlv[] | null {
  const u16 = (at: number): number =>
    bigEndian ? (payload[at]! << 8) | payload[at + 1]! : payload[at]! | (payload[at + 1]! << 8)
  const { length } = payload
  // First without making anything.
  let at = start
  while (at < length) at = at + HEADER <= length ? at + HEADER + u16(at + 3) : length + 1
  if (at !== length) return null
  const tlvs: Tlv[] = []
  for (at = start; at < length; ) {
    const size = u16(at + 3)
    const value = new Uint8Array(payload.buffer, payload.byteOffset + at + HEADER, size)
    tlvs.push({ extensionType: u16(at), fieldType: payload[at + 2]!, value })
    at += HEADER + size
  }
  return tlvs
}

/** Copies of the TLVs, which nobody else can change, once all is checked. */
export function checkTlvs(tlvs: readonly Tlv[], name: string): Tlv[] {
  const layout = { name, fields: [] }
  if (!Array.isArray(tlvs)) throw invalidArgType(`${name}.tlvs must be an array`)
  const copies: Tlv[] = []
  for (let index = 0; index < tlvs.length; index++) {
    const place = `tlvs[${index}].`
    const { extensionType, fieldType, value } = tlvs[index] ?? ({} as Partial<Tlv> as Tlv)
    checkNumber(extensionType, 0xffff, layout, `${place}extensionType`)
    checkNumber(fieldType, 0xff, layout, `${place}fieldType`)
    checkBytes(value, 0, 0xffff, layout, `${place}value`)
    copies.push({ extensionType, fieldType, value })
  }
  return copies
}

export function tlvsSize(tlvs: readonly Tlv[]): number {
  let size = 0
  for (const { value } of tlvs) size += HEADER + value.length
  return size
}

/** Writes them to `at`, and returns where they end. */
export function putTlvs(target: Uint8Array, at: number, tlvs: readonly Tlv[]): number {
  let end = at
  for (const { extensionType, fieldType, value } of tlvs) {
    end = putU16(target, end, extensionType)
    end = putU8(target, end, fieldType)
    end = putU16(target, end, value.length)
    end = putBytes(target, end, value)
  }
  return end
}
