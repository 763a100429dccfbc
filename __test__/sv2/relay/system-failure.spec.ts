import { constants } from 'node:os'
import { afterEach, describe, expect, it } from 'vitest'
import { systemFailure } from '../../../src/sv2/relay/system-failure.js'

const { platform } = process
const { ECONNREFUSED, EPERM } = constants.errno

afterEach(() => {
  Object.defineProperty(process, 'platform', { value: platform })
})

describe('an error of the system', () => {
  it('has the name of its number, where a kind has several', () => {
    const error = systemFailure({ code: 'EACCES', errno: EPERM, message: '', syscall: 'connect' })
    expect(error).toMatchObject({ code: 'EPERM', errno: -EPERM, message: 'connect EPERM' })
  })

  it("has Node's number on Windows, whose own are others", () => {
    Object.defineProperty(process, 'platform', { value: 'win32' })
    const fault = { code: 'ECONNREFUSED', errno: 10_061, message: 'refused', syscall: 'connect' }
    const expected = { code: 'ECONNREFUSED', errno: -ECONNREFUSED, message: 'connect ECONNREFUSED: connection refused' }
    expect(systemFailure(fault, true)).toMatchObject(expected)
  })

  it('is told even if nobody knows its name', () => {
    Object.defineProperty(process, 'platform', { value: 'win32' })
    const fault = { errno: 10_999, message: 'no such thing', syscall: 'read' }
    expect(systemFailure(fault, true)).toMatchObject({
      code: 'ERR_SYSTEM',
      errno: -10_999,
      message: 'read ERR_SYSTEM: no such thing',
    })
  })
})
