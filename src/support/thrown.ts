import { types } from 'node:util'
import { setImmediate } from './timers.js'

/** Most characters of a thrown value that are shown. */
const MAX_TEXT = 1000

/** Most errors of an `AggregateError` that are shown. */
const MAX_ERRORS = 8

/** Calls user code. An exception becomes an uncaught exception on a later turn, and interrupts nothing here. */
export function callSafely(call: () => void): void {
  try {
    call()
  } catch (thrown) {
    setImmediate(() => {
      throw thrown
    })
  }
}

/** Returns whether `value` is a promise, or can be awaited as one. A Proxy is neither, because it can claim to have any method. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return false
  return types.isPromise(value) || typeof (value as { then?: unknown }).then === 'function'
}

/** Holds what was thrown, or what an event gave as its error. Either can be anything. */
export interface Failure {
  readonly error: unknown
}

/** Returns `thrown` if it is an error, and otherwise an error whose `cause` it is. */
export function errorOfThrown(thrown: unknown): Error {
  const isError = types.isNativeError(thrown) || (!types.isProxy(thrown) && thrown instanceof Error)
  return isError ? thrown : new Error(`${thrownText(thrown)} was thrown`, { cause: thrown })
}

/** Describes on one line what was thrown, or given as an error. That may be anything, and run code that throws. */
export function thrownText(thrown: unknown): string {
  return safely(() => textOf(thrown))
}

/** Returns the error for what `source`, code of the user, has thrown. */
export function threw(source: string, thrown: unknown): Error {
  return new Error(`${source} threw ${thrownText(thrown)}`, { cause: thrown })
}

/**
 * Returns the message of an error on one line. An `AggregateError` often has no message of its own, but one for each address that
 * was tried.
 */
export function errorText(error: unknown): string {
  return safely(() => {
    if (typeof error !== 'object' || error === null) return textOf(error)
    const { message, errors, code } = error as { message?: unknown; errors?: unknown; code?: unknown }
    return messageText(message, errors) || (typeof code === 'string' ? code : '') || textOf(error)
  })
}

function textOf(thrown: unknown): string {
  if (typeof thrown === 'string') return JSON.stringify(thrown.slice(0, MAX_TEXT))
  if (typeof thrown === 'function') return 'a function'
  if (typeof thrown !== 'object' || thrown === null) return String(thrown)
  const { name, message, errors } = thrown as { name?: unknown; message?: unknown; errors?: unknown }
  if (typeof message !== 'string' && !types.isNativeError(thrown)) return 'an object'
  const text = [messageText(message, errors)].filter((part) => part !== '')
  if (typeof name === 'string' && name !== '') text.unshift(name)
  return text.join(': ')
}

function messageText(message: unknown, errors: unknown): string {
  const own = typeof message === 'string' ? message : ''
  if (!Array.isArray(errors)) return own
  // At most MAX_ERRORS are told, without the errors of each: a list can be long, and can contain itself.
  const each = [...new Set(errors.slice(0, MAX_ERRORS).map(memberText))].join('; ')
  const all = errors.length > MAX_ERRORS ? `${each}; …` : each
  return own === '' ? all : `${own} (${all})`
}

function memberText(error: unknown): string {
  return safely(() => {
    if (typeof error !== 'object' || error === null) return textOf(error)
    const { message, code } = error as { message?: unknown; code?: unknown }
    if (typeof message === 'string' && message !== '') return message
    return typeof code === 'string' ? code : String(error)
  })
}

/** Returns on one line the text that `describe` makes, which may run code that throws. */
function safely(describe: () => string): string {
  try {
    const text = describe()
    const line = text.slice(0, MAX_TEXT).replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    return text.length > MAX_TEXT ? `${line}…` : line
  } catch {
    return 'a value that cannot be shown'
  }
}
