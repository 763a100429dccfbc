import { inspect, types } from 'node:util'
import { setImmediate } from './timers.js'

/** Calls user code from where nothing may be thrown. What it throws is an uncaught exception, on a later turn. */
export function callSafely(call: () => void): void {
  try {
    call()
  } catch (error) {
    setImmediate(() => {
      throw error
    })
  }
}

/** What was thrown, or an event gave as an error: anything can be. */
export interface Failure {
  readonly error: unknown
}

/** `thrown` as an error: what is none is its `cause`. */
export function errorOfThrown(thrown: unknown): Error {
  return isError(thrown) ? thrown : new Error(`${describe(thrown)} was thrown`, { cause: thrown })
}

/** Says in a few words what was thrown. Runs no code of it, which could throw again. */
export function describe(thrown: unknown): string {
  if (!isError(thrown))
    return inspect(thrown, { depth: 0, breakLength: Number.POSITIVE_INFINITY, customInspect: false })
  const message = textOf(thrown, 'message')
  if (message !== undefined && message !== '') return message
  // Of several addresses none could be connected to: each has its own reason.
  const errors: unknown = Object.getOwnPropertyDescriptor(thrown, 'errors')?.value
  if (Array.isArray(errors) && errors.length > 0) return errors.map(describe).join('; ')
  return textOf(thrown, 'code') ?? 'an error without a message'
}

function isError(value: unknown): value is Error {
  return types.isNativeError(value) || (!types.isProxy(value) && value instanceof Error)
}

function textOf(error: Error, name: 'message' | 'code'): string | undefined {
  const value: unknown = Object.getOwnPropertyDescriptor(error, name)?.value
  return typeof value === 'string' ? value : undefined
}
