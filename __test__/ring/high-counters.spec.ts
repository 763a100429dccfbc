import { expect, it } from 'vitest'
import { runProgram } from '../support/program.js'

// Runs the compiled package in a separate process, because it moves the counters 16 million times.
it('counters beyond 2^53 neither lose bytes of a ring nor count them wrongly', () => {
  const printed = runProgram(`
    import assert from 'node:assert/strict'
    import { adopt, ByteRing } from 'framepool'

    const SIZE = 2 ** 30
    const all = (_, length) => length
    let { producer, consumer } = new ByteRing(SIZE).intoParts()
    for (let round = 0; round < 2 ** 53 / SIZE - 1; round++) {
      producer.ioSlices(all)
      consumer.ioSlices(all)
    }
    const read = (length) => {
      const bytes = Buffer.alloc(length)
      return bytes.subarray(0, consumer.read(bytes)).toString()
    }

    // The counters cross 2^53 in steps that a double would round.
    let position = 2n ** 53n - BigInt(SIZE)
    for (const count of [SIZE - 3, 1, 1, 1, 1, 1, 1, 3, 5]) {
      const bytes = Buffer.from('ABCDEFGH'.slice(0, Math.min(count, 8)))
      assert.equal(producer.write(bytes), bytes.length)
      producer.ioSlices(() => count - bytes.length)
      position += BigInt(count)
      assert.equal(producer.position, position)
      assert.equal(read(bytes.length), bytes.toString())
      consumer.ioSlices(all)
      assert.deepEqual([consumer.position, consumer.available], [position, 0])
    }

    for (const letter of 'ABC') assert.equal(producer.write(Buffer.from(letter)), 1)
    consumer.ioSlices((bufs, length) => {
      assert.equal(Buffer.concat(bufs).toString(), 'ABC')
      return length
    })
    position += 3n

    // Native code has the same counts.
    producer = adopt(producer.move())
    consumer = adopt(consumer.move())
    for (const half of [producer, consumer]) assert.equal(half.position, position)
    producer.write(Buffer.from('D'))
    producer.write(Buffer.from('E'))
    assert.deepEqual([producer.position, read(9), consumer.position], [position + 2n, 'DE', position + 2n])
    producer.release()
    consumer.release()
    assert.deepEqual([producer.position, consumer.position], [position + 2n, position + 2n])
    console.log('done')
  `)
  expect(printed).toBe('done\n')
})
