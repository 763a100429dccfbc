import { getSystemErrorMap } from 'node:util'
import type { RelayFault } from '../../native/relay.js'

/** Returns an error of the system as Node's sockets have it: with `code`, `errno` and `syscall`, and the address if there is one. */
export function systemFailure(fault: RelayFault, described = false): Error {
  const { errno = 0, syscall = '', address, port } = fault
  const known = errno > 0 ? getSystemErrorMap().get(-errno) : undefined
  const code = fault.code ?? known?.[0] ?? 'ERR_SYSTEM'
  const where = address === undefined ? '' : ` ${address}:${port}`
  const why = described ? `: ${known?.[1] ?? fault.message}` : ''
  const place = address === undefined ? {} : { address, port }
  return Object.assign(new Error(`${syscall} ${code}${why}${where}`), { code, errno: -errno, syscall, ...place })
}

/** Returns the error of a connection that came about with none of its addresses. */
export function connectFailure(faults: RelayFault[]): Error {
  const errors = faults.map((fault) => systemFailure(fault))
  const [first] = errors
  if (first === undefined) return Object.assign(new Error('the upstream has no address'), { code: 'ENOTFOUND' })
  if (errors.length === 1) return first
  return Object.assign(new AggregateError(errors), { code: (first as NodeJS.ErrnoException).code })
}
