/** Growth of costs with the size of messages, live slices, connections, workers and the size of a ring. There is no target. */
import { strict as assert } from 'node:assert'
import { availableParallelism } from 'node:os'
import { BuddyPool, ByteRing, type Slice, SlotPool } from '../index.js'
import { generateAuthorityKeypair, Sv2Session } from '../src/sv2/index.js'
import type { AsyncCase } from './compare-async.js'
import { record } from './report/record.js'
import { cost } from './report/targets.js'
import { readBack, touch } from './rivals/buffers.js'
import { PlainRing } from './rivals/plain-ring.js'
import { median } from './statistics.js'
import { byChannel, byMessage, CHANNEL_WORKER, POST_WORKER } from './to-worker.js'

const ROUNDS = 5
const ROUND_MS = 7
/** Milliseconds that each way runs at first, so that the compiler has optimized it. */
const WARM_UP_MS = 200
const KIB = 1024

/** Does the work once. */
type Work = () => void

interface Growing {
  title: string
  along: string
  names: string[]
  xs: number[]
  /** Makes the ways to do the work at `x`, in the order of their names, and what ends them. */
  make: (x: number) => { ways: Work[]; end: () => unknown }
  sentence: (lines: number[][]) => string
}

/** Measures all ways at each place, in turn. */
async function grow({ title, along, names, xs, make, sentence }: Growing): Promise<void> {
  const lines: number[][] = names.map(() => [])
  const first = make(xs[0]!)
  for (const work of first.ways) timesWithin(work, WARM_UP_MS)
  await first.end()
  for (const x of xs) {
    const { ways, end } = make(x)
    const counts = ways.map((work) => timesWithin(work, 3 * ROUND_MS) / 3)
    const costs = ways.map((): number[] => [])
    for (let round = 0; round < ROUNDS; round++) {
      for (const [index, work] of ways.entries()) {
        const count = Math.max(1, Math.round(counts[index]!))
        const start = performance.now()
        for (let time = 0; time < count; time++) work()
        costs[index]!.push(((performance.now() - start) * 1e6) / count)
      }
    }
    for (const [index, own] of costs.entries()) lines[index]!.push(median(own))
    await end()
  }
  show(title, along, 'ns', names, xs, lines, sentence(lines))
}

function show(
  title: string,
  along: string,
  unit: string,
  names: string[],
  xs: number[],
  lines: number[][],
  sentence: string,
): void {
  console.log(`\n${title}, by ${along}`)
  console.log(`  ${''.padEnd(36)}${xs.map((x) => String(x).padStart(10)).join('')}`)
  for (const [index, name] of names.entries()) {
    console.log(`  ${name.padEnd(36)}${lines[index]!.map((value) => cost(value).padStart(10)).join('')} ${unit}`)
  }
  console.log(`  ${sentence}`)
  const drawn = names.map((name, index) => ({
    name,
    points: xs.map((x, at): [number, number] => [x, lines[index]![at]!]),
  }))
  record({ kind: 'growth', title, along, unit, lines: drawn, sentence })
}

/** Returns how often `work` runs in `ms` milliseconds. */
function timesWithin(work: Work, ms: number): number {
  let times = 0
  const start = performance.now()
  do {
    work()
    times++
  } while (performance.now() - start < ms)
  return times
}

/** Returns the cost of the last divided by the cost of the first. */
function factor(line: number[]): string {
  return `${(line.at(-1)! / line[0]!).toFixed(1)} times`
}

await grow({
  title: 'a message whose first and last byte are used',
  along: 'bytes of a message',
  names: ['SlotPool', 'BuddyPool', 'Buffer.allocUnsafe', 'Buffer.allocUnsafeSlow'],
  xs: [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 1024 * KIB, 4096 * KIB, 16_384 * KIB],
  make: (size) => {
    const slots = new SlotPool(2 * size)
    const buddies = new BuddyPool()
    const ways = [
      () => {
        touch(slots.getWritable(size), 7)
        const slice = slots.getDataOwned()
        readBack(slice.bytes, 7)
        slice.release()
      },
      () => {
        const buffer = buddies.allocateSync(size)
        touch(buffer.bytes, 7)
        readBack(buffer.bytes, 7)
        buffer.release()
      },
      () => {
        const bytes = Buffer.allocUnsafe(size)
        touch(bytes, 7)
        readBack(bytes, 7)
      },
      () => {
        const bytes = Buffer.allocUnsafeSlow(size)
        touch(bytes, 7)
        readBack(bytes, 7)
      },
    ]
    return { ways, end: () => Promise.all([slots.close(), buddies.close()]) }
  },
  sentence: ([slots, buddies, plain, slow]) =>
    `From 64 B to 16 MiB a slot pool's message costs ${factor(slots!)} as much and a buddy pool's ${factor(buddies!)}; a Buffer of ` +
    `allocUnsafe ${factor(plain!)}, and of allocUnsafeSlow ${factor(slow!)}.`,
})

