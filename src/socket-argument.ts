import { Socket } from 'node:net'
import { invalidArgType } from './errors.js'

/** Throws the documented error unless `value` is a socket. */
export function socketArgument(value: unknown, name: string): void {
  // What merely inherits from a socket has no state, and would fail when half of the work is done.
  if (value instanceof Socket && typeof value.writableHighWaterMark === 'number') return
  throw invalidArgType(`${name} must be a net.Socket`)
}
