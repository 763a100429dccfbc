// A relay in a process of its own, for benchmarks: usage `relay-cpu-process.js <options in JSON>`. It tells its port. The option `hook` has
// every frame go to JavaScript; `divert` names an address whose miners go to another mining pool. On `block` JavaScript blocks for a second of every two; on `report` it tells its figures. SIGTERM drains.
import { readdirSync } from 'node:fs'
import { createRelay, type RelayOptions, type RelayStats, type Upstream } from '../src/sv2/index.js'

/** Figures of the relay's process. */
export interface RelayFigures {
  stats: RelayStats
  rssBytes: number
  heapBytes: number
  descriptors: number
}

/** Settings of this program beside those of a relay. */
export interface Ways {
  hook?: boolean
  divert?: { from: string; to: Upstream }
}

const { hook, divert, ...options } = JSON.parse(process.argv[2] as string) as RelayOptions & Ways
const { upstream } = options
const relay = createRelay({
  ...options,
  ...(hook && { onFrame: () => 'forward' as const }),
  ...(divert && {
    upstream: ({ remoteAddress }) => (remoteAddress === divert.from ? divert.to : (upstream as Upstream)),
  }),
})
relay.on('error', () => {})
const { port } = await relay.listen()
process.send?.(port)

const nothing = new Int32Array(new SharedArrayBuffer(4))
let blocking: NodeJS.Timeout | undefined
process.on('message', (command) => {
  if (command === 'block') {
    // It waits rather than computes, so that it takes no processor away from the other threads and processes.
    blocking = setInterval(() => Atomics.wait(nothing, 0, 0, 1000), 2000)
  } else if (command === 'unblock') {
    clearInterval(blocking)
  } else {
    const { rss, heapUsed } = process.memoryUsage()
    const figures: RelayFigures = {
      stats: relay.stats(),
      rssBytes: rss,
      heapBytes: heapUsed,
      descriptors: readdirSync('/proc/self/fd').length,
    }
    process.send?.(figures)
  }
})
process.once('SIGTERM', async () => {
  await relay.close({ drainMs: 5000 })
  process.exit()
})