await grow({
  title: 'a message of 64 B while other slices are alive',
  along: 'live slices',
  names: ['SlotPool, 8 slots', 'SlotPool, 32 slots', 'Buffer.allocUnsafe'],
  xs: [0, 1, 2, 4, 7, 8, 16, 31, 32, 64],
  make: (others) => {
    const pools = [8, 32].map((slots) => new SlotPool(64 * KIB, { slots }))
    const ways: Work[] = pools.map((pool) => {
      for (let index = 0; index < others; index++) {
        pool.getWritable(64)
        pool.getDataOwned()
      }
      return () => {
        touch(pool.getWritable(64), 7)
        const slice = pool.getDataOwned()
        readBack(slice.bytes, 7)
        slice.release()
      }
    })
    ways.push(() => {
      const bytes = Buffer.allocUnsafe(64)
      touch(bytes, 7)
      readBack(bytes, 7)
    })
    return { ways, end: () => pools.map((pool) => pool.close()) }
  },
  sentence: ([eight, many]) =>
    `With nothing alive a message costs ${cost(eight![0]!)} ns; with 7 others in 8 slots ${cost(eight![4]!)} ns; with no slot free it ` +
    `comes from the heap, for ${cost(eight!.at(-1)!)} ns. With 32 slots that begins at 32, and costs ${cost(many!.at(-1)!)} ns.`,
})

await grow({
  title: 'a message of 1 KiB through a ring in one thread',
  along: 'bytes of the ring',
  names: ['ByteRing', 'plain ring'],
  xs: [2, 4, 16, 64, 256, 1024, 4096, 16_384].map((kib) => kib * KIB),
  make: (size) => {
    const { producer, consumer } = new ByteRing(size).intoParts()
    const plain = new PlainRing(size)
    const [source, target] = [new Uint8Array(KIB).fill(7), new Uint8Array(KIB)]
    const ways = [
      () => {
        producer.write(source)
        consumer.read(target)
      },
      () => {
        plain.write(source)
        plain.read(target)
      },
    ]
    return { ways, end: () => [producer.release(), consumer.release()] }
  },
  sentence: ([ours, plain]) =>
    `From 2 KiB to 16 MiB of ring a message costs ${factor(ours!)} as much, and ${factor(plain!)} as much in a plain ring.`,
})

await grow({
  title: 'a frame of 64 B through each of several encrypted sessions in turn',
  along: 'connections',
  names: ['Sv2Session, both ends, for a frame'],
  xs: [1, 4, 16, 64, 256, 1024, 5000],
  make: (connections) => {
    const keys = generateAuthorityKeypair()
    const payload = Buffer.alloc(64, 7)
    const pairs = Array.from({ length: connections }, () => {
      const client = Sv2Session.initiator({ authorityPublicKey: keys.publicKey })
      const server = Sv2Session.responder({ authorityPublicKey: keys.publicKey, authoritySecretKey: keys.secretKey })
      let frames = 0
      const carry = (from: Sv2Session, to: Sv2Session): void => {
        frames = 0
        from.output.ioSlices((bufs, length) => {
          for (const part of bufs) {
            const batch = to.receive(part)
            frames += batch.length
            batch.release()
          }
          return length
        })
      }
      carry(client, server)
      carry(server, client)
      const send = (): void => {
        client.send({ messageType: 1 }, payload)
        carry(client, server)
        assert.equal(frames, 1)
      }
      return { send, end: () => [client.close(), server.close()] }
    })
    let next = 0
    const way = (): void => {
      pairs[next]!.send()
      next = (next + 1) % connections
    }
    return { ways: [way], end: () => pairs.map(({ end }) => end()) }
  },
  sentence: ([line]) => `With 5,000 sessions in turn a frame costs ${factor(line!)} as much as with one.`,
})

await toWorkers()

/** Slices of 1 KiB to one worker and more, which share them out. */
async function toWorkers(): Promise<void> {
  const WORK = 20_000
  const xs = [1, 2, 3, 4]
  const names = ['SliceChannel', 'postMessage, copied']
  const lines: number[][] = [[], []]
  for (const workers of xs) {
    const messages = Math.floor(WORK / workers)
    const bytesOf = (index: number): number => (index < messages ? KIB : 1)
    const round = { messages: messages + 1, sum: messages }
    const groups: AsyncCase[][] = [[], []]
    for (let worker = 0; worker < workers; worker++) {
      const pools = Array.from({ length: 64 }, () => new SlotPool(8 * KIB))
      const take = (index: number): Slice => {
        const pool = pools[index % pools.length]!
        pool.getWritable(bytesOf(index))[0] = 1
        return pool.getDataOwned()
      }
      groups[0]!.push(await byChannel({ ...round, name: '', source: CHANNEL_WORKER }, 256, take))
      const make = (index: number): Uint8Array<ArrayBuffer> => new Uint8Array(bytesOf(index)).fill(1, 0, 1)
      groups[1]!.push(await byMessage({ ...round, name: '', source: POST_WORKER }, false, 256, make))
    }
    for (const [index, group] of groups.entries()) {
      const costs: number[] = []
      for (let time = -2; time < ROUNDS; time++) {
        const start = performance.now()
        await Promise.all(group.map(({ run }) => run()))
        if (time >= 0) costs.push(((performance.now() - start) * 1e6) / (messages * workers))
      }
      lines[index]!.push(median(costs))
    }
    await Promise.all(groups.flat().map(({ end }) => end?.()))
  }
  const sentence =
    `With four workers, on a machine of ${availableParallelism()} cores, a slice costs ${factor(lines[0]!)} as much as with one, ` +
    `and a posted message ${factor(lines[1]!)}.`
  show('slices of 1 KiB to workers', 'workers', 'ns', names, xs, lines, sentence)
}
