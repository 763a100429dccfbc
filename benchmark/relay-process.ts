import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** How to relay: through rings of so many bytes, or with `pipe` and, unless it is the default, this high-water mark. */
export interface Way {
  ringBytes?: number
  highWaterMark?: number
}

/** What relaying has cost this process. */
export interface Cost {
  cpuSeconds: number
  /** The most that was resident. */
  rssBytes: number
  /** How much that was more than before. */
  rssGrowthBytes: number
  longestStallMs: number
}

// The process of its own that a benchmark or a test of relays forks: it tells its port, relays one connection to the port
// that it is given, and tells what that has cost.
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

/** Loads framepool only here: a process that pipes does not have to carry it. */
async function throughRings(size: number): Promise<(a: Socket, b: Socket) => Promise<unknown>> {
  const { relaySockets } = await import('../index.js')
  return (a, b) => relaySockets(a, b, { size })
}
