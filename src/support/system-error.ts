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

/** Runs `call`. An error of the system says then that it was about `about`. */
export function noting<T>(about: { fd?: number; path?: string }, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw noted(error, about)
  }
}

/** Returns `error`, which says that it was about `about` if it is an error of the system. */
export function noted(error: unknown, about: { fd?: number; path?: string }): unknown {
  return isSystemError(error) ? Object.assign(error, about) : error
}
