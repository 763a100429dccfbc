import { booleanArgument, optionsArgument } from './arguments.js'

/** Options of an allocation. */
export interface AllocateOptions {
  /** Whether the memory is cleared. Default false: it holds old data, as with `Buffer.allocUnsafe`. */
  zero?: boolean
}

/** Returns the option `zero`, by default false. Throws `ERR_INVALID_ARG_TYPE` unless it is a boolean. */
export function zeroArgument(options: AllocateOptions | undefined): boolean {
  if (options === undefined) return false
  const { zero = false } = optionsArgument(options, 'options')
  return booleanArgument(zero, 'zero')
}
