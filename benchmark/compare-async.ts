import { setTimeout as sleep } from 'node:timers/promises'
import type { Row, Target } from './report/record.js'
import { report } from './rounds.js'

/** A way to do work that takes turns of the event loop or other threads. */
export interface AsyncCase {
  name: string
  /** Handles `work` messages, and throws if the result is wrong. */
  run: () => Promise<void>
  /** Ends the workers of the case. */
  end?: () => Promise<unknown>
}

const ROUNDS = 10
/** Rounds before the measured ones, so that the compiler has optimized every case. */
const WARM_UPS = 2
/** Milliseconds between two cases. V8 frees the garbage of a case on other threads, which would slow down the next. */
const SETTLE_MS = 100

/**
 * Runs the cases in turn, round after round, so that a change of the machine's speed affects all of them, and then ends them.
 * `work` messages are equal work for all, in every round.
 */
export async function compareAsync(
  title: string,
  work: number,
  cases: AsyncCase[],
  targets: Target[] = [],
  rounds = ROUNDS,
): Promise<Row[]> {
  const costs = cases.map((): number[] => [])
  for (let round = 1 - WARM_UPS; round <= rounds; round++) {
    for (const [index, { run }] of cases.entries()) {
      await sleep(SETTLE_MS)
      const start = performance.now()
      await run()
      if (round > 0) costs[index]!.push(((performance.now() - start) * 1e6) / work)
    }
  }
  for (const { end } of cases) await end?.()
  return report({ title, unit: 'ns', names: cases.map(({ name }) => name), costs, targets })
}
