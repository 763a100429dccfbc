/**
 * The benchmarks of buffer_sv2's description: 1,000 times two messages of 4 to 16 KiB, written in pieces of 10 bytes, in one thread and
 * handed to another. Beside it the crate's own bench, run here, and the figures that the crate publishes. It has no target.
 */
import { once } from 'node:events'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import {
  adopt,
  type Slice,
  SliceChannel,
  type SliceReceiver,
  SlotPool,
  SystemMemoryBuffer,
  type Ticket,
} from '../index.js'
import { compareAsync } from './compare-async.js'
import { record } from './report/record.js'
import { crateBench } from './rivals/buffer-sv2-bench.js'
import { MapPool, type Message, MostEfficient, type Numbered, type Pool } from './rivals/shared-pools.js'
import { TokenRing } from './rivals/token-ring.js'
import { random } from './statistics.js'

const ROUNDS = 1000
/** Capacity of the pools, as in the crate's bench. */
const CAPACITY = 5 * 2 ** 16
const PIECE = 10
/** Time that the other thread holds a message, in milliseconds: the crate's bench says 10 µs, and 10 ns in its second loop. */
const HELD_MS = 0.01

const pick = random()
const input = Uint8Array.from({ length: 2 ** 15 }, () => pick(256))
/** Lengths of the messages, equal for all pools. */
const LENGTHS = Array.from({ length: ROUNDS }, () => 2 ** 14 - pick(12_000))

/** The other thread gets messages through a channel of slices, or as numbers through shared memory. */
interface Given {
  channel: Ticket<SliceReceiver<Slice>> | null
  tokens: SharedArrayBuffer
  /** Takes the numbers of the messages that were dropped. */
  back: SharedArrayBuffer
  /** Counts the messages that were dropped. */
  dropped: Int32Array
}

if (isMainThread) await main()
else hold(workerData as Given)

/** A pool whose messages can be handed to the other thread. */
interface Contender {
  name: string
  /** Name in the crate's bench. */
  crate: string
  pool: Pool
  give: (message: Message) => void
  dropped: Int32Array
  worker: Worker
}

async function main(): Promise<void> {
  const contenders = [
    await sliceContender('SlotPool', 'BufferPool', new SlotPool(CAPACITY)),
    await sliceContender('SystemMemoryBuffer', 'BufferFromSystemMemory', new SystemMemoryBuffer()),
    await tokenContender('a pool on a Map', 'PPool', (back) => new MapPool(CAPACITY, back)),
    await tokenContender('most efficient control', 'MaxEfficiency', () => new MostEfficient(CAPACITY)),
  ]
  const native = crateBench()
  const places = [
    { title: 'single thread', run: alone, published: [7.5006, 10.274, 32.593, 1.2618] },
    { title: 'multi-thread', run: handedOver, published: [34.66, 142.23, 49.79, 18.201] },
    { title: 'multi-thread 2', run: handedOverAndAwaited, published: [80.869, 192.24, 101.75, 66.972] },
  ]
  const columns: string[][] = contenders.map(({ name, crate }) => [`${name} (${crate})`])
  for (const [place, { title, run, published }] of places.entries()) {
    const rows = await compareAsync(
      `buffer_sv2's loop, ${title}, each of ${2 * ROUNDS} messages`,
      2 * ROUNDS,
      contenders.map((contender) => ({ name: contender.name, run: async () => run(contender) })),
      [],
      5,
    )
    for (const [index, { value }] of rows.entries()) {
      const here = native?.[place]?.[index]
      columns[index]!.push(
        millis((value * 2 * ROUNDS) / 1e6),
        here === undefined ? 'not run' : millis(here),
        millis(published[index]!),
      )
    }
  }
  const head = [
    '',
    ...places.flatMap(({ title }) => [`${title}: here, TypeScript`, 'the crate, here', 'the crate, published']),
  ]
  for (const line of [head, ...columns]) console.log(line.join(' | '))
  record({
    kind: 'table',
    title: 'Benchmarks of buffer_sv2, milliseconds for 1,000 rounds',
    head,
    rows: columns,
    note:
      'TypeScript with one worker that holds each message for 10 µs. The crate starts a thread for each message. Its loops without a ' +
      'pool over threads write into a pool and take empty messages, and its second loop sleeps; ours write into what they take from, ' +
      'and wait until both messages are dropped, as the description says.',
  })
  await Promise.all(contenders.map(({ worker }) => worker.terminate()))
}

