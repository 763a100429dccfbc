import { spawnSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { expect, it } from 'vitest'
import { inspect, SlotPool } from '../../index.js'
import { withoutUint8Arrays } from '../support/hidden-bytes.js'
import { pair, wireOf } from '../support/sessions.js'
import { THROWN, thrownBy, trap } from '../support/thrown.js'

it.each(THROWN)('%s, thrown by a getter of the options of a pool, makes no pool', (_, thrown) => {
  const before = inspect().length
  for (const name of ['slots', 'heapLimit', 'debug']) {
    expect(thrownBy(() => new SlotPool(64, trap(name, thrown)))).toEqual({ reason: thrown })
  }
  expect(inspect().length).toBe(before)
})

it.each([
  ['a message that begins alone', 0, 0, 5],
  ['a message that begins behind a slice', 10, 0, 5],
  ['a message that grows', 0, 5, 5],
  ['a message that grows behind a slice', 10, 5, 5],
  ['a message that begins on the heap', 0, 0, 100],
  ['a message that grows on the heap', 0, 100, 500],
  ['a message that moves to the heap', 10, 5, 100],
  ['a message that begins in front of a slice', -10, 0, 8],
])('%s has not grown if a script keeps its bytes from being shown', async (_, taken, written, added) => {
  const pool = new SlotPool(64)
  const slices = [Math.abs(taken), 50]
    .filter(() => taken !== 0)
    .map((length) => {
      pool.writeAll(new Uint8Array(length))
      return pool.getDataOwned()
    })
  if (taken > 0) slices.pop()!.release()
  if (taken < 0) slices.shift()!.release()
  pool.write(new Uint8Array(written).fill(1))
  await withoutUint8Arrays(async () => expect(() => pool.getWritable(added)).toThrow('mine'))
  expect(pool.length).toBe(written)
  pool.write(new Uint8Array(added).fill(2))
  const bytes = [...Array(written).fill(1), ...Array(added).fill(2)]
  expect([...pool.bytes]).toEqual(bytes)
  const slice = pool.getDataOwned()
  expect([...slice.bytes]).toEqual(bytes)
  expect(slice.slot === null).toBe(written + added > 50)
  for (const each of [...slices, slice]) each.release()
  expect(pool.stats().liveSlices).toBe(0)
  pool.close()
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
    buffer.write(Buffer.from('kept'))
    Error.prepareStackTrace = undefined
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

it('a subscriber may close a debug pool that is being closed', () => {
  const slots: string[] = []
  const pool = new SlotPool(4096, { debug: true })
  const { initiator, responder } = pair({ pool })
  const meddle = (message: unknown): void => {
    slots.push((message as { slots: string }).slots)
    if (slots.length === 2) pool.close()
  }
  subscribe('framepool:slot-pool', meddle)
  // The pool has the batch until it is closed.
  responder.receive(wireOf(initiator, { messageType: 1 }, Buffer.of(1)))
  pool.close()
  unsubscribe('framepool:slot-pool', meddle)
  expect(slots).toEqual(['1-------', '--------'])
  expect(String(pool)).toBe('CLOSED')
})
