import { growthChart } from './charts.js'
import { text } from './html.js'
import type { Comparison, Figure, Recorded, Table } from './record.js'
import { majorOf, majorsOf, type Report, type Run } from './run.js'
import { cost, isMet, short, targetLines } from './targets.js'

/** Returns the report as one page that needs no other file. */
export function page(report: Report): string {
  const { machine, seed, runs } = report
  const minutes = runs.reduce((sum, { seconds }) => sum + seconds, 0) / 60
  const commits = [...new Set(runs.map(({ commit }) => commit))].join(', ')
  const versions = [...new Set(runs.map(({ node }) => node))].join(', ')
  const dates = runs.map(({ date }) => date.slice(0, 10)).sort()
  const names = [...new Set(runs.map(({ name }) => name))]
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>framepool: benchmarks</title>
<style>${STYLE}</style>
<h1>framepool: benchmarks</h1>
<p>${text(machine.cpu)}, ${machine.cores} cores, ${machine.memoryGib} GiB, ${text(machine.system)}. Node ${text(versions)}, ${text(machine.rust)}.
Commit ${text(commits)}, ${text(dates[0] ?? '')} to ${text(dates.at(-1) ?? '')}, seed ${seed}. The runs took ${minutes.toFixed(1)} minutes.</p>
<p>All ways to do a piece of work run in turn, round after round. A ratio is another way's cost divided by framepool's, as the median of the rounds;
the brackets hold the interval in which it lies with 95 % confidence, by the bootstrap. Above 1, framepool is cheaper.</p>
${failures(report)}
<h2>Targets</h2>
${targets(report)}
<nav>${names.map((name) => `<a href="#${name}">${text(name)}</a>`).join(' ')}</nav>
${names.map((name) => section(runs.filter((run) => run.name === name))).join('\n')}
</html>
`
}

function targets(report: Report): string {
  const lines = targetLines(report)
  if (lines.length === 0) return '<p>No benchmark with a target has run.</p>'
  const majors = majorsOf(report)
  const head = ['Target', 'Work', 'Beside', 'Wanted', ...majors.map((major) => `Node ${major}`)]
  const rows = lines.map(({ id, title, rival, wanted, reached }) => {
    const cells = majors.map((major) => {
      const found = reached.get(major)
      if (found === undefined) return '<td></td>'
      const verdict = found.met ? 'met' : 'missed'
      const details = [
        ...(found.interval === undefined ? [] : [interval(...found.interval)]),
        ...(found.costs === undefined ? [] : [found.costs.map(cost).join(' / ')]),
      ]
      return `<td class="${verdict}"><b>${[`${text(found.figure)}</b> ${verdict}`, ...details].join('<br>')}</td>`
    })
    return `<tr><td>${id}</td><td>${text(title)}</td><td>${text(rival)}</td><td>${text(wanted)}</td>${cells.join('')}</tr>`
  })
  const missed = lines.filter(({ reached }) => [...reached.values()].some(({ met }) => !met)).length
  return `<p>${lines.length - missed} of ${lines.length} are met on every Node on which they were measured. A cell beside a rival has the ratio and both costs: framepool's / the other's.</p>
<div class="wide"><table><tr>${head.map((name) => `<th>${text(name)}</th>`).join('')}</tr>${rows.join('')}</table></div>`
}

/** Names the benchmarks that did not come to their end, so that nobody takes the page for whole. */
function failures({ runs }: Report): string {
  const failed = runs.filter(({ ok }) => !ok)
  if (failed.length === 0) return ''
  const lines = failed.map(
    (run) =>
      `<li><a href="#${run.name}">${text(run.name)}</a> on Node ${majorOf(run.node)}: ${text(howEnded(run))}</li>`,
  )
  return `<h2>Failed</h2><p>These benchmarks did not come to their end, so figures of theirs may be missing.</p><ul>${lines.join('')}</ul>`
}

function howEnded({ ended }: Run): string {
  return ended ?? 'for an unknown reason'
}

/** The runs of one benchmark, on several Nodes. */
function section(runs: Run[]): string {
  const [{ name }] = runs as [Run]
  const parts = runs.map((run) => {
    const { node, commit, ok, seconds, output, records } = run
    const verdict = ok ? '' : `: <b class="missed">failed</b>, ${text(howEnded(run))}`
    const heading = `<h3>Node ${majorOf(node)}${verdict}</h3>`
    const shown = records.map(result).join('\n')
    return `${runs.length > 1 || !ok ? heading : ''}${shown}
<details${records.length === 0 || !ok ? ' open' : ''}><summary>What it printed, ${seconds.toFixed(0)} s, at ${text(commit)}</summary><pre>${text(output.trim())}</pre></details>`
  })
  return `<section id="${name}"><h2>${text(name)}</h2><p><code>npm run bench -- ${text(name)}</code></p>${parts.join('\n')}</section>`
}

function result(recorded: Recorded): string {
  switch (recorded.kind) {
    case 'comparison':
      return comparison(recorded)
    case 'growth':
      return growthChart(recorded)
    case 'table':
      return table(recorded)
    case 'figure':
      return figure(recorded)
  }
}

function figure(found: Figure): string {
  const { id, title, unit, value, limit, atLeast } = found
  const met = isMet(found)
  const wanted = `${id} wants ${atLeast ? '≥' : '≤'} ${cost(limit)} ${unit}`
  return `<p class="${met ? 'met' : 'missed'}">${text(title)}: <b>${cost(value)} ${text(unit)}</b>; ${text(wanted)}: ${met ? 'met' : 'missed'}.</p>`
}

/** A bar for each way, on one scale from 0, with its interval. */
function comparison({ title, unit, rows, rounds }: Comparison): string {
  const most = Math.max(...rows.map(({ value }) => value))
  const bars = rows.map(({ name, value, ratio, low, high }, index) => {
    const unitsOfSubject = rows[0]!.value
    const at = (share: number): string => Math.min(100, (share * unitsOfSubject * 100) / most).toFixed(2)
    const whisker =
      index === 0 ? '' : `<line x1="${at(low)}" x2="${at(high)}" y1="5" y2="5" vector-effect="non-scaling-stroke"/>`
    const beside = index === 0 ? '' : ` <b>${short(ratio)}×</b> <small>${interval(low, high)}</small>`
    return `<div class="row"><span>${text(name)}</span><span>${cost(value)} ${text(unit)}${beside}</span>
<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class="${index === 0 ? 'ours' : 'other'}" width="${((value * 100) / most).toFixed(2)}" height="10"/>${whisker}</svg></div>`
  })
  return `<figure><figcaption>${text(title)} <small>${rounds} rounds</small></figcaption>${bars.join('\n')}</figure>`
}

function table({ title, head, rows, note }: Table): string {
  const line = (cells: string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${text(cell)}</${tag}>`).join('')}</tr>`
  return `<figure><figcaption>${text(title)}</figcaption><div class="wide"><table>${line(head, 'th')}${rows.map((row) => line(row, 'td')).join('')}</table></div><p>${text(note)}</p></figure>`
}

function interval(low: number, high: number): string {
  return `[${low.toFixed(2)}–${high.toFixed(2)}]`
}

const STYLE = `
:root { color-scheme: light dark; --back: #fff; --text: #1b1f24; --soft: #57606a; --line: #d0d7de; --ours: #0969da; --other: #9aa4af; --good: #1a7f37; --bad: #b3261e; --c0: #0969da; --c1: #9a6700; --c2: #1a7f37; --c3: #8250df; --c4: #b3261e }
@media (prefers-color-scheme: dark) { :root { --back: #0d1117; --text: #e6edf3; --soft: #9198a1; --line: #30363d; --ours: #4493f8; --other: #5b6570; --good: #3fb950; --bad: #ff7b72; --c0: #4493f8; --c1: #d29922; --c2: #3fb950; --c3: #ab7df8; --c4: #ff7b72 } }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; background: var(--back); color: var(--text); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.6rem } h2 { font-size: 1.25rem; margin-top: 2rem; border-bottom: 1px solid var(--line) } h3 { font-size: 1rem }
a { color: var(--ours); margin-right: .5em; display: inline-block } small { color: var(--soft); font-size: .8rem; font-weight: normal }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: .875rem } th, td { border: 1px solid var(--line); padding: .3rem .5rem; text-align: left; vertical-align: top; overflow-wrap: normal }
.met b { color: var(--good) } .missed b, b.missed { color: var(--bad) }
figure { margin: 1rem 0 } figcaption { font-weight: 600; margin-bottom: .25rem }
.row { display: grid; grid-template-columns: 1fr auto; gap: 0 1rem; font-size: .875rem; margin-bottom: .4rem } .row svg { grid-column: 1 / -1; width: 100%; height: .6rem; background: color-mix(in srgb, var(--line) 40%, transparent) }
.ours { fill: var(--ours) } .other { fill: var(--other) } .row line { stroke: var(--text); stroke-width: 2 }
.growth { width: 100%; max-width: 36rem } .growth text { fill: var(--soft); font: 9px system-ui, sans-serif } .growth path { fill: none; stroke-width: 1.8 } .axis { stroke: var(--line) }
pre { overflow-x: auto; font-size: .75rem; border: 1px solid var(--line); padding: .5rem } summary { color: var(--soft); font-size: .875rem }
`
