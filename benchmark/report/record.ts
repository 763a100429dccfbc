import { appendFileSync } from 'node:fs'

/** A ratio to a rival that the subject of a comparison is to reach. */
export interface Target {
  /** Name of the target in benchmark/README.md. */
  id: string
  /** Name of the rival's case. */
  rival: string
  /** The least ratio: the rival's time divided by the subject's. */
  least: number
  /** Whether every round must reach it, and not only their median. */
  everyRound?: boolean
}

/** One way to do the work of a comparison, and what it cost. */
export interface Row {
  name: string
  /** The cost in `unit`, as the median of the rounds. */
  value: number
  /** This cost divided by the subject's, as the median of the rounds. Above 1 the subject is cheaper. */
  ratio: number
  /** Ends of the interval in which that ratio lies with 95 % confidence. */
  low: number
  high: number
}

/** A target, and the ratio that was measured. */
export interface Reached extends Target {
  ratio: number
  low: number
  high: number
}

/** Ways to do equal work, measured round by round. */
export interface Comparison {
  kind: 'comparison'
  title: string
  unit: string
  rounds: number
  /** The first is the subject, the others are its rivals. */
  rows: Row[]
  targets: Reached[]
}

/** A cost that grows with something. */
export interface Growth {
  kind: 'growth'
  title: string
  /** Quantity that the cost grows with, and its unit. */
  along: string
  unit: string
  lines: { name: string; points: [x: number, y: number][] }[]
  /** Meaning of the chart, in a sentence. */
  sentence: string
}

/** Figures that are shown as they are. */
export interface Table {
  kind: 'table'
  title: string
  head: string[]
  rows: string[][]
  note: string
}

/** A figure with a limit of its own, beside no rival. */
export interface Figure {
  kind: 'figure'
  /** Name of the target in benchmark/README.md. */
  id: string
  title: string
  unit: string
  value: number
  limit: number
  /** Whether the figure must be at least `limit`. Otherwise it must be at most that. */
  atLeast: boolean
}

export type Recorded = Comparison | Growth | Table | Figure

const file = process.env.FRAMEPOOL_BENCH_RECORDS

/** Whether this run is for the report, which leaves no benchmark more than a minute or two. */
export const FOR_REPORT = file !== undefined

/** Adds a result to the report, if this run is for one: `npm run bench -- --report` names the file. */
export function record(result: Recorded): void {
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(result)}\n`)
}
