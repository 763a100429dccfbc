/** Costs of the parts of a message in Node itself, from which framepool's design follows. There is no target. */
import b from 'benny'
import { report } from './rounds.js'

const WORK = 1000
const ROUNDS = 5
const memory = new ArrayBuffer(64 * 1024)
const whole = Buffer.from(memory)
const registry = new FinalizationRegistry(() => {})
const list = Array.from({ length: 8 }, () => Buffer.alloc(64))
let kept: unknown

const times = (operation: (index: number) => void) => () => {
  for (let index = 0; index < WORK; index++) operation(index)
}

const cases = [
  {
    name: 'new Uint8Array(arrayBuffer, offset, 64)',
    run: times((index) => {
      kept = new Uint8Array(memory, index, 64)
    }),
  },
  {
    name: 'buffer.subarray() of 64 B',
    run: times((index) => {
      kept = whole.subarray(index, index + 64)
    }),
  },
  {
    name: 'an entry of a FinalizationRegistry',
    run: times(() => {
      const object = {}
      registry.register(object, 0, object)
      registry.unregister(object)
    }),
  },
  {
    name: 'new WeakRef',
    run: times(() => {
      kept = new WeakRef(list)
    }),
  },
  {
    name: 'a Buffer from a list, and back',
    run: times(() => {
      list.push(list.pop()!)
    }),
  },
  ...[64, 512, 2048, 4096, 16_384, 65_536].map((size) => ({
    name: `Buffer.allocUnsafe(${size})`,
    run: times(() => {
      kept = Buffer.allocUnsafe(size)
    }),
  })),
]

const costs = cases.map((): number[] => [])
for (let round = 0; round < ROUNDS; round++) {
  const steps = cases.map(({ name, run }) => b.add(name, () => run, { maxTime: 0.05, minSamples: 3 }))
  const { results } = await quietly(() => b.suite('parts of a message', ...steps))
  for (const [index, { details }] of results.entries()) costs[index]!.push((details.mean * 1e9) / WORK)
}
report({ title: 'parts of a message', unit: 'ns', names: cases.map(({ name }) => name), costs, targets: [] })
if (kept === undefined) throw new Error('nothing was made')

/** Silences benny, which announces each suite, because each round is a suite. */
async function quietly<T>(run: () => Promise<T>): Promise<T> {
  const { log } = console
  console.log = () => {}
  try {
    return await run()
  } finally {
    console.log = log
  }
}
