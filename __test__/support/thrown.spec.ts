import { describe, expect, it } from 'vitest'
import { thrownText } from '../../src/support/thrown.js'
import { SHOWN } from './thrown.js'

describe('a thrown value', () => {
  it.each(SHOWN)('is shown as %s', (shown, value) => {
    expect(thrownText(value)).toBe(shown)
  })

  it('is shown in part if it is long', () => {
    expect(thrownText(new Error('x'.repeat(5000))).length).toBeLessThan(1100)
  })
})
