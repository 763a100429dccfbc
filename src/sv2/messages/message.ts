import { freeze } from './field-type.js'
import { keyOf, type MessageType } from './frame-type.js'
import type { Codec, FieldType, Layout, MessageField } from './layout.js'
import { bytes, check, checkBytes, u32, u32At, upTo } from './read.js'
import { readTlvs, type Tlv } from './tlv.js'
import { setU32At, UNFIT, unfit } from './write.js'

export type { MessageType } from './frame-type.js'

/** Part of the specification that a message belongs to. */
export type Protocol = 'common' | 'mining' | 'job-declaration' | 'template-distribution' | 'extensions'

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

/** Fields as `encode` takes them: strings may also be bytes. */
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
  /** Channel bit as today's specification has it. Older peers send others, so nothing here looks at that of a received frame. */
  readonly channelMessage: boolean
  /** Fields with their types, in the order of the wire. */
  readonly fields: readonly MessageField[]

  /** Returns true if a frame carries this message, by extension and type alone. */
  is(frame: MessageType): boolean

  /**
   * Returns all fields. Bytes are views of `payload`, one for each element of a list, valid as long as it is; bytes of a string that are not UTF-8 become
   * U+FFFD. A payload that is too short, or has a count beyond what its field allows, is `ERR_SV2_MESSAGE`. Bytes behind the
   * last field are allowed: see `tlvs`.
   */
  decode(payload: Uint8Array): Fields

  /** Checks all lengths and counts without making anything. Returns the end of the last field in bytes. Throws `ERR_SV2_MESSAGE` as `decode` does. */
  validate(payload: Uint8Array): number

  /** Returns the TLVs behind the last field, with an object and a view for each. Bytes there that are no TLVs are `ERR_SV2_MESSAGE`. */
  tlvs(payload: Uint8Array): Tlv[]

  /** Returns a new payload. A value that its field cannot take is `ERR_OUT_OF_RANGE`, one of another type `ERR_INVALID_ARG_TYPE`. */
  encode(fields: EncodableFields<Fields>, tlvs?: readonly Tlv[]): Uint8Array

  /**
   * Writes a payload to the beginning of `target`, and returns its length in bytes. Everything is checked before anything is
   * written: errors are those of `encode`, and `ERR_OUT_OF_RANGE` if `target` is too short. Byte fields must not lie in `target`.
   */
  encodeInto(target: Uint8Array, fields: EncodableFields<Fields>, tlvs?: readonly Tlv[]): number

  /** Returns the length of the payload in bytes. Throws the errors of `encode`. */
  byteLength(fields: EncodableFields<Fields>, tlvs?: readonly Tlv[]): number

  /** Reads one field where it lies. Numbers and booleans make no object; a list makes an array, with a view for each element of bytes. `ERR_SV2_MESSAGE` if the payload does not hold it. */
  readonly get: { readonly [F in keyof Fields]: (payload: Uint8Array) => Fields[F] }

  /** Reads a string as the bytes that it is: a view of the payload. */
  readonly raw: { readonly [F in TextField<Fields>]: (payload: Uint8Array) => Uint8Array }

  /** Overwrites a field of fixed size where it lies. Errors are those of `encode` and `get`. */
  readonly set: { readonly [F in Fixed]: (payload: Uint8Array, value: Fields[F]) => void }
}

/** The names of a message, and the type of the frames that carry it. */
type Header<Name extends string> = Pick<
  Message<Name, object>,
  'name' | 'protocol' | 'extensionType' | 'messageType' | 'channelMessage'
> & {
  /** Name in the specification, unless it is the name of the export. */
  readonly specName?: string
}

/** Array that a payload is written into. Null asks how long it would be; without one a new array is made. */
export type Target = Uint8Array | null | undefined

/** The two functions that some messages have generated code for. The others go by the table of their fields: `byTable`. */
export type Code<Fields extends object> = readonly [
  decode: (payload: Uint8Array) => Fields,
  /** Checks all fields and TLVs, and writes them. Returns the array that it has made, or else the length of the payload. */
  pack: (
    given: EncodableFields<Fields> | undefined | null,
    tlvs: readonly Tlv[] | undefined,
    target?: Target,
  ) => Uint8Array | number,
]

const made = /* @__PURE__ */ new WeakSet<object>()

/** Returns true if this module has made `value`; other objects may only look like messages. */
export function isMessage(value: object): value is Message<string, object> {
  return made.has(value)
}

/** Makes a message of its header, and the types of its fields in the order of the wire. */
export function message<Name extends string, Fields extends object, Fixed extends keyof Fields>(
  header: Header<Name>,
  types: Record<keyof NoInfer<Fields>, FieldType>,
  code: (layout: Layout) => Code<NoInfer<Fields>>,
): Message<Name, Fields, Fixed> {
  const { name } = header
  const fields: MessageField[] = []
  const layout: Layout = { name, fields }
  const get: Record<string, (payload: Uint8Array) => unknown> = {}
  const raw: Record<string, (payload: Uint8Array) => Uint8Array> = {}
  const set: Record<string, (payload: Uint8Array, value: unknown) => void> = {}
  /** Offset of the next field; NaN behind one of variable length. */
  let offset = 0
  for (const [field, type] of Object.entries(types) as [string, Codec][]) {
    const count = fields.push(freeze({ name: field, type }))
    const start = offset
    const end = start + type.size
    offset = type.size > 0 ? end : UNFIT
    /** Returns where the field begins. Throws unless the payload holds it. */
    const find = (payload: Uint8Array): number => {
      if (end > start) {
        check(payload, end, layout)
        return start
      }
      upTo(payload, layout, null, count)
      return upTo(payload, layout, null, count - 1)
    }
    // Most fields that are read and rewritten often are U32s at one place.
    const simple = type.read === u32 && end > start
    get[field] = simple ? u32At(start, layout) : (payload) => type.read(payload, find(payload), type)
    if (type.kind === 'string or bytes') raw[field] = (payload) => bytes(payload, find(payload), type)
    if (type.size > 0) {
      const put = (payload: Uint8Array, value: unknown): void => {
        if (!(type.put(payload, find(payload), value, type) >= 0)) throw unfit(`${name}.${field}`, type, value)
      }
      set[field] = simple ? setU32At(start, layout, put) : put
    }
  }
  const [decode, pack] = code(layout)
  const key = keyOf(header)
  const result = freeze({
    specName: name,
    ...header,
    fields: freeze(fields),
    is: (frame: MessageType) => keyOf(frame) === key,
    decode,
    validate: (payload: Uint8Array) => upTo(payload, layout),
    tlvs: (payload: Uint8Array) => readTlvs(payload, upTo(payload, layout), name),
    encode: (values: EncodableFields<Fields>, tlvs?: readonly Tlv[]) => pack(values, tlvs),
    encodeInto: (target: Uint8Array, values: EncodableFields<Fields>, tlvs?: readonly Tlv[]) => {
      checkBytes(target, layout)
      return pack(values, tlvs, target)
    },
    byteLength: (values: EncodableFields<Fields>, tlvs?: readonly Tlv[]) => pack(values, tlvs, null),
    get: freeze(get),
    raw: freeze(raw),
    set: freeze(set),
  }) as unknown as Message<Name, Fields, Fixed>
  made.add(result)
  return result
}
