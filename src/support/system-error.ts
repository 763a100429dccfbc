import { getSystemErrorName } from 'node:util'
import { type SystemError, systemError } from './errors.js'

/** Returns the error of a system call. `errno` is as the system has it: a positive number, or 0 if there is none. */
export function systemErrorOf(message: string, syscall: string, errno: number): SystemError {
  return systemError(message, syscall, -errno, errno === 0 ? 'UNKNOWN' : getSystemErrorName(-errno))
}

/** Returns whether `error` is the error of a system call. */
export function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && 'syscall' in error
}

/** Runs `call`, and adds the properties of `about` to a system error that it throws. */
export function noting<T>(about: { fd?: number; path?: string }, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw noted(error, about)
  }
}

/** Returns `error`. Adds the properties of `about` to it if it is a system error. */
export function noted(error: unknown, about: { fd?: number; path?: string }): unknown {
  return isSystemError(error) ? Object.assign(error, about) : error
}
