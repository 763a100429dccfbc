import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** Way to relay: through rings of `ringBytes`, or with `pipe` and an optional high-water mark. */
export interface Way {
  ringBytes?: number
  highWaterMark?: number
}

/** Cost of relaying in this process. */
export interface Cost {
  cpuSeconds: number
  /** Peak of the resident memory. */
  rssBytes: number
  /** Growth of the resident memory to its peak. */
  rssGrowthBytes: number
  longestStallMs: number
}

// Program that benchmarks and tests of relays fork. It reports its port, relays one connection to the given port, and
// reports the cost.
const [way, port] = process.argv.slice(2).map((text) => JSON.parse(text)) as [Way, number]
const { ringBytes, ...options } = { ...way, allowHalfOpen: true }
const relay = ringBytes === undefined ? throughPipes : await throughRings(ringBytes)
const server = createServer(options).listen(0, '127.0.0.1')
await once(server, 'listening')
process.send?.((server.address() as { port: number }).port)
const [a] = (await once(server, 'connection')) as [Socket]
const b = connect({ port, host: '127.0.0.1', ...options })

const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
const rssBefore = process.memoryUsage.rss()
let rssBytes = rssBefore
const sampling = setInterval(() => {
  rssBytes = Math.max(rssBytes, process.memoryUsage.rss())
}, 10)
const before = process.cpuUsage()
await relay(a, b)
const { user, system } = process.cpuUsage(before)
clearInterval(sampling)
server.close()
const cost: Cost = {
  cpuSeconds: (user + system) / 1e6,
  rssBytes,
  rssGrowthBytes: rssBytes - rssBefore,
  longestStallMs: delay.max / 1e6,
}
process.send?.(cost, () => process.disconnect())

function throughPipes(a: Socket, b: Socket): Promise<unknown> {
  a.pipe(b)
  b.pipe(a)
  return Promise.all([once(a, 'close'), once(b, 'close')])
}

/** Loads framepool here, because a process that pipes should not load it. */
async function throughRings(size: number): Promise<(a: Socket, b: Socket) => Promise<unknown>> {
  const { relaySockets } = await import('../index.js')
  return (a, b) => relaySockets(a, b, { size })
}
