import { types } from 'node:util'
import { isAborted } from './abort.js'
import { invalidArgType, outOfRange } from './errors.js'

/** The largest size, offset or length: 2^32 − 1 bytes. */
export const MAX_BYTES = 0xffff_ffff

/** `value` as a whole number from `min` to `max`, or the documented error. */
export function integerArgument(value: unknown, name: string, min: number, max: number): number {
  if (typeof value !== 'number') throw invalidArgType(`${name} must be a number, not ${kindOf(value)}`)
  if (!Number.isInteger(value) || value < min || value > max) {
    throw outOfRange(`${name} must be a whole number from ${min} to ${max}, not ${value}`)
  }
  return value
}

/** `value` as bytes, or the documented error. Any Uint8Array will do, Buffers and those of other realms included. */
export function bytesArgument(value: unknown, name: string): Uint8Array {
  if (!types.isUint8Array(value)) throw invalidArgType(`${name} must be a Uint8Array, not ${kindOf(value)}`)
  return value
}

/** The same for bytes that native code will read: shared memory can change underfoot, so it is copied first. */
export function nativeBytesArgument(value: unknown, name: string): Uint8Array {
  const bytes = bytesArgument(value, name)
  return types.isSharedArrayBuffer(bufferOf(bytes)) ? new Uint8Array(bytes) : bytes
}

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object
const intrinsic = (name: 'length' | 'byteOffset' | 'buffer') => Object.getOwnPropertyDescriptor(typedArray, name)!.get!
const [length, byteOffset, buffer] = [intrinsic('length'), intrinsic('byteOffset'), intrinsic('buffer')]

/** How many bytes `bytes` really has: an array may claim another `length`, and answer with code that does anything. */
export function lengthOf(bytes: Uint8Array): number {
  return length.call(bytes)
}

/** Where in its buffer it really begins. */
export function offsetOf(bytes: Uint8Array): number {
  return byteOffset.call(bytes)
}

/** What it really lies in. */
export function bufferOf(bytes: Uint8Array): ArrayBufferLike {
  return buffer.call(bytes)
}

const { fill, set } = Uint8Array.prototype

/** Copies `source` to `at` in `target`. Neither is asked for methods of its own. */
export function copyInto(target: Uint8Array, source: Uint8Array, at: number): void {
  set.call(target, source, at)
}

/** Clears it, without a method of its own. */
export function clear(bytes: Uint8Array): void {
  fill.call(bytes, 0)
}

/** Whether its memory was taken from under a view that had bytes. An element is read, which no script can replace. */
export function isDetached(view: Uint8Array): boolean {
  return view[0] === undefined
}

/** A view of `count` of its bytes from `start`, by which nothing of what an array may override is called. */
export function partOf(bytes: Uint8Array, start: number, count: number): Uint8Array {
  return new Uint8Array(bufferOf(bytes), offsetOf(bytes) + start, count)
}

/** Its first `count` bytes, and never more: another thread can lengthen an array over growable shared memory. */
export function firstOf(bytes: Uint8Array, count: number): Uint8Array {
  return count === lengthOf(bytes) && bufferOf(bytes) instanceof ArrayBuffer ? bytes : partOf(bytes, 0, count)
}

/** `value` as a string, or the documented error, which never repeats the value: it may be a secret. */
export function stringArgument(value: unknown, name: string): string {
  if (typeof value !== 'string') throw invalidArgType(`${name} must be a string, not ${kindOf(value)}`)
  return value
}

/** `value` as a boolean, or the documented error. */
export function booleanArgument(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw invalidArgType(`${name} must be a boolean, not ${kindOf(value)}`)
  return value
}

/** `value` as a signal, if there is one, or the documented error. */
export function signalArgument(value: unknown): void {
  if (value === undefined) return
  try {
    // Its prototype alone would not do, and a Proxy answers to everything.
    if (!types.isProxy(value) && typeof isAborted(value as AbortSignal) === 'boolean') return
  } catch {
    // Only a real one has an answer.
  }
  throw invalidArgType(`signal must be an AbortSignal, not ${kindOf(value)}`)
}

/** `value` as an object, or the documented error. */
export function objectArgument<T>(value: T, name: string): T {
  if (typeof value !== 'object' || value === null)
    throw invalidArgType(`${name} must be an object, not ${kindOf(value)}`)
  return value
}

/** `value` as an options object; undefined stands for no options. */
export function optionsArgument<T extends object>(value: T | undefined, name: string): Partial<T> {
  return value === undefined ? {} : objectArgument(value, name)
}

/** For messages. It runs no code of the value, which would come where an error is on its way. */
function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value !== 'object') return typeof value
  if (types.isProxy(value)) return 'a Proxy'
  const maker: unknown = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(value) ?? {}, 'constructor')?.value
  const name = typeof maker === 'function' && Object.getOwnPropertyDescriptor(maker, 'name')?.value
  return typeof name === 'string' ? name : 'an object'
}

/** `value` as a function, or the documented error. */
export function functionArgument<T>(value: T, name: string): T {
  if (typeof value !== 'function') throw invalidArgType(`${name} must be a function, not ${kindOf(value)}`)
  return value
}
