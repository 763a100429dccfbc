import { getSystemErrorMap } from 'node:util'
import type { RelayFault } from '../../native/relay.js'

/** Returns an error of the system as Node's sockets have it: with `code`, `errno` and `syscall`, and the address if there is one. */
export function systemFailure(fault: RelayFault, described = false): Error {
  const { syscall = '', address, port } = fault
  const [errno, known] = knownError(fault)
  const code = known?.[0] ?? fault.code ?? 'ERR_SYSTEM'
  const where = address === undefined ? '' : ` ${address}:${port}`
  const why = described ? `: ${known?.[1] ?? fault.message}` : ''
  const place = address === undefined ? {} : { address, port }
  return Object.assign(new Error(`${syscall} ${code}${why}${where}`), { code, errno, syscall, ...place })
}

/** Returns the number, name and description that Node has for an error of the system. Windows has other numbers than Node. */
function knownError({ errno = 0, code }: RelayFault): [number, [string, string] | undefined] {
  const known = getSystemErrorMap()
  if (process.platform !== 'win32') return [-errno, known.get(-errno)]
  return [...known].find(([, [name]]) => name === code) ?? [-errno, undefined]
}

/** Returns the error of a connection that came about with none of its addresses. */
export function connectFailure(faults: RelayFault[]): Error {
  const errors = faults.map((fault) => systemFailure(fault))
  const [first] = errors
  if (first === undefined) return Object.assign(new Error('the upstream has no address'), { code: 'ENOTFOUND' })
  if (errors.length === 1) return first
  return Object.assign(new AggregateError(errors), { code: (first as NodeJS.ErrnoException).code })
}
