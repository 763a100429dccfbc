/** P11: a TCP relay with relaySockets beside a.pipe(b) and b.pipe(a), 64 KiB writes: CPU time and memory of its process. */
import { strict as assert } from 'node:assert'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { answerOf } from './answer.js'
import type { Cost, Way } from './relay-process.js'
import { report } from './rounds.js'

const ROUNDS = 5
/** Bytes in each direction. */
const BYTES = 2 ** 27
const PIECE = 64 * 1024
/** Does not divide the size of a ring, so that misplaced bytes show. */
const PERIOD = 65_521
const pattern = Uint8Array.from({ length: PERIOD + PIECE }, (_, at) => Math.imul((at % PERIOD) + 1, 0x9e37_79b1) >>> 24)

// The first is the default, which the others are compared with.
const rings = [512, 64, 1024].map((kib) => ({
  name: `relaySockets, ${kib} KiB`,
  way: { ringBytes: kib * 1024 } as Way,
}))
const pipes = [
  { name: 'pipe', way: {} },
  { name: 'pipe, 256 KiB', way: { highWaterMark: 256 * 1024 } },
]
const ways = [...rings, ...pipes]

for (const [title, back] of [
  ['TCP relay, one way', 0],
  ['TCP relay, both ways at once', BYTES],
] as const) {
  const costs = ways.map((): Cost[] => [])
  // The ways run in turn, so that a change of the machine's speed affects all of them. The first round is a warm-up.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [index, { way }] of ways.entries()) {
      const cost = await measure(way, back)
      if (round > 0) costs[index]!.push(cost)
    }
  }
  const names = ways.map(({ name }) => name)
  const gigabytes = (BYTES + back) / 1e9
  const cpu = costs.map((own) => own.map(({ cpuSeconds }) => (cpuSeconds * 1000) / gigabytes))
  const memory = costs.map((own) => own.map(({ rssBytes }) => rssBytes / 2 ** 20))
  const rival = 'pipe'
  const targets = { cpu: { id: 'P11', rival, least: 1 / 0.75 }, memory: { id: 'P11', rival, least: 1 / 0.7 } }
  report({ title: `${title}: CPU time for a GB`, unit: 'ms', names, costs: cpu, targets: [targets.cpu] })
  report({ title: `${title}: memory of the process`, unit: 'MiB', names, costs: memory, targets: [targets.memory] })
  const stalls = costs.map((own) => Math.max(...own.map(({ longestStallMs }) => longestStallMs)).toFixed(1))
  console.log(`  longest stalls, in ms: ${stalls.join(', ')}`)
}

/** Measures a new process that relays `BYTES` one way and `back` bytes the other, and checks that they arrive. */
async function measure(way: Way, back: number): Promise<Cost> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const relay = fork(
    fileURLToPath(new URL('./relay-process.js', import.meta.url)),
    [way, (server.address() as { port: number }).port].map((argument) => JSON.stringify(argument)),
  )
  const port = await answerOf<number>(relay)
  const cost = answerOf<Cost>(relay)
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const left = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [right] = await accepted
  await Promise.all([send(left, BYTES), receive(right, BYTES), send(right, back), receive(left, back)])
  server.close()
  return cost
}

async function send(socket: Socket, bytes: number): Promise<void> {
  for (let sent = 0; sent < bytes; sent += PIECE) {
    const start = sent % PERIOD
    if (!socket.write(pattern.subarray(start, start + PIECE))) await once(socket, 'drain')
  }
  socket.end()
}

async function receive(socket: Socket, bytes: number): Promise<void> {
  let received = 0
  socket.on('data', (chunk) => {
    const start = received % PERIOD
    assert(chunk.equals(pattern.subarray(start, start + chunk.length)))
    received += chunk.length
  })
  await once(socket, 'end')
  assert.equal(received, bytes)
}
