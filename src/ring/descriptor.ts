import { integerArgument } from '../support/arguments.js'
import { FramePoolError } from '../support/errors.js'

/** libuv's number for ENOTSUP on Windows, where the system itself has none. */
const WINDOWS_ENOTSUP = -4049

/** Returns `value` as a file descriptor, or throws the documented error. */
export function descriptorArgument(value: unknown, name: string, syscall: string): number {
  const fd = integerArgument(value, name, 0, 0x7fff_ffff)
  if (process.platform === 'win32') {
    throw new FramePoolError('ERR_SYSTEM', 'framepool does no I/O on file descriptors on Windows', {
      info: { code: 'ENOTSUP', errno: WINDOWS_ENOTSUP, syscall },
    })
  }
  return fd
}
