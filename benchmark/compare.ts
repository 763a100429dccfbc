import b from 'benny'

/** A way to do the work. */
export interface Case {
  name: string
  /** Handles `work` messages, and throws if the result is wrong. */
  run: () => void
}

export interface Comparison {
  title: string
  /** Messages that one `run` handles. */
  work: number
  /** The first case is the subject. The others are its rivals. */
  cases: Case[]
}

export interface Result {
  name: string
  /** Nanoseconds for each message, as the median of the rounds. */
  nanos: number
  /** Time of this case divided by that of the subject, as the median of the rounds. Above 1 the subject is faster. */
  ratio: number
}

/** An odd number, so that the median is one of the values. */
const ROUNDS = 7
const SAVE = process.argv.includes('--save')

/**
 * Runs the cases in turn, round after round, so that a change of the machine's speed affects all of them, and prints
 * the cost of each beside the subject. With `--save` benny writes its chart and JSON of the last round to
 * benchmark/results/.
 */
export async function compare({ title, work, cases }: Comparison): Promise<Result[]> {
  for (const { run } of cases) run()
  const nanos = cases.map((): number[] => [])
  const ratios = cases.map((): number[] => [])
  for (let round = 1; round <= ROUNDS; round++) {
    const steps = cases.map(({ name, run }) => b.add(name, () => run, { maxTime: 0.2, minSamples: 3 }))
    const { results } = await quietly(() =>
      b.suite(title, ...steps, ...(SAVE && round === ROUNDS ? savers(title) : [])),
    )
    const means = results.map(({ details }) => (details.mean * 1e9) / work)
    means.forEach((mean, index) => {
      nanos[index]?.push(mean)
      ratios[index]?.push(mean / (means[0] as number))
    })
  }
  const found = cases.map(({ name }, index) => ({
    name,
    nanos: median(nanos[index] as number[]),
    ratio: median(ratios[index] as number[]),
  }))
  console.log(`\n${title}`)
  for (const { name, nanos, ratio } of found) {
    console.log(`  ${name.padEnd(34)} ${nanos.toFixed(1).padStart(10)} ns  ${ratio.toFixed(2).padStart(7)}×`)
  }
  return found
}

export function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] as number
}

/** Silences benny, which announces every suite, because every round is a suite. */
async function quietly<T>(run: () => Promise<T>): Promise<T> {
  const { log } = console
  console.log = () => {}
  try {
    return await run()
  } finally {
    console.log = log
  }
}

function savers(title: string) {
  const file = title.replace(/\W+/g, '-')
  return (['json', 'chart.html'] as const).map((format) => b.save({ file, folder: 'benchmark/results', format }))
}
