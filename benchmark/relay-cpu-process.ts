// A relay in a process of its own, for the benchmark of its CPU time: usage `relay-cpu-process.js <options in JSON>`. The option `hook` has
// every frame go to JavaScript. It tells its port, and on every message what it has spent.
import { createRelay, type RelayOptions } from '../src/sv2/index.js'

export interface RelayCpuReport {
  /** Frames forwarded since the start, in both directions. */
  frames: number
  /** CPU time of the process, user and system. */
  cpuMicros: number
}

const { hook, ...options } = JSON.parse(process.argv[2] as string) as RelayOptions & { hook?: boolean }
const relay = createRelay({ ...options, ...(hook && { onFrame: () => 'forward' as const }) })
const { port } = await relay.listen()
process.send?.(port)
process.on('message', () => {
  const { framesUpstream, framesDownstream } = relay.stats()
  const { user, system } = process.cpuUsage()
  const report: RelayCpuReport = { frames: framesUpstream + framesDownstream, cpuMicros: user + system }
  process.send?.(report)
})
