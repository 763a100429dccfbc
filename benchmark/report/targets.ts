import type { Figure, Recorded } from './record.js'
import { majorOf, majorsOf, type Report } from './run.js'

/** What was reached of a target on one Node. */
export interface ReachedOn {
  met: boolean
  /** The ratio, or the figure with its unit. */
  figure: string
  /** Ends of the interval in which a ratio lies. */
  interval?: [low: number, high: number]
  /** Costs of the subject and of the rival. */
  costs?: [subject: number, beside: number]
}

/** A target and its work, with the Nodes on which it was measured. */
export interface TargetLine {
  id: string
  title: string
  /** The rival. Empty if the target is a figure of its own. */
  rival: string
  /** What is to be reached, such as `≥ 1.5×` or `≤ 8 KiB`. */
  wanted: string
  /** By major version of Node. */
  reached: Map<number, ReachedOn>
}

/** Returns every target that the report has measured. */
export function targetLines(report: Report): TargetLine[] {
  const lines = new Map<string, TargetLine>()
  for (const { node, records } of report.runs) {
    for (const { reached, ...target } of records.flatMap(targetsOf)) {
      const key = JSON.stringify([target.id, target.title, target.rival])
      const line = lines.get(key) ?? { ...target, reached: new Map() }
      line.reached.set(majorOf(node), reached)
      lines.set(key, line)
    }
  }
  return [...lines.values()].sort((a, b) => numberOf(a.id) - numberOf(b.id) || a.id.localeCompare(b.id))
}

/** Returns the targets of one result. */
function targetsOf(result: Recorded): (Omit<TargetLine, 'reached'> & { reached: ReachedOn })[] {
  if (result.kind === 'figure') {
    const { id, title, unit, value, limit, atLeast } = result
    const reached = { met: isMet(result), figure: `${cost(value)} ${unit}` }
    return [{ id, title, rival: '', wanted: `${atLeast ? '≥' : '≤'} ${cost(limit)} ${unit}`, reached }]
  }
  if (result.kind !== 'comparison') return []
  const { title, rows, targets } = result
  return targets.map(({ id, rival, least, ratio, low, high }) => {
    const beside = rows.find(({ name }) => name === rival)!
    const reached: ReachedOn = {
      met: ratio >= least,
      figure: `${short(ratio)}×`,
      interval: [low, high],
      costs: [rows[0]!.value, beside.value],
    }
    return { id, title, rival, wanted: `≥ ${short(least)}×`, reached }
  })
}

/** Returns whether a figure keeps its limit. */
export function isMet({ value, limit, atLeast }: Figure): boolean {
  return atLeast ? value >= limit : value <= limit
}

function numberOf(id: string): number {
  return Number.parseInt(id.slice(1), 10)
}

/** Returns a table of all targets in Markdown: what was reached on each Node, in bold where the target is missed. */
export function targetsMarkdown(report: Report): string {
  const majors = majorsOf(report).filter((major) => targetLines(report).some(({ reached }) => reached.has(major)))
  const head = ['Target', 'Work', 'Beside', 'Wanted', ...majors.map((major) => `Node ${major}`)]
  const rows = targetLines(report).map(({ id, title, rival, wanted, reached }) => [
    id,
    title,
    rival,
    wanted,
    ...majors.map((major) => {
      const found = reached.get(major)
      if (found === undefined) return ''
      const { met, figure, costs } = found
      const text = costs === undefined ? figure : `${figure} (${costs.map(cost).join(' / ')})`
      return met ? text : `**${text}**`
    }),
  ])
  return markdownTable(head, rows)
}

/** Returns a table in Markdown. */
export function markdownTable(head: string[], rows: string[][]): string {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  const line = (cells: string[]): string => `| ${cells.map((cell, at) => cell.padEnd(widths[at]!)).join(' | ')} |`
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join('\n')
}

/** Returns a ratio with two digits that count. */
export function short(ratio: number): string {
  return ratio >= 10 ? ratio.toFixed(0) : ratio >= 1 ? ratio.toFixed(1) : ratio.toFixed(2)
}

/** Returns a cost without a unit. */
export function cost(value: number): string {
  return Math.round(value) >= 100 ? Math.round(value).toLocaleString('en-US') : Number(value.toPrecision(2)).toString()
}
