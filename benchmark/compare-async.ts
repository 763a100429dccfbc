import { setTimeout as sleep } from 'node:timers/promises'
import { median } from './compare.js'

/** A way to do work that takes turns of the event loop or other threads. */
export interface AsyncCase {
  name: string
  /** Handles `work` messages, and throws if the result is wrong. */
  run: () => Promise<void>
  /** Ends the workers of the case. */
  end?: () => Promise<unknown>
}

const ROUNDS = 7
/** Rounds before the measured ones, so that the compiler has optimized every case. */
const WARM_UPS = 4
/** Milliseconds between two cases. V8 frees the garbage of a case on other threads, which would slow down the next. */
const SETTLE_MS = 100

/**
 * Runs the cases in turn, round after round, so that a change of the machine's speed affects all of them. Prints the
 * cost of a message with each case and its ratio to the first case, the subject, as medians of the rounds. benny is not
 * used, because it chooses the duration of a case and these cases need rounds of equal work.
 */
export async function compareAsync(title: string, work: number, cases: AsyncCase[]): Promise<void> {
  const nanos = cases.map((): number[] => [])
  for (let round = 1 - WARM_UPS; round <= ROUNDS; round++) {
    for (const [index, { run }] of cases.entries()) {
      await sleep(SETTLE_MS)
      const start = performance.now()
      await run()
      if (round > 0) nanos[index]?.push(((performance.now() - start) * 1e6) / work)
    }
  }
  console.log(`\n${title}`)
  const subject = [...(nanos[0] as number[])]
  for (const [index, { name, end }] of cases.entries()) {
    const own = nanos[index] as number[]
    const ratio = median(own.map((nanos, round) => nanos / (subject[round] as number)))
    console.log(`  ${name.padEnd(40)} ${median(own).toFixed(0).padStart(8)} ns  ${ratio.toFixed(2).padStart(7)}×`)
    await end?.()
  }
}