function millis(value: number): string {
  return `${value.toPrecision(3)} ms`
}

function fill(pool: Pool, length: number, from: number): Message {
  const pieces = Math.floor(length / PIECE)
  for (let piece = 0; piece < pieces; piece++) {
    const bytes = pool.getWritable(PIECE)
    const start = from + piece
    for (let index = 0; index < PIECE; index++) bytes[index] = input[start + index]!
  }
  return pool.getDataOwned()
}

function alone({ pool }: Contender): void {
  for (let round = 0; round < ROUNDS; round++) {
    const length = LENGTHS[round]!
    fill(pool, length, round).release()
    fill(pool, length, round).release()
  }
}

function handedOver({ pool, give, dropped }: Contender): void {
  const before = Atomics.load(dropped, 0)
  for (let round = 0; round < ROUNDS; round++) {
    const length = LENGTHS[round]!
    give(fill(pool, length, round))
    give(fill(pool, length, round))
  }
  waitFor(dropped, before + 2 * ROUNDS)
}

function handedOverAndAwaited({ pool, give, dropped }: Contender): void {
  const before = Atomics.load(dropped, 0)
  for (let round = 0; round < ROUNDS; round++) {
    const length = LENGTHS[round]!
    give(fill(pool, length, round))
    give(fill(pool, length, round))
    waitFor(dropped, before + 2 * (round + 1))
  }
}

/** Blocks until the other thread has dropped `count` messages in all. */
function waitFor(dropped: Int32Array, count: number): void {
  for (;;) {
    const now = Atomics.load(dropped, 0)
    if (now === count) return
    Atomics.wait(dropped, 0, now)
  }
}

async function sliceContender(name: string, crate: string, pool: SlotPool | SystemMemoryBuffer): Promise<Contender> {
  const { sender, receiver } = SliceChannel.create<Slice>(2 * ROUNDS)
  const give = (message: Message): void => {
    if (!sender.send(message as Slice)) throw new Error('the channel is full')
  }
  return { name, crate, pool, give, ...(await start(receiver.move())) }
}

async function tokenContender(
  name: string,
  crate: string,
  make: (back: SharedArrayBuffer) => Pool,
): Promise<Contender> {
  const { given, ...started } = await start(null)
  const tokens = new TokenRing(given.tokens)
  const give = (message: Message): void => tokens.push((message as Numbered).token)
  return { name, crate, pool: make(given.back), give, ...started }
}

/** Starts the other thread. */
async function start(channel: Given['channel']): Promise<{ given: Given; worker: Worker; dropped: Int32Array }> {
  const dropped = new Int32Array(new SharedArrayBuffer(4))
  const given: Given = { channel, tokens: TokenRing.memory(), back: TokenRing.memory(), dropped }
  const worker = new Worker(new URL(import.meta.url), { workerData: given })
  await once(worker, 'online')
  return { given, worker, dropped }
}

/** Receives messages for ever, and drops each when it was held for a while. */
function hold({ channel, tokens, back, dropped }: Given): void {
  const messages = channel === null ? numbersOf(tokens, back) : slicesOf(channel)
  const held: { drop: () => void; due: number }[] = []
  for (;;) {
    const drop = held.length === 0 ? messages.wait() : messages.poll()
    if (drop !== null) held.push({ drop, due: performance.now() + HELD_MS })
    while (held.length > 0 && held[0]!.due <= performance.now()) {
      held.shift()!.drop()
      Atomics.add(dropped, 0, 1)
      Atomics.notify(dropped, 0)
    }
  }
}

/** Returns functions that drop the next message: one blocks until there is one. */
interface Messages {
  wait(): () => void
  poll(): (() => void) | null
}

function slicesOf(channel: Ticket<SliceReceiver<Slice>>): Messages {
  const receiver = adopt(channel)
  const dropOf = (slice: Slice) => () => void slice.release()
  return {
    wait: () => dropOf(receiver.receiveSync({ timeoutMs: 600_000 })!),
    poll: () => {
      const slice = receiver.tryReceive()
      return slice === null ? null : dropOf(slice)
    },
  }
}

function numbersOf(tokens: SharedArrayBuffer, back: SharedArrayBuffer): Messages {
  const [there, dropped] = [new TokenRing(tokens), new TokenRing(back)]
  const dropOf = (token: number) => () => dropped.push(token)
  return {
    wait: () => dropOf(there.popWhenThere()),
    poll: () => {
      const token = there.pop()
      return token === -1 ? null : dropOf(token)
    },
  }
}
