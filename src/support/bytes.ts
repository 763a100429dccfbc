/**
 * Uint8Arrays as they really are. A script may have given one another `length`, or other methods, which could run any code: no
 * function of this module calls them. The module imports nothing, so that it works in browsers, too.
 */
const {
  length: { get: length },
  byteOffset: { get: byteOffset },
  buffer: { get: buffer },
  [Symbol.toStringTag]: { get: kind },
} = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(Uint8Array.prototype)) as {
  readonly [name in 'length' | 'byteOffset' | 'buffer' | typeof Symbol.toStringTag]: { get(this: unknown): never }
}
const { set } = Uint8Array.prototype

/** Returns whether `value` is a Uint8Array, a `Buffer` or one of another realm included. */
export function isBytes(value: unknown): value is Uint8Array {
  return kind.call(value) === 'Uint8Array'
}

/** Returns the true length of `bytes`, in bytes. */
export function lengthOf(bytes: Uint8Array): number {
  return length.call(bytes)
}

/** Returns where in its buffer `bytes` really begins, in bytes. */
export function offsetOf(bytes: Uint8Array): number {
  return byteOffset.call(bytes)
}

/** Returns the buffer that `bytes` really lies in. */
export function bufferOf(bytes: Uint8Array): ArrayBufferLike {
  return buffer.call(bytes)
}

/** Returns a view of `count` of the bytes from `start`. */
export function partOf(bytes: Uint8Array, start: number, count: number): Uint8Array {
  return new Uint8Array(buffer.call(bytes), byteOffset.call(bytes) + start, count)
}

/** Copies `source` to `at` in `target`. */
export function copyInto(target: Uint8Array, source: Uint8Array, at: number): void {
  // A view of detached memory is empty, and cannot be copied.
  if (lengthOf(source) > 0) set.call(target, source, at)
}

/** Returns a copy of `bytes` in memory of its own. */
export function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(length.call(bytes))
  copyInto(copy, bytes, 0)
  return copy
}
