import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** What a relay has cost its process. */
export interface Cost {
  cpuSeconds: number
  /** The most that was resident at any time. */
  rssBytes: number
  longestStallMs: number
}

/** How a process relays: through rings of `ringBytes`, or with `pipe` and, if not the default, this high-water mark. */
export type Way = { ringBytes: number } | { highWaterMark?: number }

// A process of its own: `node relay-process.js WAY PORT` says where it listens, relays one connection to PORT, and says what that cost.
const [way, port] = process.argv.slice(2).map((text) => JSON.parse(text)) as [Way, number]
const highWaterMark = 'highWaterMark' in way ? { highWaterMark: way.highWaterMark } : {}
const relay = 'ringBytes' in way ? await throughRings(way.ringBytes) : throughPipes
const server = createServer({ allowHalfOpen: true, ...highWaterMark } as object).listen(0, '127.0.0.1')
await once(server, 'listening')
process.send?.((server.address() as { port: number }).port)
const [a] = (await once(server, 'connection')) as [Socket]
server.close()
const b = connect({ port, host: '127.0.0.1', allowHalfOpen: true, ...highWaterMark } as never)

const delay = monitorEventLoopDelay({ resolution: 5 })
delay.enable()
let rssBytes = 0
const sampling = setInterval(() => {
  rssBytes = Math.max(rssBytes, process.memoryUsage.rss())
}, 5)
const before = process.cpuUsage()
await relay(a, b)
const { user, system } = process.cpuUsage(before)
clearInterval(sampling)
const cost: Cost = { cpuSeconds: (user + system) / 1e6, rssBytes, longestStallMs: delay.max / 1e6 }
process.send?.(cost, () => process.disconnect())

/** Loaded only here, so that a process that pipes does not bear the weight of it. */
async function throughRings(size: number): Promise<(a: Socket, b: Socket) => Promise<unknown>> {
  const { relaySockets } = await import('../index.js')
  return (a, b) => relaySockets(a, b, { size })
}

function throughPipes(a: Socket, b: Socket): Promise<unknown> {
  a.pipe(b)
  b.pipe(a)
  return Promise.all([once(a, 'close'), once(b, 'close')])
}
