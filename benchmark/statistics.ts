// Medians, their confidence, and random numbers that are equal in every run.
/** Seed of every random choice of the benchmarks, so that two runs do equal work. */
export const SEED = 0x5eed

/** Returns a function of pseudo-random whole numbers below its argument: equal seeds give equal numbers. */
export function random(seed = SEED): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    // Mulberry32.
    state = (state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

/** Returns the value in the middle, the upper one of two. Leaves `values` alone. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number
}

const RESAMPLES = 2000

/**
 * Returns where the median lies with 95 % confidence, by the bootstrap: the medians of samples that are drawn from `values`, with
 * replacement. It assumes no distribution, so that a few disturbed rounds do not widen it much.
 */
export function confidence(values: readonly number[]): [low: number, high: number] {
  const pick = random()
  const medians = Array.from({ length: RESAMPLES }, () => median(values.map(() => values[pick(values.length)]!)))
  medians.sort((a, b) => a - b)
  return [medians[Math.floor(RESAMPLES * 0.025)]!, medians[Math.ceil(RESAMPLES * 0.975) - 1]!]
}
