import { types } from 'node:util'
import { setImmediate } from './timers.js'

/** The longest text that is taken of what was thrown, in characters. */
const MAX_TEXT = 1000

/** Calls code of the user. What it throws becomes an uncaught exception on a later turn, and interrupts nothing. */
export function callSafely(call: () => void): void {
  try {
    call()
  } catch (thrown) {
    setImmediate(() => {
      throw thrown
    })
  }
}

/** What was thrown, or an event gave as an error: anything can be. */
export interface Failure {
  readonly error: unknown
}

/** `thrown` as an error: what is none is its `cause`. */
export function errorOfThrown(thrown: unknown): Error {
  const isError = types.isNativeError(thrown) || (!types.isProxy(thrown) && thrown instanceof Error)
  return isError ? thrown : new Error(`${thrownText(thrown)} was thrown`, { cause: thrown })
}

/** What was thrown, or given as an error, on one line: it may be anything, and answer with code that throws. */
export function thrownText(thrown: unknown): string {
  try {
    return oneLine(textOf(thrown))
  } catch {
    return 'a value that cannot be shown'
  }
}

/** The error for what `source`, code of the user, has thrown. */
export function threw(source: string, thrown: unknown): Error {
  return new Error(`${source} threw ${thrownText(thrown)}`, { cause: thrown })
}

function textOf(thrown: unknown): string {
  if (typeof thrown === 'string') return JSON.stringify(thrown)
  if (typeof thrown === 'function') return 'a function'
  if (typeof thrown !== 'object' || thrown === null) return String(thrown)
  const { name, message, errors } = thrown as { name?: unknown; message?: unknown; errors?: unknown }
  if (typeof message !== 'string' && !types.isNativeError(thrown)) return 'an object'
  const text = [messageText(message, errors)].filter((part) => part !== '')
  if (typeof name === 'string' && name !== '') text.unshift(name)
  return text.join(': ')
}

/** The message of an error on one line. An `AggregateError` has one for each address that was tried, and often no other. */
export function errorText(error: unknown): string {
  try {
    const { message, errors, code } = error as { message?: unknown; errors?: unknown; code?: unknown }
    const text = messageText(message, errors) || (typeof code === 'string' ? code : '')
    return text === '' ? thrownText(error) : oneLine(text)
  } catch {
    return thrownText(error)
  }
}

function messageText(message: unknown, errors: unknown): string {
  const own = typeof message === 'string' ? message : ''
  if (!Array.isArray(errors)) return own
  const each = [...new Set(errors.map(errorText))].join('; ')
  return own === '' ? each : `${own} (${each})`
}

function oneLine(text: string): string {
  const line = text.slice(0, MAX_TEXT).replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
  return text.length > MAX_TEXT ? `${line}…` : line
}
