/**
 * The layout of a field of an Sv2 message on the wire, as in binary_sv2 7.0.0. All numbers are little-endian. `write` needs room for
 * `size` bytes. Values out of range throw a RangeError, and malformed bytes an Error.
 */
export interface Field<T> {
  size(value: T): number
  write(value: T, target: Buffer, offset: number): void
  read(reader: Reader): T
}

/** Reads received bytes step by step. It trusts no length that they state: every step is checked against what is there. */
export class Reader {
  readonly bytes: Buffer
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get left(): number {
    return this.bytes.length - this.#offset
  }

  /** Steps over `length` bytes. Returns the offset at which they begin. */
  step(length: number): number {
    if (length > this.left) throw new Error(`${length} bytes wanted at offset ${this.#offset}, ${this.left} left`)
    const start = this.#offset
    this.#offset += length
    return start
  }

  /** Returns a copy of the next `length` bytes: the next `receive()` overwrites what was received. */
  copy(length: number): Uint8Array {
    const start = this.step(length)
    return new Uint8Array(this.bytes.subarray(start, start + length))
  }
}

function unsigned(size: 1 | 2 | 4): Field<number> {
  return {
    size: () => size,
    write: (value, target, offset) => void target.writeUIntLE(value, offset, size),
    read: (reader) => reader.bytes.readUIntLE(reader.step(size), size),
  }
}

/** U8. */
export const u8 = unsigned(1)
/** U16. */
export const u16 = unsigned(2)
/** U32. */
export const u32 = unsigned(4)

/** U64. */
export const u64: Field<bigint> = {
  size: () => 8,
  write: (value, target, offset) => void target.writeBigUInt64LE(value, offset),
  read: (reader) => reader.bytes.readBigUInt64LE(reader.step(8)),
}

/** F32. */
export const f32: Field<number> = {
  size: () => 4,
  write: (value, target, offset) => void target.writeFloatLE(value, offset),
  read: (reader) => reader.bytes.readFloatLE(reader.step(4)),
}

/** U256: 32 bytes, the least significant first. */
export const u256: Field<Uint8Array> = {
  size: (value) => {
    if (value.length !== 32) throw new RangeError(`32 bytes wanted, ${value.length} given`)
    return 32
  },
  write: (value, target, offset) => target.set(value, offset),
  read: (reader) => reader.copy(32),
}

function shortBytes(maximum: number): Field<Uint8Array> {
  return {
    size: (value) => {
      if (value.length > maximum) throw new RangeError(`at most ${maximum} bytes wanted, ${value.length} given`)
      return 1 + value.length
    },
    write: (value, target, offset) => {
      target[offset] = value.length
      target.set(value, offset + 1)
    },
    read: (reader) => {
      const length = u8.read(reader)
      if (length > maximum) throw new Error(`a length of ${length} where at most ${maximum} is allowed`)
      return reader.copy(length)
    },
  }
}

/** B0_32: a length byte, then 0 to 32 bytes. */
export const b032 = shortBytes(32)

const b0255 = shortBytes(255)
// `ignoreBOM` keeps a leading U+FEFF, so that a decoded string encodes to the same bytes again.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** STR0_255: a length byte, then 0 to 255 bytes of UTF-8. */
export const str0255: Field<string> = {
  size: (value) => b0255.size(Buffer.from(value)),
  write: (value, target, offset) => b0255.write(Buffer.from(value), target, offset),
  read: (reader) => {
    const bytes = b0255.read(reader)
    try {
      return utf8.decode(bytes)
    } catch {
      throw new Error('not UTF-8')
    }
  },
}

/** OPTION[U32]: a byte 0, or a byte 1 and the value. */
export const optionU32: Field<number | null> = {
  size: (value) => (value === null ? 1 : 5),
  write: (value, target, offset) => {
    target[offset] = value === null ? 0 : 1
    if (value !== null) u32.write(value, target, offset + 1)
  },
  read: (reader) => {
    const count = u8.read(reader)
    if (count > 1) throw new Error(`an option of ${count} values`)
    return count === 0 ? null : u32.read(reader)
  },
}
