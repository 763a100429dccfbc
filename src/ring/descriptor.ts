import { integerArgument } from '../support/arguments.js'
import { systemError } from '../support/errors.js'

/** libuv's number for ENOTSUP on Windows, where the system itself has none. */
const WINDOWS_ENOTSUP = -4049

/** Returns `value` as a file descriptor, or throws the documented error. */
export function descriptorArgument(value: unknown, name: string, syscall: string): number {
  const fd = integerArgument(value, name, 0, 0x7fff_ffff)
  if (process.platform === 'win32') {
    const message = 'framepool does no I/O on file descriptors on Windows'
    throw Object.assign(systemError(message, syscall, WINDOWS_ENOTSUP, 'ENOTSUP'), { fd })
  }
  return fd
}
