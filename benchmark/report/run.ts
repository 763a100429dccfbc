import type { Recorded } from './record.js'

/** One run of a benchmark on one Node. */
export interface Run {
  /** File name of the benchmark, for `npm run bench -- NAME`. */
  name: string
  /** Version of Node. */
  node: string
  /** Commit that was measured, with `+` if files were changed. */
  commit: string
  /** Time at which the run began, in ISO 8601. */
  date: string
  seconds: number
  /** Whether the benchmark came to its end and found its results right. */
  ok: boolean
  /** How it ended if it is not `ok`, for example `exit code 1` or `no end within 300 s`. */
  ended?: string
  /** Output of the benchmark. */
  output: string
  records: Recorded[]
}

export interface Machine {
  cpu: string
  cores: number
  memoryGib: number
  system: string
  rust: string
}

/** All that `npm run bench -- --report` has measured: the newest run of each benchmark on each Node. */
export interface Report {
  machine: Machine
  /** Seed of the random choices of the benchmarks. */
  seed: number
  runs: Run[]
}

/** Returns the major version, for example 20. */
export function majorOf(node: string): number {
  return Number.parseInt(node.replace('v', ''), 10)
}

/** Returns the major versions of Node in the report, in order. */
export function majorsOf({ runs }: Report): number[] {
  return [...new Set(runs.map(({ node }) => majorOf(node)))].sort((a, b) => a - b)
}
