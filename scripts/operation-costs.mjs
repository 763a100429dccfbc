// Compares what operations cost with what they are known to cost.

/** The most that an operation may cost beyond its known cost. */
const TOLERANCE = 0.03

/** Returns for each operation whether its cost is at most 3 % above the known one, and a line that says so. */
export function compareCosts(unit, known, found) {
  const names = [...new Set([...Object.keys(known), ...Object.keys(found)])]
  return names.map((name) => {
    const [before, now] = [known[name], found[name]]
    if (before === undefined)
      return { ok: false, line: `✗ ${name}: ${now} ${unit}, and no known figure: run with --save` }
    if (now === undefined) return { ok: false, line: `✗ ${name}: was not measured` }
    const ok = now <= before * (1 + TOLERANCE)
    const cheaper = now < before * (1 - TOLERANCE) ? ': cheaper, --save keeps it' : ''
    const change = before === 0 ? '' : ` (${(((now - before) / before) * 100).toFixed(1)} %)`
    return { ok, line: `${ok ? '✓' : '✗'} ${name}: ${now} ${unit}, known ${before}${change}${cheaper}` }
  })
}
