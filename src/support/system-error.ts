import { getSystemErrorName } from 'node:util'
import type { SystemErrorInfo } from './errors.js'

/** `errno` as the system has it: a positive number. Node's `errno`s are negative. */
export function systemErrorInfo(syscall: string, errno: number): SystemErrorInfo {
  return { code: getSystemErrorName(-errno), errno: -errno, syscall }
}
