/**
 * P17: time in garbage collection for a million frames of 64 B. They are received and forwarded in this process, with
 * and without a look at each frame, and by a pipelined relay in a separate process, including its sockets.
 */
import { strict as assert } from 'node:assert'
import { PerformanceObserver } from 'node:perf_hooks'
import { type FrameBatch, generateAuthorityKeypair, Sv2Session } from '../src/sv2/index.js'
import { median } from './compare.js'
import { reportFigure } from './rounds.js'
import { pipelined } from './sv2-pipelined.js'
import { startRelayedPool } from './sv2-relayed-pool.js'

const ROUNDS = 3
const FRAMES = 1_000_000
const PAYLOAD = Buffer.alloc(64, 7)
/** Frames in a chunk of about 64 KiB, as a socket returns under load. Through the relay, frames in transit at once. */
const PIPELINED = 640
/** Size of an output that takes a whole chunk. */
const OUTPUT_SIZE = 1 << 17

/** Costs of one way to look at frames, by round. */
interface Cost {
  millis: number[]
  nanos: number[]
}

const ways = [
  {
    name: 'for (const frame of batch)',
    look: (batch: FrameBatch) => {
      let bytes = 0
      for (const { messageType, payload } of batch) if (messageType === 1) bytes += payload.length
      return bytes
    },
  },
  {
    name: '[...batch]',
    look: (batch: FrameBatch) =>
      [...batch].reduce((sum, { messageType, payload }) => sum + (messageType === 1 ? payload.length : 0), 0),
  },
  { name: 'not looked at', look: (batch: FrameBatch) => batch.length * PAYLOAD.length },
]

const { publicKey: authorityPublicKey, secretKey: authoritySecretKey } = generateAuthorityKeypair()

/** Makes two sessions and completes their handshake. */
function connected(): [Sv2Session, Sv2Session] {
  const one = Sv2Session.initiator({ authorityPublicKey, outputSize: OUTPUT_SIZE })
  const other = Sv2Session.responder({ authorityPublicKey, authoritySecretKey, outputSize: OUTPUT_SIZE })
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.output.ioSlices(([bytes], length) => {
      to.receive(bytes)
      return length
    })
  }
  return [one, other]
}

const [miner, inner] = connected()
const [outer] = connected()

/** Receives a chunk at a time, looks at its frames, forwards the batch, and takes a chunk out. */
function relayFrames(look: (batch: FrameBatch) => number, frames: number): void {
  for (let sent = 0; sent < frames; sent += PIPELINED) {
    for (let index = 0; index < PIPELINED; index++) miner.send({ messageType: 1 }, PAYLOAD)
    let bytes = 0
    miner.output.ioSlices((bufs, length) => {
      for (const part of bufs) {
        const batch = inner.receive(part)
        bytes += look(batch)
        inner.forward(batch, outer)
      }
      return length
    })
    assert.equal(bytes, PIPELINED * PAYLOAD.length)
    outer.output.ioSlices((_, length) => length)
  }
}

let gcMillis = 0
const observer = new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) gcMillis += duration
})
observer.observe({ entryTypes: ['gc'] })
/** Waits for entries, which are delivered on a later turn. */
const delivered = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10))

const costs = ways.map((): Cost => ({ millis: [], nanos: [] }))
for (let round = -1; round < ROUNDS; round++) {
  for (const [index, { look }] of ways.entries()) {
    await delivered()
    gcMillis = 0
    const start = performance.now()
    // The first round is a warm-up for the compiler.
    relayFrames(look, round < 0 ? FRAMES / 10 : FRAMES)
    const nanos = ((performance.now() - start) * 1e6) / FRAMES
    await delivered()
    if (round < 0) continue
    costs[index]!.millis.push(gcMillis)
    costs[index]!.nanos.push(nanos)
  }
}
observer.disconnect()

const pool = await startRelayedPool()
const pipeline = await pipelined(pool)
const relayed: number[] = []
await pipeline(PIPELINED, FRAMES / 10)
let { frames } = await pool.report()
for (let round = 0; round < ROUNDS; round++) {
  await pipeline(PIPELINED, FRAMES)
  const report = await pool.report()
  assert.equal(report.frames - frames, FRAMES)
  frames = report.frames
  relayed.push(report.gcMillis)
}
pool.stop()

console.log('\na million frames of 64 B, received and forwarded')
const show = (name: string, millis: number[]): void =>
  reportFigure({
    id: 'P17',
    title: `garbage collection for a million frames of 64 B, ${name}`,
    unit: 'ms',
    value: median(millis),
    limit: 20,
    atLeast: false,
  })
for (const [index, { name }] of ways.entries()) {
  const { millis, nanos } = costs[index]!
  show(name, millis)
  console.log(`    ${median(nanos).toFixed(0)} ns a frame, with its sending`)
}
show('in a relay, over sockets', relayed)
process.exit()
