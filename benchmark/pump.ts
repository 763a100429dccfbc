/**
 * P12: `pump` of 1 GiB from file to file, both in the page cache, beside Node's file streams. FRAMEPOOL_PUMP_BYTES sets
 * the number of bytes. The target is overwritten in place, because new pages would cost the kernel many times the copy,
 * and vary between rounds.
 */
import { strict as assert } from 'node:assert'
import {
  closeSync,
  createReadStream,
  createWriteStream,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { pump } from '../index.js'
import { report } from './rounds.js'

/** Cost of one copy. */
interface Cost {
  seconds: number
  cpuSeconds: number
}

const ROUNDS = 5
const BYTES = Number(process.env.FRAMEPOOL_PUMP_BYTES ?? 2 ** 30)
const PIECE = 2 ** 20
const KIB = 1024

const folder = mkdtempSync(join(tmpdir(), 'framepool-pump-'))
const from = join(folder, 'from')
const to = join(folder, 'to')

const cases = [
  // The first is the default. Ratios are relative to it.
  ...[1024, 64, 256, 4096].map((size) => ({
    name: `pump, ring of ${size} KiB`,
    copy: () => pumped(size * KIB),
  })),
  ...[64, 1024].map((size) => ({
    name: `fs streams, ${size} KiB a chunk`,
    copy: () =>
      pipeline(
        createReadStream(from, { highWaterMark: size * KIB }),
        createWriteStream(to, { highWaterMark: size * KIB, flags: 'r+' }),
      ),
  })),
]

try {
  write(from, (at) => Math.imul(at + 1, 0x9e37_79b1))
  write(to, () => 0)
  for (const { copy } of cases) {
    write(to, () => 0, 'r+')
    await copy()
    assert.ok(equal(from, to))
  }
  const costs = cases.map((): Cost[] => [])
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, { copy }] of cases.entries()) costs[index]!.push(await measure(copy))
  }
  const measured = { title: `file to file, ${BYTES / 2 ** 20} MiB`, names: cases.map(({ name }) => name) }
  const of = (key: keyof Cost): number[][] => costs.map((own) => own.map((cost) => cost[key] * 1000))
  report({
    ...measured,
    unit: 'ms',
    costs: of('seconds'),
    targets: [{ id: 'P12', rival: 'fs streams, 64 KiB a chunk', least: 3 }],
  })
  report({ ...measured, title: `${measured.title}: CPU time`, unit: 'ms', costs: of('cpuSeconds'), targets: [] })
} finally {
  rmSync(folder, { recursive: true })
}

async function pumped(size: number): Promise<void> {
  const source = openSync(from, 'r')
  const target = openSync(to, 'r+')
  try {
    assert.equal(await pump(source, target, { size }), BigInt(BYTES))
  } finally {
    closeSync(source)
    closeSync(target)
  }
}

async function measure(copy: () => Promise<void>): Promise<Cost> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await copy()
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return { seconds, cpuSeconds: (user + system) / 1e6 }
}

/** Fills a file with words. Each piece begins with its number, so that no two pieces are equal. With `r+` the file keeps its pages. */
function write(file: string, word: (at: number) => number, flags: 'w' | 'r+' = 'w'): void {
  const descriptor = openSync(file, flags)
  const piece = new Uint32Array(PIECE / 4).map((_, at) => word(at))
  for (let written = 0; written < BYTES; written += PIECE) {
    piece[0] = written / PIECE
    writeSync(descriptor, piece, 0, Math.min(PIECE, BYTES - written))
  }
  closeSync(descriptor)
}

/** Returns whether both files hold equal bytes. */
function equal(one: string, other: string): boolean {
  const descriptors = [one, other].map((file) => openSync(file, 'r')) as [number, number]
  const pieces = [Buffer.alloc(PIECE), Buffer.alloc(PIECE)] as const
  try {
    for (;;) {
      const lengths = descriptors.map((descriptor, index) => readSync(descriptor, pieces[index]!))
      if (lengths[0] !== lengths[1] || !pieces[0].equals(pieces[1])) return false
      if (lengths[0] === 0) return true
    }
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor)
  }
}
