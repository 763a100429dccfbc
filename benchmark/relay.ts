/**
 * P18: CPU of the relay for a frame, with 50 and 1,000 miners in a closed loop: with one thread, with two, and with a hook on every frame.
 * `--seconds=N` sets the length of a run. The figures to compare with are those of the reference implementation's relay on the same machine:
 * `FRAMEPOOL_REFERENCE=16.5,19.9` gives its microseconds a frame at 50 and at 1,000 miners.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { generateAuthorityKeypair, Sv2Session } from '../src/sv2/index.js'
import type { RelayCpuReport } from './relay-cpu-process.js'

const MINERS = [50, 1000]
const WAYS = { 'one thread': {}, 'two threads': { threads: 2 }, 'a hook on every frame': { hook: true } }
const ROUNDS = 3
const WARM_UP_MS = 500
const PAYLOAD = Buffer.alloc(64, 7)
const { seconds = '3' } = Object.fromEntries(process.argv.slice(2).map((flag) => flag.replace(/^--/, '').split('=')))

const { publicKey: authorityPublicKey, secretKey: authoritySecretKey } = generateAuthorityKeypair()
const pool = createServer((socket) => {
  socket.on('error', () => {})
  const session = Sv2Session.responder({ authorityPublicKey, authoritySecretKey })
  session.attach(socket, (batch) => session.forward(batch, session))
}).listen(0, '127.0.0.1')
await once(pool, 'listening')
const upstream = { host: '127.0.0.1', port: (pool.address() as AddressInfo).port, authorityPublicKey }

/** Runs miners that each send a frame when the last has come back. Returns the microseconds of CPU that the relay spends on a frame. */
async function run(miners: number, way: object): Promise<number> {
  const options = { listen: { port: 0 }, upstream, authorityPublicKey, authoritySecretKey, ...way }
  const process = fileURLToPath(new URL('relay-cpu-process.js', import.meta.url))
  const relay = fork(process, [JSON.stringify(options)])
  const [port] = (await once(relay, 'message')) as [number]
  const sockets = []
  for (let index = 0; index < miners; index++) {
    const session = Sv2Session.initiator({ authorityPublicKey })
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    sockets.push(socket)
    session.attach(socket, () => session.send({ messageType: 1 }, PAYLOAD))
    await session.established()
    session.send({ messageType: 1 }, PAYLOAD)
  }
  const ask = async (): Promise<RelayCpuReport> => {
    relay.send('report')
    return ((await once(relay, 'message')) as [RelayCpuReport])[0]
  }
  await sleep(WARM_UP_MS)
  const before = await ask()
  await sleep(Number(seconds) * 1000)
  const after = await ask()
  for (const socket of sockets) socket.destroy()
  relay.kill()
  return (after.cpuMicros - before.cpuMicros) / (after.frames - before.frames)
}

const reference = process.env.FRAMEPOOL_REFERENCE?.split(',').map(Number)
for (const [column, miners] of MINERS.entries()) {
  const found = new Map<string, number[]>(Object.keys(WAYS).map((name) => [name, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, way] of Object.entries(WAYS)) found.get(name)!.push(await run(miners, way))
  }
  console.log(`\n${miners} miners in a closed loop through a relay: CPU of its process, a frame`)
  for (const [name, each] of found) {
    const median = each.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)]!
    const beside = reference?.[column]
    const ratio = beside === undefined ? '' : `  ${(median / beside).toFixed(2)} of the reference`
    console.log(`  ${name.padEnd(24)} ${median.toFixed(1).padStart(6)} µs${ratio}`)
  }
}
process.exit()
