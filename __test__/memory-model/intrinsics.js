// Typed array operations for the model. They are taken before anything is replaced, and ignore an array's own
// properties. The model does not use Node Buffers, because Node believes replaced getters.
const { apply } = Reflect
const prototype = Object.getPrototypeOf(Uint8Array.prototype)
const getter = (object, name) => Object.getOwnPropertyDescriptor(object, name).get
const [length, byteOffset, buffer] = ['length', 'byteOffset', 'buffer'].map((name) => getter(prototype, name))
const byteLength = getter(ArrayBuffer.prototype, 'byteLength')
const { fill, set } = prototype
const { or } = Atomics
const { compare } = Buffer
const Bytes = Uint8Array

export const lengthOf = (view) => apply(length, view, [])
export const bufferOf = (view) => apply(buffer, view, [])
export const sizeOf = (arrayBuffer) => apply(byteLength, arrayBuffer, [])

/** Returns a view of bytes of `view` without own properties. It is empty if the memory is detached. */
export function part(view, from = 0, to = lengthOf(view)) {
  const end = Math.min(to, lengthOf(view))
  return end <= from ? new Bytes(0) : new Bytes(bufferOf(view), apply(byteOffset, view, []) + from, end - from)
}

/** Returns a copy that no other code can reach. */
export function copied(view) {
  return new Bytes(part(view))
}

/** Returns `length` bytes, all equal to `byte`. */
export function bytesOf(count, byte) {
  const bytes = new Bytes(count)
  filled(bytes, byte, 0, count)
  return bytes
}

export function joined(parts) {
  const all = new Bytes(parts.reduce((count, bytes) => count + lengthOf(bytes), 0))
  let at = 0
  for (const bytes of parts) {
    if (lengthOf(bytes) > 0) apply(set, all, [bytes, at])
    at += lengthOf(bytes)
  }
  return all
}

/** Writes to the view. A view that has been detached is empty. */
export function filled(view, byte, from, to) {
  if (from < Math.min(to, lengthOf(view))) apply(fill, view, [byte, from, to])
}

export function same(a, b) {
  return compare(part(a), part(b)) === 0
}

/** Describes how two arrays differ. */
export function difference(actual, expected) {
  const [a, b] = [part(actual), part(expected)]
  const at = a.findIndex((byte, index) => byte !== b[index])
  return `${lengthOf(a)} and ${lengthOf(b)} B; at ${at}: ${a[at]}, not ${b[at]}`
}

/** Reads the byte and writes it back atomically, so that concurrent writes are not lost. */
export function touch(view, index) {
  or(view, index, 0)
}
