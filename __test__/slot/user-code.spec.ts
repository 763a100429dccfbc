import { spawnSync } from 'node:child_process'
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

it('code that runs in a debug stack trace may take the message that begins', () => {
  const program = `
    import { strict as assert } from 'node:assert'
    import { SystemMemoryBuffer } from 'framepool'
    const buffer = new SystemMemoryBuffer()
    const taken = []
    let acts = true
    Error.prepareStackTrace = (error) => {
      if (acts) {
        acts = false
        buffer.write(Buffer.from('inner'))
        taken.push(buffer.getDataOwned())
        buffer.write(Buffer.from('more '))
      }
      return String(error)
    }
    buffer.write(Buffer.from('outer'))
    assert.equal(buffer.length, 10)
    assert.equal(Buffer.from(buffer.bytes).toString(), 'more outer')
    buffer.write(Buffer.from('!'))
    taken.push(buffer.getDataOwned())
    assert.deepEqual(taken.map((slice) => Buffer.from(slice.bytes).toString()), ['inner', 'more outer!'])
    for (const slice of taken) slice.release()
    Error.prepareStackTrace = () => { throw new Error('mine') }
    assert.throws(() => buffer.write(Buffer.from('lost')))
    Error.prepareStackTrace = undefined
    assert.ok(buffer.isEmpty)
    buffer.write(Buffer.from('kept'))
    assert.equal(Buffer.from(buffer.bytes).toString(), 'kept')
    buffer.getDataOwned().release()
  `
  const env = { ...process.env, FRAMEPOOL_DEBUG: '1' }
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    env,
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: 'framepool: debug mode is on (FRAMEPOOL_DEBUG)\n' })
})
