/** The demo's relay: alone in its process, so that CPU time, garbage collections and memory are those of the relay. */
import { existsSync, readFileSync } from 'node:fs'
import { PerformanceObserver } from 'node:perf_hooks'
import { createRelay, type Relay } from '../../sv2/index.js'
import { type RelayCommand, type RelaySample, report, serve } from './ipc.js'

const SAMPLE_INTERVAL_MS = 250
const SETTLED_AFTER_MS = 2000
const STATUS_FILE = '/proc/self/status'

/** Measures what the relay has done since this was made. */
class Measurement {
  readonly #relay: Relay
  readonly #startedAt = process.hrtime.bigint()
  readonly #cpuAtStart = process.cpuUsage()
  readonly #statsAtStart
  readonly #collections = new PerformanceObserver((list) => this.#count(list.getEntries()))
  #gcCount = 0
  #rssAfter2sBytes: number | null = null

  constructor(relay: Relay) {
    this.#relay = relay
    this.#statsAtStart = relay.stats()
    this.#collections.observe({ entryTypes: ['gc'] })
    setTimeout(() => {
      this.#rssAfter2sBytes = process.memoryUsage.rss()
    }, SETTLED_AFTER_MS)
  }

  #count(entries: unknown[]): void {
    this.#gcCount += entries.length
  }

  sample(): RelaySample {
    this.#count(this.#collections.takeRecords())
    const cpu = process.cpuUsage(this.#cpuAtStart)
    const stats = this.#relay.stats()
    const start = this.#statsAtStart
    return {
      seconds: Number(process.hrtime.bigint() - this.#startedAt) / 1e9,
      framesUpstream: stats.framesUpstream - start.framesUpstream,
      framesDownstream: stats.framesDownstream - start.framesDownstream,
      bytesUpstream: stats.bytesUpstream - start.bytesUpstream,
      bytesDownstream: stats.bytesDownstream - start.bytesDownstream,
      cpuMicros: cpu.user + cpu.system,
      gcCount: this.#gcCount,
      rssBytes: process.memoryUsage.rss(),
      rssAfter2sBytes: this.#rssAfter2sBytes,
      peakRssBytes: peakRssBytes(),
      heapFallbacks: stats.heapFallbacks,
    }
  }
}

/** Returns the peak of the RSS. On Linux, `maxRSS` of a child counts what its parent held when it forked; the status file does not. */
function peakRssBytes(): number {
  const status = existsSync(STATUS_FILE) ? readFileSync(STATUS_FILE, 'utf8') : ''
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? process.resourceUsage().maxRSS
  return Number(kilobytes) * 1024
}

let relay: Relay
let measurement: Measurement

async function start({ authority, upstream }: Extract<RelayCommand, { kind: 'start' }>): Promise<void> {
  relay = createRelay({
    listen: { host: '127.0.0.1', port: 0 },
    upstream,
    authorityPublicKey: authority.publicKey,
    authoritySecretKey: authority.secretKey,
  })
  relay.on('error', (error: Error) => report({ kind: 'failure', reason: `relay: ${error.message}` }))
  report({ kind: 'listening', address: await relay.listen() })
}

serve<RelayCommand>({
  start,
  load() {
    measurement = new Measurement(relay)
    const sample = (): void => report({ kind: 'sample', sample: measurement.sample() })
    sample()
    setInterval(sample, SAMPLE_INTERVAL_MS)
  },
  finish: () => report({ kind: 'finished', sample: measurement.sample() }),
})
