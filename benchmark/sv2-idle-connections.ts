/**
 * P15: memory of 2,000 idle connections through a relay, both sides: as the relay counts it, and as its process grows.
 */
import { strict as assert } from 'node:assert'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Sv2Session } from '../src/sv2/index.js'
import { reportFigure } from './rounds.js'
import { startRelayedPool } from './sv2-relayed-pool.js'

const CONNECTIONS = 2000
/** Connections opened at once. */
const AT_ONCE = 50
/** Frames that each connection carries both ways before it is idle. */
const FRAMES = 20
const PAYLOAD = Buffer.alloc(1000, 7)
/** Milliseconds after which the relay has noticed that connections are idle. */
const SILENCE_MS = 4000
const KIB = 1024

const relay = await startRelayedPool()

/** Runs a miner, which connects, sends frames, and waits for their echoes. */
async function connectMiner(): Promise<void> {
  const session = Sv2Session.initiator({ authorityPublicKey: relay.authorityPublicKey })
  const echoed = new Promise<void>((resolve) => {
    let frames = 0
    session.attach(connect(relay.port, '127.0.0.1'), (batch) => {
      frames += batch.length
      if (frames === FRAMES) resolve()
    })
  })
  await session.established()
  for (let index = 0; index < FRAMES; index++) session.send({ messageType: 1 }, PAYLOAD)
  await echoed
}

async function connectMiners(count: number): Promise<void> {
  for (let made = 0; made < count; made += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - made) }, connectMiner))
  }
}

// Keeps one-time costs of the first connections, such as compiled code, out of the count.
await connectMiners(AT_ONCE)
await sleep(SILENCE_MS)
const before = await relay.report()
await connectMiners(CONNECTIONS)
const busy = await relay.report()
await sleep(SILENCE_MS)
const idle = await relay.report()
relay.stop()
assert.equal(idle.connections, AT_ONCE + CONNECTIONS)

console.log(`\n${CONNECTIONS} connections through a relay, both sides of one`)
const show = (what: string, after: number, before: number): void =>
  reportFigure({
    id: 'P15',
    title: `memory of an idle connection through the Sv2 relay, ${what}`,
    unit: 'KiB',
    value: (after - before) / CONNECTIONS / KIB,
    limit: 48,
    atLeast: false,
  })
show('as stats() counts it', idle.memoryBytes, before.memoryBytes)
show('as its process grows', idle.rssBytes, before.rssBytes)
console.log(
  `  counted just after traffic: ${((busy.memoryBytes - before.memoryBytes) / CONNECTIONS / KIB).toFixed(1)} KiB`,
)
process.exit()
