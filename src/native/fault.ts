import { errorOf } from '../support/errors.js'
import { systemErrorOf } from '../support/system-error.js'

/** Facts of a call that failed. */
export type Fault = import('./binding.cjs').FaultDetails

/** Makes the error of a call that failed. That may run a script, which could make other calls. */
export function failureOf({ code, message, syscall, errno, path }: Fault): Error {
  if (syscall === undefined) return errorOf(code, message)
  const error = systemErrorOf(message, syscall, errno ?? 0)
  return path === undefined ? error : Object.assign(error, { path })
}
