/**
 * P18: CPU of the relay for a frame, with 50 and 1,000 miners in a closed loop: with one thread, with two, and with a hook on every frame.
 * Beside it run the reference implementation's relay, and a pipe that moves bytes and knows no protocol. Both are native programs
 * of one thread. `--seconds=N` sets the length of a round, and `--miners=N` the number of miners.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Sv2Session } from '../src/sv2/index.js'
import { answerOf } from './answer.js'
import { startEchoPool } from './echo-pool.js'
import { rivalsIn } from './native.js'
import { type Cpu, cpuOf, totalOf } from './process-cpu.js'
import { report } from './rounds.js'
import { median } from './statistics.js'

const ROUNDS = 5
/** Miners that connect at once. */
const AT_ONCE = 50
const PAYLOAD = Buffer.alloc(64, 7)
const flags = Object.fromEntries(process.argv.slice(2).map((flag) => flag.replace(/^--/, '').split('=')))
// The system counts CPU time in hundredths of a second, and shorter rounds vary by a third.
const seconds = Number(flags.seconds ?? 1)
const counts: number[] = flags.miners === undefined ? [50, 1000] : [Number(flags.miners)]

const { keys, upstream } = await startEchoPool()
const { authorityPublicKey, authoritySecretKey } = keys

/** A running relay. */
interface Running {
  relay: ChildProcess
  port: number
}

async function engine(way: object): Promise<Running> {
  const options = { listen: { port: 0 }, upstream, ...keys, ...way }
  const relay = fork(fileURLToPath(new URL('relay-cpu-process.js', import.meta.url)), [JSON.stringify(options)])
  const port = await answerOf<number>(relay)
  return { relay, port }
}

async function program(path: string, ...args: string[]): Promise<Running> {
  const address = `${upstream.host}:${upstream.port}`
  const relay = spawn(path, [address, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [printed] = (await once(relay.stdout!, 'data')) as [Buffer]
  return { relay, port: Number(printed.toString()) }
}

/** Ways to relay, and the most that they may take of the CPU time of the reference (P18). */
const ways: { name: string; start: () => Promise<Running>; most: (miners: number) => number }[] = [
  { name: 'one thread', start: () => engine({}), most: (miners) => (miners < 1000 ? 0.65 : 0.55) },
  { name: 'two threads', start: () => engine({ threads: 2 }), most: () => 0.85 },
  { name: 'a hook on every frame', start: () => engine({ hook: true }), most: () => 1.1 },
]
const [REFERENCE, FLOOR] = ['stratum-apps 0.8.0', 'a pipe, no cryptography']
const programs = rivalsIn('relays')
const rivals: { name: string; start: () => Promise<Running> }[] =
  programs === null
    ? []
    : [
        { name: REFERENCE, start: () => program(`${programs}/reference`, authorityPublicKey, authoritySecretKey) },
        { name: FLOOR, start: () => program(`${programs}/pipe`) },
      ]

/** A miner, which sends a frame when the last has come back. */
interface Miner {
  session: Sv2Session
  /** Whether a frame of it is under way. */
  waits: boolean
}

/** Miners of one relay, which work from `start()` to `stop()`. */
class Miners {
  echoes = 0
  /** Connections that the relay, or its way to the mining pool, has lost. */
  lost = 0
  #going = false
  readonly #miners: Miner[] = []
  readonly #sockets: Socket[] = []

  async connect(port: number): Promise<void> {
    const session = Sv2Session.initiator({ authorityPublicKey })
    const miner: Miner = { session, waits: false }
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.on('close', () => {
      this.lost++
      miner.waits = false
    })
    this.#sockets.push(socket)
    session.attach(socket, (batch) => {
      this.echoes += batch.length
      if (this.#going) session.send({ messageType: 1 }, PAYLOAD)
      else miner.waits = false
    })
    await session.established()
    this.#miners.push(miner)
  }

  start(): void {
    this.#going = true
    for (const miner of this.#miners) {
      if (miner.session.state !== 'transport') continue
      miner.waits = true
      miner.session.send({ messageType: 1 }, PAYLOAD)
    }
  }

  /** Resolves when every frame has come back. */
  async stop(): Promise<void> {
    this.#going = false
    while (this.#miners.some(({ waits }) => waits)) await sleep(2)
  }

  end(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** A relay with its miners, and the CPU time that each of its rounds took for a frame. */
interface Contender extends Running {
  name: string
  miners: Miners
  cpu: Cpu[]
}

/** Starts a relay, and connects its miners. They stay connected while those of other relays work. */
async function contender(name: string, miners: number, start: () => Promise<Running>): Promise<Contender> {
  const running = await start()
  const all = new Miners()
  for (let made = 0; made < miners; made += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, miners - made) }, () => all.connect(running.port)))
  }
  return { ...running, name, miners: all, cpu: [] }
}

/** Has the miners of a relay work for a round, and counts all of its frames, up to the last that comes back. */
async function round({ relay, miners, cpu }: Contender): Promise<void> {
  const [before, echoes] = [cpuOf(relay), miners.echoes]
  miners.start()
  await sleep(seconds * 1000)
  await miners.stop()
  const after = cpuOf(relay)
  // An echo went through the relay twice.
  const frames = 2 * (miners.echoes - echoes)
  cpu.push({ user: (after.user - before.user) / frames, system: (after.system - before.system) / frames })
}

for (const miners of counts) {
  const contenders: Contender[] = []
  for (const { name, start } of [...ways, ...rivals]) contenders.push(await contender(name, miners, start))
  // Rounds before the measured ones, so that the compiler has optimized what JavaScript does.
  for (const each of contenders) await round(each)
  for (const { cpu } of contenders) cpu.length = 0
  for (let index = 0; index < ROUNDS; index++) {
    for (const each of index % 2 === 0 ? contenders : contenders.toReversed()) await round(each)
  }
  const costsOf = (name: string): number[] => contenders.find((each) => each.name === name)!.cpu.map(totalOf)
  for (const { name, most } of ways) {
    const names = [name, ...rivals.map((rival) => rival.name)]
    report({
      title: `a relay with ${miners} miners, ${name}: CPU time of a frame`,
      unit: 'µs',
      names,
      costs: names.map(costsOf),
      targets: rivals.length === 0 ? [] : [{ id: 'P18', rival: REFERENCE, least: 1 / most(miners) }],
    })
  }
  console.log('  user and system time of a frame, in µs:')
  for (const { name, relay, miners: all, cpu } of contenders) {
    const [user, system] = (['user', 'system'] as const).map((mode) => median(cpu.map((own) => own[mode])).toFixed(1))
    console.log(`    ${name.padEnd(26)} ${user} + ${system}`)
    if (all.lost > 0) console.log(`      and ${all.lost} connections were lost`)
    all.end()
    relay.kill()
    await once(relay, 'exit')
  }
}
process.exit()
