/** P11: a TCP relay with relaySockets beside a.pipe(b) and b.pipe(a), 64 KiB writes: CPU time and memory of the relay's process. */
import { strict as assert } from 'node:assert'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { median } from './compare.js'
import type { Cost, Way } from './relay-process.js'

const ROUNDS = Number(process.env.R ?? 7)
const BYTES = Number(process.env.B ?? 2 ** 28)
const ONEWAY = process.env.ONEWAY === '1'
const PIECE = 64 * 1024
const KIB = 1024
/** Not a divisor of any ring, so that bytes in a wrong place show. */
const PERIOD = 65_521
const pattern = Uint8Array.from({ length: 2 * PIECE }, (_, at) => Math.imul((at % PERIOD) + 1, 0x9e37_79b1) >>> 24)

const ways: { name: string; way: Way }[] = [
  ...(process.env.SIZES ?? '64,128,256,1024').split(',').map((kib) => ({ name: `relaySockets, ${kib} KiB`, way: { ringBytes: Number(kib) * KIB } })),
  { name: 'pipe', way: {} },
  ...(process.env.HWM ?? '64,256').split(',').filter(Boolean).map((kib) => ({ name: `pipe, ${kib} KiB`, way: { highWaterMark: Number(kib) * KIB } })),
]

const costs = ways.map((): Cost[] => [])
for (let round = 0; round <= ROUNDS; round++) {
  for (const [index, { way }] of ways.entries()) {
    const cost = await measure(way)
    if (round > 0) costs[index]?.push(cost)
  }
}
const rival = costs[ways.findIndex(({ name }) => name === 'pipe')] as Cost[]
for (const [index, { name }] of ways.entries()) {
  const own = costs[index] as Cost[]
  const of = (key: keyof Cost): number => median(own.map((cost) => cost[key]))
  const ratio = (key: keyof Cost): string => median(own.map((cost, round) => cost[key] / (rival[round] as Cost)[key])).toFixed(2)
  console.log(
    `${name.padEnd(24)} ${(of('cpuSeconds') / (((ONEWAY ? 1 : 2) * BYTES) / 1e9)).toFixed(3)} CPU s/GB ${ratio('cpuSeconds')}x  ${(of('rssBytes') / 2 ** 20).toFixed(1)} MiB ${ratio('rssBytes')}x  stall ${of('longestStallMs').toFixed(1)} ms, max ${Math.max(...own.map((c) => c.longestStallMs)).toFixed(1)}`,
  )
}

async function measure(way: Way): Promise<Cost> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: target } = server.address() as { port: number }
  const relay = fork(fileURLToPath(new URL('./relay-process.js', import.meta.url)), [
    JSON.stringify(way),
    JSON.stringify(target),
  ])
  const [port] = (await once(relay, 'message')) as [number]
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const cost = once(relay, 'message') as Promise<[Cost]>
  const left = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [right] = await accepted
  server.close()
  await Promise.all([send(left, BYTES), send(right, ONEWAY ? 0 : BYTES), receive(right, BYTES), receive(left, ONEWAY ? 0 : BYTES)])
  return (await cost)[0]
}

async function send(socket: Socket, bytes: number): Promise<void> {
  for (let at = 0; at < bytes; at += PIECE) {
    const start = at % PERIOD
    if (!socket.write(pattern.subarray(start, start + PIECE))) await once(socket, 'drain')
  }
  socket.end()
}

async function receive(socket: Socket, bytes: number): Promise<void> {
  let received = 0
  socket.on('data', (chunk) => {
    const start = received % PERIOD
    if (process.env.NOCHECK !== '1') assert(chunk.equals(pattern.subarray(start, start + chunk.length)))
    received += chunk.length
  })
  await once(socket, 'end')
  assert.equal(received, bytes)
}
