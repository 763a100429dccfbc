import { types } from 'node:util'
import { isAborted } from './abort.js'
import { bufferOf, copyOf, lengthOf, partOf } from './bytes.js'
import { invalidArgType, outOfRange } from './errors.js'

export { bufferOf, copyInto, copyOf, lengthOf, offsetOf, partOf } from './bytes.js'

/** The largest size, offset or length: 2^32 − 1 bytes. */
export const MAX_BYTES = 0xffff_ffff

/** Returns `value` if it is a whole number from `min` to `max`. Throws `ERR_INVALID_ARG_TYPE` or `ERR_OUT_OF_RANGE` otherwise. */
export function integerArgument(value: unknown, name: string, min: number, max: number): number {
  if (typeof value !== 'number') throw invalidArgType(`${name} must be a number, not ${kindOf(value)}`)
  if (!Number.isInteger(value) || value < min || value > max) {
    throw outOfRange(`${name} must be a whole number from ${min} to ${max}, not ${value}`)
  }
  return value
}

/**
 * Returns `value` if it is a Uint8Array, a `Buffer` or one of another realm included. Throws `ERR_INVALID_ARG_TYPE` otherwise.
 */
export function bytesArgument(value: unknown, name: string): Uint8Array {
  if (!types.isUint8Array(value)) throw invalidArgType(`${name} must be a Uint8Array, not ${kindOf(value)}`)
  return value
}

/**
 * Returns `value` as bytes that native code can read: it copies shared memory, which another thread could change meanwhile. Throws
 * `ERR_INVALID_ARG_TYPE` if `value` is not a Uint8Array.
 */
export function nativeBytesArgument(value: unknown, name: string): Uint8Array {
  const bytes = bytesArgument(value, name)
  return types.isSharedArrayBuffer(bufferOf(bytes)) ? copyOf(bytes) : bytes
}

const { fill } = Uint8Array.prototype

/** Clears `bytes`. Calls no method that it may have of its own. */
export function clear(bytes: Uint8Array): void {
  fill.call(bytes, 0)
}

const NOTHING = new Uint8Array(0)

/** Returns the first `count` bytes, and never more: another thread can lengthen an array over growable shared memory. */
export function firstOf(bytes: Uint8Array, count: number): Uint8Array {
  // No view can be made of memory that is detached.
  if (count === 0) return NOTHING
  return count === lengthOf(bytes) && bufferOf(bytes) instanceof ArrayBuffer ? bytes : partOf(bytes, 0, count)
}

/** Returns `value` if it is a string. Throws `ERR_INVALID_ARG_TYPE` otherwise, without repeating the value, which may be a secret. */
export function stringArgument(value: unknown, name: string): string {
  if (typeof value !== 'string') throw invalidArgType(`${name} must be a string, not ${kindOf(value)}`)
  return value
}

/** Returns `value` if it is a boolean. Throws `ERR_INVALID_ARG_TYPE` otherwise. */
export function booleanArgument(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw invalidArgType(`${name} must be a boolean, not ${kindOf(value)}`)
  return value
}

/** Throws `ERR_INVALID_ARG_TYPE` unless `value` is undefined or an `AbortSignal`. */
export function signalArgument(value: unknown): void {
  if (value === undefined) return
  try {
    // The prototype says nothing, and a Proxy answers to everything.
    if (!types.isProxy(value) && typeof isAborted(value as AbortSignal) === 'boolean') return
  } catch {
    // Only a real signal has an answer.
  }
  throw invalidArgType(`signal must be an AbortSignal, not ${kindOf(value)}`)
}

/** Returns `value` if it is an object. Throws `ERR_INVALID_ARG_TYPE` otherwise. */
export function objectArgument<T>(value: T, name: string): T {
  if (typeof value !== 'object' || value === null) refuse(value, name)
  return value
}

function refuse(value: unknown, name: string): never {
  throw invalidArgType(`${name} must be an object, not ${kindOf(value)}`)
}

/** Returns `value` if it is an object, and no options if it is undefined. Throws `ERR_INVALID_ARG_TYPE` otherwise. */
export function optionsArgument<T extends object>(value: T | undefined, name: string): Partial<T> {
  return value === undefined ? {} : objectArgument(value, name)
}

/** Returns what kind of value `value` is, for messages. It runs no code of the value. */
function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value !== 'object') return typeof value
  if (types.isProxy(value)) return 'a Proxy'
  const maker: unknown = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(value) ?? {}, 'constructor')?.value
  const name = typeof maker === 'function' && Object.getOwnPropertyDescriptor(maker, 'name')?.value
  return typeof name === 'string' ? name : 'an object'
}

/** Returns `value` if it is a function. Throws `ERR_INVALID_ARG_TYPE` otherwise. */
export function functionArgument<T>(value: T, name: string): T {
  if (typeof value !== 'function') throw invalidArgType(`${name} must be a function, not ${kindOf(value)}`)
  return value
}

/**
 * Returns the place that `index` names in a list of `length` items, as `Array.prototype.at()` reads it: from the end if it is negative.
 * Returns -1 if there is none. Throws `ERR_INVALID_ARG_TYPE` if `index` is not a number.
 */
export function placeArgument(index: number, length: number): number {
  if (typeof index !== 'number') throw invalidArgType(`index must be a number, not ${typeof index}`)
  const whole = Math.trunc(index) || 0
  const place = whole < 0 ? length + whole : whole
  return place >= 0 && place < length ? place : -1
}
