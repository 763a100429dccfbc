import { type Figure, type Reached, type Row, record, type Target } from './report/record.js'
import { cost, isMet } from './report/targets.js'
import { confidence, median } from './statistics.js'

/** Results of one comparison. */
export interface Measured {
  title: string
  unit: string
  names: string[]
  /** The costs of each case, round by round, in `unit`. */
  costs: number[][]
  targets: Target[]
}

/**
 * Prints the cost of each case, its ratio to the first case, the subject, and whether the targets were met, and adds them to the
 * report. A ratio is the median of the ratios of the rounds, because a change of the machine's speed affects a whole round.
 */
export function report({ title, unit, names, costs, targets }: Measured): Row[] {
  const subject = costs[0]!
  for (const [index, own] of costs.entries()) {
    if (!own.every((cost) => Number.isFinite(cost)))
      throw new Error(`${names[index]} has no cost in a round of ${title}`)
  }
  const rows = costs.map((own, index): Row => {
    const ratios = own.map((cost, round) => cost / subject[round]!)
    const [low, high] = confidence(ratios)
    return { name: names[index]!, value: median(own), ratio: median(ratios), low, high }
  })
  const reached = targets.map((target): Reached => {
    const index = names.indexOf(target.rival)
    if (index === -1) throw new Error(`no case is named ${target.rival}`)
    const { ratio, low, high } = rows[index]!
    const least = Math.min(...costs[index]!.map((cost, round) => cost / subject[round]!))
    return { ...target, low, high, ratio: target.everyRound ? least : ratio }
  })
  console.log(`\n${title}`)
  for (const { name, value, ratio, low, high } of rows) {
    const spread = ratio === 1 && low === high ? '' : `  [${low.toFixed(2)}–${high.toFixed(2)}]`
    console.log(
      `  ${name.padEnd(40)} ${value.toFixed(1).padStart(10)} ${unit}  ${ratio.toFixed(2).padStart(7)}×${spread}`,
    )
  }
  for (const { id, rival, least, ratio, everyRound } of reached) {
    const how = everyRound ? ' in every round' : ''
    console.log(
      `  ${id}: ≥ ${Number(least.toPrecision(3))}× ${rival}${how}: ${ratio.toFixed(2)}×, ${ratio >= least ? 'met' : 'MISSED'}`,
    )
  }
  record({ kind: 'comparison', title, unit, rounds: subject.length, rows, targets: reached })
  return rows
}

/** Prints a figure that has a limit of its own, and whether it keeps it, and adds it to the report. */
export function reportFigure(measured: Omit<Figure, 'kind'>): void {
  const figure: Figure = { kind: 'figure', ...measured }
  const { id, title, unit, value, limit, atLeast } = figure
  const wanted = `${atLeast ? '≥' : '≤'} ${cost(limit)} ${unit}`
  console.log(`  ${id}: ${title}: ${cost(value)} ${unit}, wanted ${wanted}, ${isMet(figure) ? 'met' : 'MISSED'}`)
  record(figure)
}
