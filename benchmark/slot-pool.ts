/**
 * P1, P1b, P2 and P7b: a message through the slot pool (getWritable, two bytes written, getDataOwned, both read through `slice.bytes`,
 * release), beside Buffers and lists of them, and beside native calls of the core (`cargo bench --bench slot_pool`).
 */
import { strict as assert } from 'node:assert'
import { SlotPool } from '../index.js'
import { compare } from './compare.js'
import { runBench } from './native.js'
import type { Target } from './report/record.js'
import { bufferRivals, readBack, touch } from './rivals/buffers.js'
import { reportFigure } from './rounds.js'

const WORK = 1000
/** The least ratio to Buffer.allocUnsafe at each size, with nothing else alive (P1) and with other slices alive (P1b). */
const SIZES: { size: number; alone: number; beside?: number }[] = [
  { size: 64, alone: 1.5, beside: 1 },
  { size: 1024, alone: 2 },
  { size: 4096, alone: 6 },
  { size: 16_384, alone: 12 },
]

for (const { size, alone, beside } of SIZES) {
  const pool = poolBeside(size, 0)
  check(pool, size)
  const targets: Target[] = [
    { id: 'P1', rival: 'Buffer.allocUnsafe', least: alone },
    { id: 'P7b', rival: 'a list of 8 Buffers', least: 1 / 4 },
  ]
  const [ours] = await compare({
    title: `a message of ${size} B`,
    work: WORK,
    targets,
    cases: [
      { name: 'SlotPool', run: () => cycles(pool, size) },
      { name: 'SlotPool, only written', run: () => written(pool, size) },
      ...bufferRivals(size, WORK),
    ],
  })
  // The core reads nothing back.
  const native = nativeNanos(size)
  reportFigure({
    id: 'P2',
    title: `a message of ${size} B, above the core called natively`,
    unit: 'ns',
    value: ours!.nanos - native,
    limit: 60,
    atLeast: false,
  })
  // From 1 KiB up, the pool's cost does not depend on the size.
  for (const others of size <= 1024 ? [1, 4] : []) {
    const crowded = poolBeside(size, others)
    await compare({
      title: `a message of ${size} B while ${others === 1 ? 'another slice is' : `${others} others are`} alive`,
      work: WORK,
      targets: beside === undefined ? [] : [{ id: 'P1b', rival: 'Buffer.allocUnsafe', least: beside }],
      cases: [{ name: 'SlotPool', run: () => cycles(crowded, size) }, bufferRivals(size, WORK)[0]!],
    })
    crowded.close()
  }
  pool.close()
}

/** Makes a pool with room for 8 messages, in which `others` slices of one byte are alive. */
function poolBeside(size: number, others: number): SlotPool {
  const pool = new SlotPool(8 * size)
  for (let index = 0; index < others; index++) {
    pool.getWritable(1)
    pool.getDataOwned()
  }
  return pool
}

function cycles(pool: SlotPool, size: number): void {
  for (let index = 0; index < WORK; index++) {
    touch(pool.getWritable(size), index)
    const slice = pool.getDataOwned()
    readBack(slice.bytes, index)
    slice.release()
  }
}

function written(pool: SlotPool, size: number): void {
  for (let index = 0; index < WORK; index++) {
    touch(pool.getWritable(size), index)
    pool.getDataOwned().release()
  }
}

function check(pool: SlotPool, size: number): void {
  const pattern = Uint8Array.from({ length: size }, (_, index) => index * 7)
  pool.getWritable(size).set(pattern)
  const slice = pool.getDataOwned()
  assert.equal(slice.slot, 1)
  assert.deepEqual(slice.copy(), pattern)
  assert.equal(slice.release(), true)
}

/** Returns the nanoseconds of a message of `size` bytes in the core, called from Rust. */
function nativeNanos(size: number): number {
  const { sizes } = runBench('framepool', 'slot_pool', '--', String(size)) as { sizes: { SlotPool: number }[] }
  return sizes[0]!.SlotPool
}
