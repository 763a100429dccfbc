/** Type of a field: how its values lie on the wire. */
export interface FieldType {
  /** Name in the specification, for example `U32` or `SEQ0_255[U256]`. */
  readonly name: string
  /** Bytes that every value takes; 0 if a count in front of the value says. */
  readonly size: number
  /** Bytes of that count. */
  readonly prefix: number
  /** Largest count allowed; of a number, the largest value. */
  readonly most: number
  /** Bytes of each thing counted; 0 if each begins with a length of 3 bytes. */
  readonly unit: number
  /** Bytes that a value takes at most. */
  readonly longest: number
}

/** One field of a message. */
export interface MessageField {
  /** Name in the values that `decode` returns, for example `channelId`. */
  readonly name: string
  /** Type of the field. */
  readonly type: FieldType
}

/** What errors need to know of a message. */
export interface Layout {
  readonly name: string
  readonly fields: readonly MessageField[]
}
