import type { DemoOutcome, Figures } from './coordinator.js'

/** The most reasons that are listed: a fault can hit every miner at once. */
const REASONS_SHOWN = 5

const count = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
const decimal = new Intl.NumberFormat('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 })

function micros(value: number): string {
  return `${count.format(value)} µs`
}

function megabytes(bytes: number | null): string {
  return bytes === null ? '–' : `${decimal.format(bytes / 1e6)} MB`
}

function framesForwarded({ relay }: Figures): number {
  return relay.framesUpstream + relay.framesDownstream
}

function framesPerSecond(figures: Figures): number {
  return figures.relay.seconds > 0 ? framesForwarded(figures) / figures.relay.seconds : 0
}

function cpuMicrosPerFrame(figures: Figures): number {
  const frames = framesForwarded(figures)
  return frames > 0 ? figures.relay.cpuMicros / frames : 0
}

/** Describes a run under way on one line. The percentiles are of the round trip, from a share to its answer. */
export function liveLine(figures: Figures): string {
  const { relay, shares } = figures
  return [
    `${decimal.format(relay.seconds)} s`,
    `${count.format(shares.accepted)} shares accepted`,
    `${count.format(framesPerSecond(figures))} frames/s`,
    `p50 ${micros(shares.rttP50Micros)}`,
    `p99 ${micros(shares.rttP99Micros)}`,
    `relay ${megabytes(relay.rssBytes)}`,
  ].join('  ')
}

/** Returns the lines of the table at the end of a run. */
export function table(figures: Figures): string[] {
  const { relay, shares } = figures
  const rows: [name: string, value: string][] = [
    ['miners', count.format(figures.miners)],
    ['seconds', decimal.format(relay.seconds)],
    ['shares sent / accepted', `${count.format(shares.sent)} / ${count.format(shares.accepted)}`],
    ['lost', count.format(figures.lost)],
    ['mismatched', count.format(figures.mismatched)],
    ['frames up / down', `${count.format(relay.framesUpstream)} / ${count.format(relay.framesDownstream)}`],
    ['bytes up / down', `${megabytes(relay.bytesUpstream)} / ${megabytes(relay.bytesDownstream)}`],
    ['frames/s', count.format(framesPerSecond(figures))],
    ['round trip p50 / p99', `${micros(shares.rttP50Micros)} / ${micros(shares.rttP99Micros)}`],
    ['relay CPU per frame', `${decimal.format(cpuMicrosPerFrame(figures))} µs`],
    ['relay garbage collections', count.format(relay.gcCount)],
    ['relay RSS after 2 s / at the end', `${megabytes(relay.rssAfter2sBytes)} / ${megabytes(relay.rssBytes)}`],
    ['relay RSS peak', megabytes(relay.peakRssBytes)],
    ['relay heap fallbacks', count.format(relay.heapFallbacks)],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`)
}

/** Returns the object that `--json` prints. */
export function summary(figures: Figures): Record<string, number | null> {
  const { relay, shares } = figures
  return {
    miners: figures.miners,
    seconds: Math.round(relay.seconds * 10) / 10,
    sharesSent: shares.sent,
    sharesAccepted: shares.accepted,
    sharesRejected: shares.rejected,
    lost: figures.lost,
    mismatched: figures.mismatched,
    framesForwarded: framesForwarded(figures),
    framesUpstream: relay.framesUpstream,
    framesDownstream: relay.framesDownstream,
    bytesUpstream: relay.bytesUpstream,
    bytesDownstream: relay.bytesDownstream,
    framesPerSecond: framesPerSecond(figures),
    rttP50Micros: shares.rttP50Micros,
    rttP99Micros: shares.rttP99Micros,
    relayCpuMicrosPerFrame: cpuMicrosPerFrame(figures),
    gcCount: relay.gcCount,
    peakRssBytes: relay.peakRssBytes,
    rssAfter2sBytes: relay.rssAfter2sBytes,
    rssAtEndBytes: relay.rssBytes,
    heapFallbacks: relay.heapFallbacks,
  }
}

/** Returns the reasons for which a run has failed. Empty if it has not. */
export function reasons({ figures, failures }: DemoOutcome): string[] {
  const found = failures.slice(0, REASONS_SHOWN)
  if (failures.length > REASONS_SHOWN) found.push(`and ${failures.length - REASONS_SHOWN} more like these`)
  if (!figures) return found
  const { lost, mismatched, shares } = figures
  if (lost > 0) found.push(`lost shares or frames: ${count.format(lost)}`)
  if (mismatched > 0) found.push(`frames that differ from what was sent: ${count.format(mismatched)}`)
  if (shares.rejected > 0) found.push(`rejected shares: ${count.format(shares.rejected)}`)
  if (shares.accepted === 0) found.push('no share was accepted')
  return found
}
