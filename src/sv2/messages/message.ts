import type { FixedType } from './field-type.js'
import type { FieldType, Layout, MessageField } from './layout.js'
import { bytes, checkEnd, malformed, offsetOf } from './read.js'
import { checkTlvs, putTlvs, readTlvs, type Tlv, tlvsSize } from './tlv.js'
import { isBytes } from './write.js'

/** Part of the specification that a message belongs to. */
export type Protocol = 'common' | 'mining' | 'job-declaration' | 'template-distribution' | 'extensions'

/** What tells which message a frame carries. Bit 15 of the extension, the channel bit, is not looked at. */
export interface MessageType {
  /** Extension, without the channel bit. */
  readonly extensionType: number
  /** Type within the extension: 0 to 255. */
  readonly messageType: number
}

/** Value of a field: BOOL is a boolean; U64 a bigint; other numbers are numbers; OPTION is null or a value. */
export type FieldValue =
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | null
  | readonly number[]
  | readonly Uint8Array[]

/** What `encode` takes: strings also as bytes. */
export type EncodableFields<Fields extends object> = {
  readonly [F in keyof Fields]: Fields[F] extends string ? string | Uint8Array : Fields[F]
}

/** Names of the fields that are strings. */
export type TextField<Fields extends object> = {
  [F in keyof Fields]: Fields[F] extends string ? F : never
}[keyof Fields]

/**
 * A message: its codec, and the header of the frames that carry it. All functions work on payloads where they lie, and may be
 * used without the message: `const { decode } = SetTarget`.
 */
export interface Message<Name extends string, Fields extends object, Fixed extends keyof Fields = keyof Fields>
  extends MessageType {
  /** Name of the export, for example `SubmitSharesSuccess`. */
  readonly name: Name
  /** Name in the specification, for example `SubmitShares.Success`. */
  readonly specName: string
  /** Part of the specification that the message belongs to. */
  readonly protocol: Protocol
  /** Extension, without the channel bit. */
  readonly extensionType: number
  /** Type within the extension: 0 to 255. */
  readonly messageType: number
  /** Channel bit as today's specification has it. Older peers send others, so that it is never looked at in what is received. */
  readonly channelMessage: boolean
  /** Fields with their types, in the order of the wire. */
  readonly fields: readonly MessageField[]

  /** Returns true if a frame carries this message, by extension and type alone. */
  is(frame: MessageType): boolean

  /**
   * Returns all fields. Bytes are views of `payload`, valid as long as it is; bytes of a string that are not UTF-8 become
   * U+FFFD. A payload that is too short, or has a count beyond what its field allows, is `ERR_SV2_MESSAGE`. Bytes behind the
   * last field are allowed: see `tlvs`.
   */
  decode(payload: Uint8Array): Fields

  /** Checks all lengths and counts without making anything. Returns where the last field ends. `ERR_SV2_MESSAGE` as `decode`. */
  validate(payload: Uint8Array): number

  /** Returns the TLVs behind the last field. Bytes there that are no TLVs are `ERR_SV2_MESSAGE`. */
  tlvs(payload: Uint8Array): Tlv[]

  /** Returns a new payload. A value that its field cannot take is `ERR_OUT_OF_RANGE`, one of another type `ERR_INVALID_ARG_TYPE`. */
  encode(fields: EncodableFields<Fields>, tlvs?: readonly Tlv[]): Uint8Array

  /**
   * Writes a payload to the beginning of `target`, and returns its length in bytes. Everything is checked before anything is
   * written: errors are those of `encode`, and `ERR_OUT_OF_RANGE` if `target` is too short. Byte fields must not lie in `target`.
   */
  encodeInto(target: Uint8Array, fields: EncodableFields<Fields>, tlvs?: readonly Tlv[]): number

  /** Returns how many bytes the payload has, with the errors of `encode`. */
  byteLength(fields: EncodableFields<Fields>, tlvs?: readonly Tlv[]): number

  /** Reads one field where it lies. Numbers and booleans make no object. `ERR_SV2_MESSAGE` if the payload does not hold it. */
  readonly get: { readonly [F in keyof Fields]: (payload: Uint8Array) => Fields[F] }

  /** Reads a string as the bytes that it is: a view of the payload. */
  readonly raw: { readonly [F in TextField<Fields>]: (payload: Uint8Array) => Uint8Array }

  /** Overwrites a field of fixed size where it lies. Errors are those of `encode` and `get`. */
  readonly set: { readonly [F in Fixed]: (payload: Uint8Array, value: Fields[F]) => void }
}

