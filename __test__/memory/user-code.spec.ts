import { expect, it } from 'vitest'
import { MemoryBudget } from '../../index.js'
import { rejection, THROWN, trap } from '../support/thrown.js'

it.each(THROWN)(
  '%s, thrown by a getter of the options of reserve(), rejects and reserves nothing',
  async (_, thrown) => {
    const budget = new MemoryBudget(10)
    for (const name of ['signal', 'timeoutMs']) {
      expect(await rejection(budget.reserve(1, trap(name, thrown)))).toEqual({ reason: thrown })
    }
    expect(budget.stats()).toEqual({ reservedBytes: 0, waiting: 0, peakBytes: 0 })
  },
)
