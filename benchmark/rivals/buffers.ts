import { MemPool } from '@thi.ng/malloc'
import type { Case } from '../compare.js'

/** Buffers that are written, read and given up, as in `benchmark/slot-pool.ts`, by what a program would use without framepool. */
export function bufferRivals(size: number, work: number): Case[] {
  const own = Buffer.poolSize
  const other = own === 8192 ? 65_536 : 8192
  return [
    { name: 'Buffer.allocUnsafe', run: () => allocUnsafe(size, work, own) },
    { name: `Buffer.allocUnsafe, poolSize ${other / 1024} KiB`, run: () => allocUnsafe(size, work, other) },
    { name: 'Buffer.allocUnsafeSlow', run: () => allocUnsafeSlow(size, work) },
    { name: 'a list of 8 Buffers', run: list(size, work) },
    ...malloc(size, work),
  ]
}

/** Writes the first and the last byte. */
export function touch(bytes: Uint8Array, index: number): void {
  bytes[0] = index
  bytes[bytes.length - 1] = index
}

/** Reads the first and the last byte, and throws unless `touch()` wrote them. */
export function readBack(bytes: Uint8Array, index: number): void {
  if (bytes[0] !== (index & 0xff) || bytes[bytes.length - 1] !== bytes[0]) throw new Error('wrong bytes')
}

function allocUnsafe(size: number, work: number, poolSize: number): void {
  Buffer.poolSize = poolSize
  for (let index = 0; index < work; index++) {
    const bytes = Buffer.allocUnsafe(size)
    touch(bytes, index)
    readBack(bytes, index)
  }
}

function allocUnsafeSlow(size: number, work: number): void {
  for (let index = 0; index < work; index++) {
    const bytes = Buffer.allocUnsafeSlow(size)
    touch(bytes, index)
    readBack(bytes, index)
  }
}

function list(size: number, work: number): () => void {
  const free = Array.from({ length: 8 }, () => Buffer.allocUnsafeSlow(size))
  return () => {
    for (let index = 0; index < work; index++) {
      const bytes = free.pop()!
      touch(bytes, index)
      readBack(bytes, index)
      free.push(bytes)
    }
  }
}

/** `@thi.ng/malloc` with views, as the other cases have them, and with places in its memory, as it is fastest. */
function malloc(size: number, work: number): Case[] {
  const pool = new MemPool({ size: 1 << 20 })
  const memory = new Uint8Array(pool.buf)
  return [
    {
      name: '@thi.ng/malloc, views',
      run: () => {
        for (let index = 0; index < work; index++) {
          const bytes = pool.mallocAs('u8', size)!
          touch(bytes, index)
          readBack(bytes, index)
          pool.free(bytes)
        }
      },
    },
    {
      name: '@thi.ng/malloc, places',
      run: () => {
        for (let index = 0; index < work; index++) {
          const start = pool.malloc(size)
          const end = start + size - 1
          memory[start] = index
          memory[end] = index
          if (memory[start] !== (index & 0xff) || memory[end] !== memory[start]) throw new Error('wrong bytes')
          pool.free(start)
        }
      },
    },
  ]
}
