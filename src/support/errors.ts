/**
 * Codes of {@link FramePoolError}. A wrong type of argument is a `TypeError` with `ERR_INVALID_ARG_TYPE` instead, and a wrong value a
 * `RangeError` with `ERR_OUT_OF_RANGE`.
 */
export type ErrorCode =
  | 'ERR_RELEASED'
  | 'ERR_CLOSED'
  | 'ERR_BUSY'
  | 'ERR_MEMORY_LIMIT'
  | 'ERR_NO_MEMORY'
  | 'ERR_TIMEOUT'
  | 'ERR_WRITE_ZERO'
  | 'ERR_INVALID_COUNT'
  | 'ERR_TICKET'
  | 'ERR_EXTERNAL_MEMORY'
  | 'ERR_DLOPEN_FAILED'
  | 'ERR_INTERNAL'
  | 'ERR_INVALID_STATE'
  | 'ERR_FRAME_TOO_LARGE'
  | 'ERR_FRAME_LENGTH'
  | 'ERR_SV2_HANDSHAKE'
  | 'ERR_SV2_CERTIFICATE'
  | 'ERR_SV2_AEAD'
  | 'ERR_SV2_FRAME_TOO_LARGE'
  | 'ERR_SV2_STATE'
  | 'ERR_SV2_KEY'
  | 'ERR_SV2_MESSAGE'

/** An error of the operating system. It looks like Node's own: its `code` is the name of the error. */
export interface SystemError extends Error {
  /** Number of the error, negative. */
  errno: number
  /** Name of the error, for example `ENOSPC`. */
  code: string
  /** Name of the system call that failed. */
  syscall: string
  /** File descriptor that the call was about, if there was one. */
  fd?: number
  /** File that the call was about, if there was one. */
  path?: string
  /** Bytes that `pump` had written. Only errors of `pump` have it. */
  bytes?: bigint
}

/** Returns the error of a system call. `errno` is negative, as Node has it. */
export function systemError(message: string, syscall: string, errno: number, code: string): SystemError {
  return Object.assign(new Error(message), { errno, code, syscall })
}

/** An error of framepool that is neither a wrong type of argument nor a wrong value. */
export class FramePoolError extends Error {
  /** Code that names the case. */
  declare readonly code: ErrorCode
  /** Bytes that `pump` had written. Only errors of `pump` have it. */
  declare readonly bytes?: bigint

  /** Makes an error with `code`. */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }

  static {
    // As with Node's own errors, `name` is the class, and `code` tells the case.
    FramePoolError.prototype.name = 'FramePoolError'
  }
}

/** Returns a `TypeError` with the code `ERR_INVALID_ARG_TYPE`. */
export function invalidArgType(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' })
}

/** Returns a `RangeError` with the code `ERR_OUT_OF_RANGE`. */
export function outOfRange(message: string): RangeError {
  return Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' })
}

/** Returns a `RangeError` with the code `ERR_INVALID_ARG_VALUE`. */
export function invalidArgValue(message: string): RangeError {
  return Object.assign(new RangeError(message), { code: 'ERR_INVALID_ARG_VALUE' })
}

/** Returns the error for a code that native code gave. */
export function errorOf(code: string, message: string): Error {
  if (code === 'ERR_OUT_OF_RANGE') return outOfRange(message)
  if (code === 'ERR_INVALID_ARG_TYPE') return invalidArgType(message)
  if (code === 'ERR_INVALID_ARG_VALUE') return invalidArgValue(message)
  return new FramePoolError(code as ErrorCode, message)
}
