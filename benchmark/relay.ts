/**
 * P18: CPU of the relay for a frame, with 50 and 1,000 miners in a closed loop: with one thread, with two, and with a hook on every frame.
 * Beside it run the reference implementation's relay, and a pipe that moves bytes and knows no protocol. Both are native programs
 * of one thread. `--seconds=N` sets the length of a run, and `--miners=N` the number of miners.
 */
import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { generateAuthorityKeypair, Sv2Session } from '../src/sv2/index.js'
import { answerOf } from './answer.js'
import { median } from './compare.js'
import { type Cpu, cpuOf, totalOf } from './process-cpu.js'

const ROUNDS = 3
const WARM_UP_MS = 500
/** Miners that connect at once. */
const AT_ONCE = 50
const PAYLOAD = Buffer.alloc(64, 7)
const flags = Object.fromEntries(process.argv.slice(2).map((flag) => flag.replace(/^--/, '').split('=')))
const seconds = Number(flags.seconds ?? 3)
const counts: number[] = flags.miners === undefined ? [50, 1000] : [Number(flags.miners)]

const root = fileURLToPath(new URL('../..', import.meta.url))
const { publicKey: authorityPublicKey, secretKey: authoritySecretKey } = generateAuthorityKeypair()
const pool = createServer((socket) => {
  socket.on('error', () => {})
  const session = Sv2Session.responder({ authorityPublicKey, authoritySecretKey })
  session.attach(socket, (batch) => session.forward(batch, session))
}).listen(0, '127.0.0.1')
await once(pool, 'listening')
const upstream = { host: '127.0.0.1', port: (pool.address() as AddressInfo).port, authorityPublicKey }

/** A running relay. */
interface Running {
  relay: ChildProcess
  port: number
}

async function engine(way: object): Promise<Running> {
  const options = { listen: { port: 0 }, upstream, authorityPublicKey, authoritySecretKey, ...way }
  const relay = fork(fileURLToPath(new URL('relay-cpu-process.js', import.meta.url)), [JSON.stringify(options)])
  const port = await answerOf<number>(relay)
  return { relay, port }
}

async function program(name: string, ...args: string[]): Promise<Running> {
  const address = `${upstream.host}:${upstream.port}`
  const relay = spawn(`${root}target/rivals/release/${name}`, [address, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [printed] = (await once(relay.stdout!, 'data')) as [Buffer]
  return { relay, port: Number(printed.toString()) }
}

const contenders = new Map<string, () => Promise<Running>>([
  ['one thread', () => engine({})],
  ['two threads', () => engine({ threads: 2 })],
  ['a hook on every frame', () => engine({ hook: true })],
])
const manifest = `${root}benchmark/rivals/relays/Cargo.toml`
const cargo = ['build', '--quiet', '--release', '--locked', '--manifest-path', manifest]
const [REFERENCE, FLOOR] = ['stratum-apps 0.8.0', 'a pipe, no cryptography']
if (spawnSync('cargo', [...cargo, '--target-dir', `${root}target/rivals`], { stdio: 'inherit' }).status === 0) {
  contenders.set(REFERENCE, () => program('reference', authorityPublicKey, authoritySecretKey))
  contenders.set(FLOOR, () => program('pipe'))
}

/** Runs miners that each send a frame when the last has come back. Returns the CPU that the relay spends on a frame. */
async function run(miners: number, start: () => Promise<Running>): Promise<Cpu> {
  const { relay, port } = await start()
  const sockets: Socket[] = []
  let echoes = 0
  const mine = async (): Promise<void> => {
    const session = Sv2Session.initiator({ authorityPublicKey })
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    sockets.push(socket)
    session.attach(socket, (batch) => {
      echoes += batch.length
      session.send({ messageType: 1 }, PAYLOAD)
    })
    await session.established()
    session.send({ messageType: 1 }, PAYLOAD)
  }
  for (let made = 0; made < miners; made += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, miners - made) }, mine))
  }
  await sleep(WARM_UP_MS)
  const [before, echoesBefore] = [cpuOf(relay), echoes]
  await sleep(seconds * 1000)
  const after = cpuOf(relay)
  // An echo went through the relay twice.
  const frames = 2 * (echoes - echoesBefore)
  for (const socket of sockets) socket.destroy()
  relay.kill()
  await once(relay, 'exit')
  return { user: (after.user - before.user) / frames, system: (after.system - before.system) / frames }
}

for (const miners of counts) {
  const found = new Map<string, Cpu[]>([...contenders.keys()].map((name) => [name, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, start] of contenders) found.get(name)!.push(await run(miners, start))
  }
  console.log(`\n${miners} miners in a closed loop through a relay: CPU of its process, a frame (user + system)`)
  const beside = (name: string, rival: string): string => {
    const rivals = found.get(rival)
    if (rivals === undefined || name === REFERENCE || name === FLOOR) return ''
    return median(found.get(name)!.map((cpu, round) => totalOf(cpu) / totalOf(rivals[round]!))).toFixed(2)
  }
  for (const [name, each] of found) {
    const [all, user, system] = [totalOf, (cpu: Cpu) => cpu.user, (cpu: Cpu) => cpu.system].map((figure) =>
      median(each.map(figure)).toFixed(1),
    )
    const ratios = [REFERENCE, FLOOR].map((rival) => beside(name, rival))
    const compared = ratios[0] === '' ? '' : `  ${ratios[0]} of the reference, ${ratios[1]} of the pipe`
    console.log(`  ${name.padEnd(24)} ${all!.padStart(6)} µs (${user} + ${system})${compared}`)
  }
}
process.exit()
