// A relay in a process of its own, for benchmarks: usage `sv2-relay-process.js <options in JSON>`. It tells its port, and on
// every message what has come of it.
import { PerformanceObserver } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { native } from '../src/native/load.js'
import { createRelay, type RelayOptions } from '../src/sv2/index.js'

export interface RelayReport {
  connections: number
  /** Frames forwarded since the start, in both directions. */
  frames: number
  /** `memoryBytes` of the relay's `stats()`. */
  memoryBytes: number
  /** Resident memory after a garbage collection. */
  rssBytes: number
  /** Time in garbage collection since the last report, without the collection that each report makes. */
  gcMillis: number
  /** Native allocations since the last report, or null if the addon does not count them. */
  allocations: number | null
}

/** As the addon has it when it was built with the feature `count-allocations`. */
const { allocations } = native as { allocations?: () => number }
let allocationsBefore = 0

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

let gcMillis = 0
const observer = new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) gcMillis += duration
})
observer.observe({ entryTypes: ['gc'] })
/** Waits for entries, which are delivered on a later turn. */
const delivered = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10))

const relay = createRelay(JSON.parse(process.argv[2] as string) as RelayOptions)
const { port } = await relay.listen()
process.send?.(port)
process.on('message', async () => {
  const allocated = allocations === undefined ? null : allocations() - allocationsBefore
  await delivered()
  const spent = gcMillis
  collect()
  await delivered()
  gcMillis = 0
  const { connections, framesUpstream, framesDownstream, memoryBytes } = relay.stats()
  const frames = framesUpstream + framesDownstream
  const rssBytes = process.memoryUsage.rss()
  const report: RelayReport = { connections, frames, memoryBytes, rssBytes, gcMillis: spent, allocations: allocated }
  process.send?.(report)
  // The cost of the report itself does not count.
  allocationsBefore = allocations?.() ?? 0
})
