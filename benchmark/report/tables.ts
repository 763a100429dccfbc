import type { Comparison } from './record.js'
import { majorOf, majorsOf, type Report } from './run.js'
import { cost, markdownTable, short, targetsMarkdown } from './targets.js'

/** A line of the README's table: two rows of one comparison, by their names in the report. */
const README: { work: string; title: string; rival: string }[] = [
  {
    work: 'an echo server on Sv2 sessions: user CPU of a round trip of 64 B',
    title: 'an Sv2 echo server, 64 B, 500 round trips under way: user CPU for one',
    rival: 'stratum-apps 0.8.0',
  },
  {
    work: 'the same beside a stack in TypeScript',
    title: 'an Sv2 echo server, 64 B, 500 round trips under way: user CPU for one',
    rival: 'node:crypto',
  },
  { work: 'a TCP relay: CPU time for a GB', title: 'TCP relay, both ways at once: CPU time for a GB', rival: 'pipe' },
  { work: 'a copy of a file of 1 GiB', title: 'file to file, 1024 MiB', rival: 'fs streams, 64 KiB a chunk' },
  {
    work: 'bytes to another worker, 1 KiB through a ring',
    title: 'messages of 1024 B from worker to worker',
    rival: 'postMessage, transferred',
  },
  {
    work: 'slices of 1 KiB to another worker',
    title: 'slices of 1 KiB to another worker',
    rival: 'postMessage, transferred',
  },
  { work: 'a message of 64 B that is written and read', title: 'a message of 64 B', rival: 'Buffer.allocUnsafe' },
  { work: 'the same beside a list of Buffers', title: 'a message of 64 B', rival: 'a list of 8 Buffers' },
  { work: 'a message of 16 KiB', title: 'a message of 16384 B', rival: 'Buffer.allocUnsafe' },
  { work: 'a buffer of 1 MiB', title: 'buddy pool, 1024 KiB', rival: 'Buffer.allocUnsafeSlow' },
  { work: 'a ring in one thread, 64 B', title: 'a ring in one thread, 64 B', rival: 'plain ring' },
  { work: 'a ring in one thread, 16 KiB', title: 'a ring in one thread, 16384 B', rival: 'plain ring' },
]

/** The tables in the documentation, by the name in their markers. */
export const tables: Record<string, (report: Report) => string> = {
  readme: readmeTable,
  targets: targetsMarkdown,
  all: allTable,
  frames: (report) => tableOf(report, /^frames of |^a server of frames of .*: time of a frame$/),
}

/** Returns the tables' text for the README. A work that no run in the report has measured is left out. */
function readmeTable(report: Report): string {
  const majors = majorsOf(report)
  const rows = README.flatMap(({ work, title, rival }) => {
    const cells = majors.map((major) => {
      const found = comparisonsOf(report, major).find((comparison) => comparison.title === title)
      const beside = found?.rows.find(({ name }) => name === rival)
      if (found === undefined || beside === undefined) return ''
      const ratio = `${short(beside.ratio)}×`
      return `${beside.ratio < 1 ? `**${ratio}**` : ratio} (${cost(found.rows[0]!.value)} / ${cost(beside.value)} ${found.unit})`
    })
    return cells.every((cell) => cell === '') ? [] : [[work, rival, ...cells]]
  })
  return markdownTable(['Work', 'Beside', ...majors.map((major) => `Node ${major}`)], rows)
}

/** Returns a table of the comparisons whose title matches, with both costs on each Node. */
function tableOf(report: Report, wanted: RegExp): string {
  const majors = majorsOf(report)
  const lines = new Map<string, { title: string; rival: string; cells: Map<number, string> }>()
  for (const major of majors) {
    for (const { title, unit, rows } of comparisonsOf(report, major).filter(({ title }) => wanted.test(title))) {
      for (const { name, value, ratio } of rows.slice(1)) {
        const key = JSON.stringify([title, name])
        const line = lines.get(key) ?? { title, rival: name, cells: new Map() }
        const factor = `${short(ratio)}×`
        const bold = ratio < 1 ? `**${factor}**` : factor
        line.cells.set(major, `${bold} (${cost(rows[0]!.value)} / ${cost(value)} ${unit})`)
        lines.set(key, line)
      }
    }
  }
  const rows = [...lines.values()].map(({ title, rival, cells }) => [
    title,
    rival,
    ...majors.map((major) => cells.get(major) ?? ''),
  ])
  return markdownTable(['Work', 'Beside', ...majors.map((major) => `Node ${major}`)], rows)
}

/** Returns a table of everything that was compared on the Node with the most runs. */
function allTable(report: Report): string {
  const [major] = majorsOf(report)
    .map((major): [number, number] => [major, report.runs.filter(({ node }) => majorOf(node) === major).length])
    .sort(([, a], [, b]) => b - a)[0] ?? [0]
  const rows = report.runs
    // The costs of Node itself have nothing of framepool's.
    .filter(({ name, node }) => majorOf(node) === major && name !== 'costs')
    .flatMap(({ name, records }) =>
      records
        .filter((result) => result.kind === 'comparison')
        .flatMap(({ title, unit, rows }) =>
          rows
            .slice(1)
            .map((row, index) => [
              index === 0 ? title : '',
              index === 0 ? `${cost(rows[0]!.value)} ${unit}` : '',
              row.name,
              `${cost(row.value)} ${unit}`,
              row.ratio < 1 ? `**${short(row.ratio)}×**` : `${short(row.ratio)}×`,
              `${row.low.toFixed(2)}–${row.high.toFixed(2)}`,
              index === 0 ? `\`${name}\`` : '',
            ]),
        ),
    )
  return markdownTable(['Work', 'framepool', 'Beside', 'takes', 'Ratio', '95 %', 'Benchmark'], rows)
}

function comparisonsOf({ runs }: Report, major: number): Comparison[] {
  return runs
    .filter(({ node }) => majorOf(node) === major)
    .flatMap(({ records }) => records.filter((result) => result.kind === 'comparison'))
}

/** Returns `page` with each of its tables made again. A table lies between `<!-- bench:NAME -->` and `<!-- /bench -->`. */
export function withTables(page: string, report: Report): string {
  return page.replace(
    /(<!-- bench:(\w+) -->\n).*?(<!-- \/bench -->)/gs,
    (_, begin: string, name: string, end: string) => {
      const table = tables[name]
      if (table === undefined) throw new Error(`there is no table ${name}`)
      return `${begin}\n${table(report)}\n\n${end}`
    },
  )
}
