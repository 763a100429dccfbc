import { setTimeout as sleep } from 'node:timers/promises'
import { median } from './compare.js'

/** One way to do work that takes turns of the event loop, or other threads. */
export interface AsyncCase {
  name: string
  /** Does `work` messages' worth, and throws if the result is wrong. */
  run: () => Promise<void>
  /** Ends its workers. */
  end?: () => Promise<unknown>
}

const ROUNDS = 7
/** Before those: until then the compiler has made of all cases what it will. */
const WARM_UPS = 4
/** Between two cases: what one has left behind V8 frees on threads of its own, which would slow down the next. */
const SETTLE_MS = 100

/**
 * Runs the cases in turn, round after round, so that a change of the machine's speed meets all of them, and prints what a
 * message costs with each beside the first, the subject: medians of the rounds, and of the rounds' ratios. (benny runs a case
 * for itself for as long as it likes; these need whole rounds of equal work.)
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