/** What a message is called, and which frames carry it. */
type Header<Name extends string> = Pick<
  Message<Name, object>,
  'name' | 'specName' | 'protocol' | 'extensionType' | 'messageType' | 'channelMessage'
>

/** Code that is generated for a message. */
interface Codec<Fields extends object> {
  decode(payload: Uint8Array): Fields
  /** Checks all fields, returns their size, and writes them if there is a target, which needs room for `extra` bytes more. */
  pack(fields: EncodableFields<Fields>, into: Uint8Array | null, extra: number): number
  readonly get: Message<string, Fields>['get']
}

const made = /* @__PURE__ */ new WeakSet<object>()

/** Whether `value` is a message of this module, and not something that looks like one. */
export function isMessage(value: object): value is Message<string, object> {
  return made.has(value)
}

/** Makes a message of its header, the types of its fields in the order of the wire, and the code generated for it. */
export function message<Name extends string, Fields extends object, Fixed extends keyof Fields>(
  header: Header<Name>,
  types: Record<keyof Fields, FieldType>,
  { decode, pack, get }: Codec<Fields>,
): Message<Name, Fields, Fixed> {
  const { name, extensionType, messageType } = header
  const fields: MessageField[] = []
  const raw: Record<string, (payload: Uint8Array) => Uint8Array> = {}
  const set: Record<string, (payload: Uint8Array, value: never) => void> = {}
  const layout: Layout = { name, fields }
  for (const [field, type] of Object.entries<FieldType>(types)) {
    const index = fields.push({ name: field, type }) - 1
    if (type.size > 0) {
      const { check, put } = type as FixedType<unknown>
      set[field] = (payload, value) => {
        check(value, type.most, layout, index)
        const at = offsetOf(payload, layout, index)
        checkEnd(payload, at + type.size, layout)
        put(payload, at, value)
      }
    } else if (type.name[0] === 'S' && type.name[1] === 'T') {
      raw[field] = (payload) => bytes(payload, offsetOf(payload, layout, index), type, layout)
    }
  }
  const validate = (payload: Uint8Array): number => {
    const end = offsetOf(payload, layout, fields.length)
    checkEnd(payload, end, layout)
    return end
  }
  const encodeInto = (target: Uint8Array, values: EncodableFields<Fields>, tlvs?: readonly Tlv[]): number => {
    if (!isBytes(target)) throw malformed(target, layout)
    if (tlvs === undefined) return pack(values, target, 0)
    const checked = checkTlvs(tlvs, name)
    return putTlvs(target, pack(values, target, tlvsSize(checked)), checked)
  }
  const byteLength = (values: EncodableFields<Fields>, tlvs?: readonly Tlv[]): number => {
    const extra = tlvs === undefined ? 0 : tlvsSize(checkTlvs(tlvs, name))
    return pack(values, null, extra) + extra
  }
  const result: Message<Name, Fields, Fixed> = Object.freeze({
    ...header,
    fields,
    is: (frame: MessageType) => frame.messageType === messageType && (frame.extensionType & 0x7fff) === extensionType,
    decode,
    validate,
    tlvs: (payload: Uint8Array) => readTlvs(payload, validate(payload), name),
    encode: (values: EncodableFields<Fields>, tlvs?: readonly Tlv[]) => {
      const payload = new Uint8Array(byteLength(values, tlvs))
      const length = encodeInto(payload, values, tlvs)
      // Only fields that answer differently the second time have another length.
      return length === payload.length ? payload : payload.subarray(0, length)
    },
    encodeInto,
    byteLength,
    get,
    raw: raw as Message<Name, Fields>['raw'],
    set: set as Message<Name, Fields>['set'],
  })
  made.add(result)
  return result
}
