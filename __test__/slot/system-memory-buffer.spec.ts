import { expect, it } from 'vitest'
import { SystemMemoryBuffer } from '../../index.js'
import { counting } from '../contract.js'

it('moves as it grows: detaches the earlier view, and keeps the bytes', () => {
  const buffer = new SystemMemoryBuffer()
  const before = buffer.getWritable(20)
  before.set(counting(20))
  const bytes = buffer.bytes
  const after = buffer.getWritable(20)
  expect(before).toHaveLength(0)
  expect(bytes).toHaveLength(0)
  expect(after).toHaveLength(20)
  expect(buffer.getDataByRef(20)).toEqual(counting(20))
})

it('gives each slice its own allocation', () => {
  const buffer = new SystemMemoryBuffer(1024)
  const slices = [1, 2].map((byte) => {
    buffer.write(new Uint8Array(8).fill(byte))
    return buffer.getDataOwned()
  })
  expect(slices.map((slice) => slice.slot)).toEqual([null, null])
  expect(new Set(slices.map((slice) => slice.bytes.buffer)).size).toBe(2)
  expect(slices.map((slice) => slice.bytes.buffer.byteLength)).toEqual([8, 8])
})

it('counts only its own slices', () => {
  const [buffer, other] = [new SystemMemoryBuffer(), new SystemMemoryBuffer()]
  const slice = buffer.getDataOwned()
  expect([buffer.isDroppable, other.isDroppable]).toEqual([false, true])
  slice.release()
  expect(buffer.isDroppable).toBe(true)
})

it('frees the memory of a slice at once', () => {
  const buffer = new SystemMemoryBuffer()
  const length = 2 ** 26
  const before = process.memoryUsage.rss()
  let highest = before
  for (let round = 0; round < 12; round++) {
    buffer.getWritable(length).fill(round)
    using slice = buffer.getDataOwned()
    expect(slice.length).toBe(length)
    highest = Math.max(highest, process.memoryUsage.rss())
  }
  expect(highest - before).toBeLessThan(3 * length)
})
