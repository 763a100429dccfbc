/** Type of a field: how its values lie on the wire. */
export interface FieldType {
  /** Name in the specification, for example `U32` or `SEQ0_255[U256]`. */
  readonly name: string
  /** Kinds of values in JavaScript that `encode` takes; an `OPTION` may also be null. */
  readonly kind: 'boolean' | 'number' | 'bigint' | 'bytes' | 'string or bytes' | 'list'
  /** Size of every value in bytes, or 0 if a count before the value gives it. */
  readonly size: number
  /** Size of the count before the value in bytes, or 0 without a count. */
  readonly prefix: number
  /** Largest count allowed. */
  readonly most: number
  /** Type of each thing counted: U8 for bytes. Null if there is no count. */
  readonly of: FieldType | null
}

/** One field of a message. */
export interface MessageField {
  /** Name in the values that `decode` returns, for example `channelId`. */
  readonly name: string
  /** Type of the field. */
  readonly type: FieldType
}

/** Facts about a message that its errors tell. */
export interface Layout {
  readonly name: string
  readonly fields: readonly MessageField[]
}

/** A type with the functions that read and write its values. */
export interface Codec<T = unknown> extends FieldType {
  readonly of: Codec | null
  /** Reads the value that begins at `at`. The payload must hold it. */
  read(payload: Uint8Array, at: number, type: Codec): T
  /**
   * Writes a value to `at`, where there must be room for it, and returns where it ends. Without a target it writes nothing.
   * Returns NaN if the type cannot take the value. Runs no code of the value.
   */
  put(target: Uint8Array | null, at: number, value: T, type: Codec): number
}
