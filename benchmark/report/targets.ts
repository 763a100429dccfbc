import type { Reached, Row } from './record.js'
import { majorOf, majorsOf, type Report } from './run.js'

/** A target as it was reached on one Node. */
export interface ReachedOn extends Reached {
  subject: Row
  beside: Row
}

/** A target and its work, with the Nodes on which it was measured. */
export interface TargetLine {
  id: string
  title: string
  rival: string
  least: number
  /** By major version of Node. */
  reached: Map<number, ReachedOn>
}

/** Returns every target that the report has measured. */
export function targetLines(report: Report): TargetLine[] {
  const lines = new Map<string, TargetLine>()
  for (const { node, records } of report.runs) {
    for (const result of records) {
      if (result.kind !== 'comparison') continue
      for (const target of result.targets) {
        const { id, rival, least } = target
        const key = JSON.stringify([id, result.title, rival])
        const line = lines.get(key) ?? { id, title: result.title, rival, least, reached: new Map() }
        const beside = result.rows.find(({ name }) => name === rival)!
        line.reached.set(majorOf(node), { ...target, subject: result.rows[0]!, beside })
        lines.set(key, line)
      }
    }
  }
  return [...lines.values()].sort((a, b) => numberOf(a.id) - numberOf(b.id) || a.id.localeCompare(b.id))
}

function numberOf(id: string): number {
  return Number.parseInt(id.slice(1), 10)
}

/** Returns a table of all targets in Markdown: the ratio on each Node, in bold where the target is missed. */
export function targetsMarkdown(report: Report): string {
  const majors = majorsOf(report).filter((major) => targetLines(report).some(({ reached }) => reached.has(major)))
  const head = ['Target', 'Work', 'Beside', 'At least', ...majors.map((major) => `Node ${major}`)]
  const rows = targetLines(report).map(({ id, title, rival, least, reached }) => [
    id,
    title,
    rival,
    `${short(least)}×`,
    ...majors.map((major) => {
      const found = reached.get(major)
      if (found === undefined) return ''
      const text = `${short(found.ratio)}× (${cost(found.subject.value)} / ${cost(found.beside.value)})`
      return found.ratio >= least ? text : `**${text}**`
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
