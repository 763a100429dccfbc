import { expect, it } from 'vitest'
import { inspect, SlotPool } from '../../index.js'
import { THROWN, thrownBy, trap } from '../support/thrown.js'

it.each(THROWN)('%s, thrown by a getter of the options of a pool, makes no pool', (_, thrown) => {
  const before = inspect().length
  for (const name of ['slots', 'heapLimit', 'debug']) {
    expect(thrownBy(() => new SlotPool(64, trap(name, thrown)))).toEqual({ reason: thrown })
  }
  expect(inspect().length).toBe(before)
})
