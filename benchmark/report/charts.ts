import { text } from './html.js'
import type { Growth } from './record.js'
import { cost } from './targets.js'

const [WIDTH, HEIGHT] = [360, 220]
const [LEFT, RIGHT, TOP, BOTTOM] = [40, 10, 10, 30]

/** Returns a chart of how a cost grows, both axes logarithmic, with a sentence. */
export function growthChart({ title, along, unit, lines, sentence }: Growth): string {
  const points = lines.flatMap(({ points }) => points)
  const x = scale(
    points.map(([x]) => x),
    LEFT,
    WIDTH - RIGHT,
  )
  const y = scale(
    points.map(([, y]) => y),
    HEIGHT - BOTTOM,
    TOP,
  )
  const paths = lines.map(({ points }, index) => {
    const path = points.map(([px, py]) => `${x.at(px).toFixed(1)} ${y.at(py).toFixed(1)}`).join(' L ')
    return `<path d="M ${path}" style="stroke: var(--c${index % 5})"/>`
  })
  const xTicks = x.ticks.map(
    (tick) =>
      `<line class="axis" x1="${x.at(tick)}" x2="${x.at(tick)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/><text x="${x.at(tick)}" y="${HEIGHT - BOTTOM + 11}" text-anchor="middle">${amount(tick)}</text>`,
  )
  const yTicks = y.ticks.map(
    (tick) =>
      `<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y.at(tick)}" y2="${y.at(tick)}"/><text x="${LEFT - 4}" y="${y.at(tick) + 3}" text-anchor="end">${amount(tick)}</text>`,
  )
  const legend = lines.map(
    ({ name }, index) =>
      `<span style="color: var(--c${index % 5})">■</span> ${text(name)}, ${cost(lines[index]!.points[0]![1])} to ${cost(lines[index]!.points.at(-1)![1])} ${text(unit)}`,
  )
  return `<figure><figcaption>${text(title)}</figcaption>
<svg class="growth" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${text(sentence)}">${xTicks.join('')}${yTicks.join('')}${paths.join('')}
<text x="${(LEFT + WIDTH) / 2}" y="${HEIGHT - 4}" text-anchor="middle">${text(along)}</text><text x="2" y="8">${text(unit)}</text></svg>
<div>${legend.join('<br>')}</div><p>${text(sentence)}</p></figure>`
}

/** Places values on a logarithmic axis from `from` to `to`. 0 counts as the half of 1. */
function scale(values: number[], from: number, to: number): { at: (value: number) => number; ticks: number[] } {
  const log = (value: number): number => Math.log2(Math.max(value, 0.5))
  const [low, high] = [Math.min(...values.map(log)), Math.max(...values.map(log))]
  const at = (value: number): number => from + ((log(value) - low) / (high - low || 1)) * (to - from)
  const exponents = Array.from({ length: 20 }, (_, index) => Math.ceil(low) + index).filter((power) => power <= high)
  // At most six, so that the numbers do not meet.
  const step = Math.ceil(exponents.length / 6) || 1
  return { at, ticks: exponents.filter((_, index) => index % step === 0).map((power) => 2 ** power) }
}

/** Returns a number for an axis. */
function amount(value: number): string {
  for (const [unit, size] of [
    ['M', 2 ** 20],
    ['k', 2 ** 10],
  ] as const) {
    if (value >= size) return `${Number((value / size).toPrecision(3))} ${unit}`
  }
  return String(value)
}
