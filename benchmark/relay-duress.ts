/**
 * P19, and the relay when nothing goes as it should: idle connections, JavaScript that blocks, attacks of all kinds, a burst of empty frames,
 * a mining pool that comes and goes, and SIGTERM under load. `--only=` picks parts, by the names at the end of this file and with commas
 * between. It fails if a frame is lost or changed. A report takes shorter rounds of it.
 */
import { strict as assert } from 'node:assert'
import { type ChildProcess, fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { generateAuthorityKeypair, type RelayOptions, Sv2Session, type Upstream } from '../src/sv2/index.js'
import { answerOf } from './answer.js'
import { cpuOf, totalOf } from './process-cpu.js'
import type { MinersCommand, MinersFigures } from './relay-clients-process.js'
import type { RelayFigures, Ways } from './relay-cpu-process.js'
import { FOR_REPORT } from './report/record.js'
import { reportFigure } from './rounds.js'
import { median } from './statistics.js'

const KIB = 1024
/** Share of a long run that a report has time for. */
const SHARE = FOR_REPORT ? 0.1 : 1
/** Time after which a connection on which nothing moves has given back its buffers. */
const SETTLE_MS = FOR_REPORT ? 2500 : 5000
/** Time for which miners are watched before and after an attack. */
const QUIET_SECONDS = FOR_REPORT ? 3 : 5
const keys = generateAuthorityKeypair()
/** Addresses that clients come from. */
const ADDRESSES = { miners: '127.0.0.1', attackers: '127.0.0.2' }
const own = { authorityPublicKey: keys.publicKey, authoritySecretKey: keys.secretKey }
/** Miners of one machine come faster than a relay lets one address come by default. */
const OPEN = { maxConnections: 100_000, maxConnectionsPerAddress: 100_000, maxConnectionsPerSecond: 100_000 }

/** A mining pool in this process, which echoes every frame. */
class Pool {
  /** Frames that were answered. */
  answered = 0
  readonly #sockets = new Set<Socket>()
  #server: Server | null = null
  #port = 0

  async start(): Promise<number> {
    const server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket))
      const session = Sv2Session.responder(own)
      session.attach(socket, (batch) => {
        this.answered += batch.length
        session.forward(batch, session)
      })
    })
    server.listen(this.#port, '127.0.0.1')
    await once(server, 'listening')
    this.#server = server
    this.#port = (server.address() as AddressInfo).port
    return this.#port
  }

  async stop(): Promise<void> {
    const closed = once(this.#server!, 'close')
    this.#server!.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

/** A mining pool, a relay to it, and miners, the last two in processes of their own. */
class Scene {
  readonly pool = new Pool()
  port = 0
  relay!: ChildProcess
  #miners!: ChildProcess

  async start(options: Partial<RelayOptions> & Ways): Promise<void> {
    const upstream = { host: '127.0.0.1', port: await this.pool.start(), authorityPublicKey: keys.publicKey }
    const all = JSON.stringify({ listen: { port: 0 }, upstream, ...own, ...OPEN, ...options })
    this.relay = fork(program('relay-cpu-process'), [all])
    // The process has printed the reason.
    this.relay.on('exit', (code) => code && process.exit(code))
    this.port = await answerOf<number>(this.relay)
    this.#miners = clients('miners', `${this.port}`)
  }

  async miners(command: MinersCommand): Promise<MinersFigures> {
    this.#miners.send(command)
    return ((await once(this.#miners, 'message')) as [MinersFigures])[0]
  }

  async report(): Promise<RelayFigures> {
    this.relay.send('report')
    return await answerOf<RelayFigures>(this.relay)
  }

  /** Returns the figures of the miners over some seconds. */
  async watch(seconds: number): Promise<MinersFigures> {
    await this.miners({ do: 'measure' })
    await sleep(seconds * 1000)
    return await this.miners({ do: 'report' })
  }

  /** Returns the miners' 99th percentile, in milliseconds, over some seconds. */
  async p99(seconds: number): Promise<number> {
    return (await this.watch(seconds)).p99Millis
  }

  async end(): Promise<void> {
    this.#miners.kill()
    this.relay.kill('SIGKILL')
    await this.pool.stop()
  }
}

function clients(role: 'miners' | 'attackers' | 'burst', ...port: string[]): ChildProcess {
  const address = role === 'miners' ? ADDRESSES.miners : ADDRESSES.attackers
  return fork(program('relay-clients-process'), [role, keys.publicKey, address, ...port])
}

function program(name: string): string {
  return fileURLToPath(new URL(`${name}.js`, import.meta.url))
}

function say(what: string, figure: string): void {
  console.log(`  ${what.padEnd(56)} ${figure}`)
}

/** 1,000 idle connections, 5,000, and as many as the descriptors allow, up to 10,000: their memory, and the CPU time of all of them. */
async function idle(scene: Scene): Promise<void> {
  await scene.start({})
  await scene.miners({ do: 'connect', count: 100, paceMs: -1 })
  const before = await scene.report()
  const limit = Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))![1])
  const most = Math.min(10_000, Math.floor(limit / 2) - 300)
  let connected = 0
  for (const count of [...[1000, 5000].filter((count) => count < most), most]) {
    await scene.miners({ do: 'connect', count: count - connected, paceMs: -1 })
    connected = count
    // The relay notices that connections are idle.
    await sleep(SETTLE_MS)
    const after = await scene.report()
    assert.equal(after.stats.connections, 100 + count)
    const each = (from: number, to: number): number => (to - from) / count / KIB
    reportFigure({
      id: 'P19',
      title: `memory of the relay's process for each of ${count} connected pairs`,
      unit: 'KiB',
      value: each(before.rssBytes, after.rssBytes),
      limit: 8,
      atLeast: false,
    })
    say("V8's heap, each", `${each(before.heapBytes, after.heapBytes).toFixed(1)} KiB`)
    say('counted by stats(), each', `${each(before.stats.memoryBytes, after.stats.memoryBytes).toFixed(1)} KiB`)
  }
  const cpu = totalOf(cpuOf(scene.relay))
  const seconds = 60 * SHARE
  await sleep(seconds * 1000)
  say(`CPU over ${seconds} s`, `${(totalOf(cpuOf(scene.relay)) - cpu) / 1000} ms`)
}

/** 50 miners, while JavaScript in the relay's process blocks for a second of every two, and while it does not. */
async function blocked(scene: Scene): Promise<void> {
  await scene.start({})
  await scene.miners({ do: 'connect', count: 50, paceMs: 0 })
  const ratios: number[] = []
  for (let round = 0; round < (FOR_REPORT ? 3 : 5); round++) {
    const quiet = await scene.p99(2)
    scene.relay.send('block')
    ratios.push((await scene.p99(4)) / quiet)
    scene.relay.send('unblock')
    await sleep(1500)
  }
  say('99th percentile with a loop that blocks, beside quiet', `${median(ratios).toFixed(2)}×`)
}

/** Attackers of all kinds, and the options of a relay that they attack. They have a mining pool of their own. */
async function attackers(): Promise<{ process: ChildProcess; options: Partial<RelayOptions> & Ways }> {
  const process = clients('attackers')
  return {
    process,
    options: {
      divert: { from: ADDRESSES.attackers, to: await answerOf<Upstream>(process) },
      maxMemory: 64 << 20,
      maxFrameSize: (16 << 20) - 1,
      maxFramesPerSecond: 1000,
      handshakeTimeoutMs: 5000,
      graceMs: 2000,
    },
  }
}

/** Class in which Linux schedules all processes but those of attackers, which are in the idle class. */
type Scheduling = 'real-time' | 'normal'

/**
 * Runs `measure` in the real-time class, which goes before the attackers: Linux often lets processes of the normal class wait for them. Where
 * the system does not allow that, runs it in the normal class.
 */
async function inRealTime(measure: (scheduling: Scheduling) => Promise<void>): Promise<void> {
  const allowed = setScheduling('--fifo')
  try {
    await measure(allowed ? 'real-time' : 'normal')
  } finally {
    if (allowed) assert.ok(setScheduling('--other'))
  }
}

/** Sets the class of this process and of those that it starts later. Returns whether the system allows that. */
function setScheduling(policy: '--fifo' | '--other'): boolean {
  const priority = policy === '--fifo' ? '1' : '0'
  return spawnSync('chrt', ['--all-tasks', policy, '--pid', priority, `${process.pid}`]).status === 0
}

/**
 * 200 miners, alone, beside attackers of all kinds for 30 seconds, or 12 for a report, and alone again. The miners wait for the relay, and not
 * for a mining pool that decrypts what the attackers send.
 */
async function attacked(scene: Scene, scheduling: Scheduling): Promise<void> {
  const seconds = FOR_REPORT ? 12 : 30
  const { process: attacking, options } = await attackers()
  await scene.start(options)
  await scene.miners({ do: 'connect', count: 200, paceMs: 100 })
  // Their code is compiled by then.
  await sleep(3000)
  const quiet = [await scene.p99(QUIET_SECONDS)]
  attacking.send(scene.port)
  let most = 0
  await scene.miners({ do: 'measure' })
  for (const end = performance.now() + seconds * 1000; performance.now() < end; await sleep(200)) {
    const { stats } = await scene.report()
    most = Math.max(most, stats.memoryBytes)
    assert.ok(stats.memoryBytes <= stats.budget.limit)
  }
  const { p99Millis, closed, wrong } = await scene.miners({ do: 'report' })
  attacking.kill()
  const { refused } = (await scene.report()).stats
  await sleep(1000)
  quiet.push(await scene.p99(QUIET_SECONDS))
  assert.deepEqual({ closed, wrong }, { closed: 0, wrong: 0 })
  // The room for connections is used up, so new ones end silent ones before their time is over.
  assert.ok(refused.handshakeTimeout + refused.handshakes > 0, 'no silent client was counted')
  for (const reason of ['foreign', 'slowFrame', 'cutFrame', 'frameRate', 'slowReader'] as const) {
    assert.ok(refused[reason] > 0, `no attack was counted as ${reason}`)
  }
  say(
    `99th percentile under attack, ${scheduling} class`,
    `${p99Millis.toFixed(1)} ms; before and after it ${quiet.map((millis) => millis.toFixed(1)).join(' and ')} ms`,
  )
  say('most memory, of 64 MiB', `${(most / KIB / KIB).toFixed(1)} MiB`)
  const counts = Object.entries(refused).filter(([, count]) => count > 0)
  say('refused', counts.map(([reason, count]) => `${reason} ${count}`).join(', '))
}

/**
 * One miner, which sends a frame a millisecond after each answer, beside a client that sends 16 MiB of empty frames at once, and alone for as
 * long.
 */
async function burst(scene: Scene, scheduling: Scheduling): Promise<void> {
  const FRAMES = 760_000
  const client = clients('burst')
  const theirs = await answerOf<Upstream>(client)
  // Nothing but the bound of a turn is between both.
  const unlimited = { maxFramesPerSecond: 0, maxBytesPerSecond: 0 }
  await scene.start({ divert: { from: ADDRESSES.attackers, to: theirs }, ...unlimited })
  await scene.miners({ do: 'connect', count: 1, paceMs: 1 })
  client.send(scene.port)
  const passed = async (): Promise<number> => (await scene.report()).stats.framesUpstream
  const worst: { quiet: number; burst: number; seconds: number }[] = []
  for (let round = 0; round < (FOR_REPORT ? 3 : 7); round++) {
    client.send('prepare')
    await answerOf(client)
    await sleep(1000)
    await scene.miners({ do: 'measure' })
    const [start, before] = [performance.now(), await passed()]
    client.send('send')
    while ((await passed()) - before < FRAMES) await sleep(100)
    const seconds = (performance.now() - start) / 1000
    const { worstMillis, closed, wrong } = await scene.miners({ do: 'report' })
    assert.deepEqual({ closed, wrong }, { closed: 0, wrong: 0 })
    await sleep(1000)
    worst.push({ quiet: (await scene.watch(seconds)).worstMillis, burst: worstMillis, seconds })
  }
  client.kill()
  const of = (which: keyof (typeof worst)[0]): string => worst.map((round) => round[which].toFixed(1)).join(', ')
  say(`worst round trip beside a burst of 16 MiB, ${scheduling} class`, `${of('burst')} ms`)
  say('and alone', `${of('quiet')} ms`)
  say('over', `${of('seconds')} s`)
}

/** A mining pool that is killed and started again 1,000 times, or 100 for a report, each time with connections through it. */
async function restarted(scene: Scene): Promise<void> {
  const RESTARTS = 1000 * SHARE
  await scene.start({})
  let before: RelayFigures | null = null
  for (let restart = 0; restart < RESTARTS; restart++) {
    await scene.miners({ do: 'connect', count: 4, paceMs: -1 })
    await scene.pool.stop()
    await scene.miners({ do: 'leave' })
    await scene.pool.start()
    if (restart === RESTARTS / 10) before = await scene.report()
  }
  await sleep(2000)
  const after = await scene.report()
  assert.equal(after.stats.connections, 0)
  say(
    `descriptors after ${RESTARTS / 10} and ${RESTARTS} restarts of the pool`,
    `${before!.descriptors}, ${after.descriptors}`,
  )
  const mib = (bytes: number): string => `${(bytes / KIB / KIB).toFixed(1)} MiB`
  say('memory of the process', `${mib(before!.rssBytes)}, ${mib(after.rssBytes)}`)
}

/** SIGTERM while 50 miners work: each answer of the mining pool still arrives. */
async function terminated(scene: Scene): Promise<void> {
  await scene.start({})
  await scene.miners({ do: 'connect', count: 50, paceMs: 0 })
  await sleep(2000)
  scene.relay.kill('SIGTERM')
  await once(scene.relay, 'exit')
  await sleep(500)
  const { replies, wrong } = await scene.miners({ do: 'report' })
  const arrived = replies.reduce((sum, count) => sum + count, 0)
  assert.equal(wrong, 0)
  assert.equal(arrived, scene.pool.answered)
  say('answers of the pool that arrived in spite of SIGTERM', `${arrived} of ${scene.pool.answered}`)
}

const parts = {
  idle,
  blocked,
  attacked: (scene: Scene) => inRealTime((scheduling) => attacked(scene, scheduling)),
  attackedInNormalClass: (scene: Scene) => attacked(scene, 'normal'),
  burst: (scene: Scene) => inRealTime((scheduling) => burst(scene, scheduling)),
  burstInNormalClass: (scene: Scene) => burst(scene, 'normal'),
  restarted,
  terminated,
}
const only = process.argv.find((flag) => flag.startsWith('--only='))?.slice('--only='.length)
const names = (only?.split(',') ?? Object.keys(parts)) as (keyof typeof parts)[]
console.log('\na relay under duress')
for (const name of names) {
  const scene = new Scene()
  await parts[name](scene)
  await scene.end()
}
process.exit()
