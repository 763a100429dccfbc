import type { Row, Target } from './report/record.js'
import { report } from './rounds.js'

export { median } from './statistics.js'

/** A way to do the work. */
export interface Case {
  name: string
  /** Handles `work` messages, and throws if the result is wrong. */
  run: () => void
}

/** A row of the report, whose cost is in nanoseconds. */
export interface Result extends Row {
  nanos: number
}

export interface Comparison {
  title: string
  /** Messages that one `run` handles. */
  work: number
  /** The first case is the subject. The others are its rivals. */
  cases: Case[]
  /** Rivals that another program has measured, in at least as many rounds, in nanoseconds. */
  measured?: { name: string; costs: number[] }[]
  targets?: Target[]
}

const ROUNDS = 15
/** Milliseconds that a case runs in a round, at least: long enough for the collector to do its share of the work. */
const ROUND_MS = 15
/** Milliseconds that a case runs before the first round, so that the compiler has optimized it. */
const WARM_UP_MS = 100

/**
 * Runs the cases in turn, round after round, so that a change of the machine's speed affects all of them. Every other round runs
 * backwards, so that none always follows the garbage of another.
 */
export async function compare({ title, work, cases, measured = [], targets = [] }: Comparison): Promise<Result[]> {
  const repeats = cases.map(({ run }) => {
    let runs = 0
    const start = performance.now()
    while (performance.now() - start < WARM_UP_MS) {
      run()
      runs++
    }
    return Math.max(1, Math.ceil((runs * ROUND_MS) / WARM_UP_MS))
  })
  const costs = cases.map((): number[] => [])
  const forwards = cases.map((_, index) => index)
  const backwards = forwards.toReversed()
  for (let round = 0; round < ROUNDS; round++) {
    for (const index of round % 2 === 0 ? forwards : backwards) {
      const { run } = cases[index]!
      const count = repeats[index]!
      const start = performance.now()
      for (let repeat = 0; repeat < count; repeat++) run()
      costs[index]!.push(((performance.now() - start) * 1e6) / (count * work))
    }
  }
  costs.push(...measured.map((rival) => rival.costs.slice(0, ROUNDS)))
  const names = [...cases, ...measured].map(({ name }) => name)
  const rows = report({ title, unit: 'ns', names, costs, targets })
  return rows.map((row) => ({ ...row, nanos: row.value }))
}
