import { spawnSync } from 'node:child_process'
import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import {
  BuddyBuffer,
  BuddyPool,
  BudgetAllocation,
  BudgetPool,
  ByteRing,
  Consumer,
  Producer,
  relaySockets,
  Slice,
  SliceReceiver,
  SliceSender,
  SlotPool,
  SystemMemoryBuffer,
} from '../index.js'
import { createRelay, type Frame, type RelayOptions, Sv2Session } from '../src/sv2/index.js'
import { codeOf, codeOfRejection } from './support/code-of.js'
import { DEBUG } from './support/debug-mode.js'
import { detachByStream } from './support/detach.js'
import { Random } from './support/random.js'
import { authority, drain, pair, strangers, wireOf } from './support/sessions.js'

/** Fewest calls of each member. Fewer mean that the test does not really try the member. */
const REACHED = 20

it('100,000 calls of everything exported with hostile values crash nothing, and fail as documented', () => {
  const random = new Random()
  const calls = process.env.FRAMEPOOL_HOSTILE_CALLS ?? '100000'
  const program = fileURLToPath(new URL('hostile/calls.js', import.meta.url))
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    // Debug mode warns about the objects that the test loses.
    ['--expose-gc', ...(DEBUG ? ['--no-warnings'] : []), program, String(random.below(2 ** 32)), calls],
    { encoding: 'utf8', timeout: 600_000 },
  )
  const told = stderr.replace(/^framepool: debug mode is on.*\n/, '')
  expect({ status, signal, told }, random.origin).toEqual({ status: 0, signal: null, told: '' })
  const counts = Object.entries(JSON.parse(stdout) as Record<string, number>)
  expect(counts.length).toBeGreaterThan(100)
  expect(counts.filter(([, count]) => count < REACHED)).toEqual([])
}, 600_000)

const ours: object[] = [BuddyBuffer, BudgetAllocation, Consumer, Producer, Slice, SliceReceiver, SliceSender]
it.each(ours.map((Class) => [(Class as { name: string }).name, Class] as const))(
  'new %s without arguments is refused before any is read',
  (_, Class) => {
    expect(codeOf(() => Reflect.construct(Class as new () => object, []))).toBe('ERR_INVALID_ARG_TYPE')
  },
)

/** The methods that append bytes, by class. */
const appenders: [string, () => { append(bytes: Uint8Array): void; bytes(): Uint8Array }][] = [
  ...([() => new SlotPool(1024), () => new SlotPool(0), () => new SystemMemoryBuffer()] as const).map(
    (make): (typeof appenders)[number] => [
      make().constructor.name,
      () => {
        const buffer = make()
        return { append: (bytes) => buffer.extendFromSlice(bytes), bytes: () => buffer.bytes }
      },
    ],
  ),
  [
    'BuddyBuffer',
    () => {
      const buffer = new BuddyPool().allocateSync(100)
      buffer.setLength(0)
      return { append: (bytes) => buffer.extendFromSlice(bytes), bytes: () => buffer.bytes }
    },
  ],
  [
    'Producer',
    () => {
      const { producer, consumer } = new ByteRing(1024).intoParts()
      const bytes = (): Uint8Array => {
        const read = new Uint8Array(consumer.available)
        consumer.read(read)
        return read
      }
      return { append: (source) => producer.writeAll(source), bytes }
    },
  ],
]

describe.each(appenders)('bytes given to a %s', (_, make) => {
  it.each<[string, () => Uint8Array, number[]]>([
    ['shared', () => new Uint8Array(new SharedArrayBuffer(3)).fill(7), [7, 7, 7]],
    ['that follow a resizable buffer', () => resized(4, 2), [7, 7]],
    ['that follow a growable shared one', () => grown(2, 3), [7, 7, 0]],
    ['beyond the end of a buffer that shrank', () => resized(4, 1, 2), []],
    ['detached', () => detached(new Uint8Array(3)), []],
    ['that lie about their length', () => lying({ length: 1000 }), [7, 7, 7]],
    ['that lie about everything', () => lying({ length: -1, byteOffset: 9, byteLength: 1e9, buffer: null }), [7, 7, 7]],
  ])('%s are those that are really there', (_, source, expected) => {
    const { append, bytes } = make()
    append(Uint8Array.of(1))
    append(source())
    append(Uint8Array.of(2))
    expect([...bytes()]).toEqual([1, ...expected, 2])
  })
})

type Resizable = { resize(length: number): void; grow(length: number): void }
const BufferOf = ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer & Resizable
const SharedBufferOf = SharedArrayBuffer as unknown as new (
  length: number,
  options: object,
) => SharedArrayBuffer & Resizable

/** Returns 7s in a buffer that has shrunk. */
function resized(from: number, to: number, offset = 0): Uint8Array {
  const buffer = new BufferOf(from, { maxByteLength: 8 })
  const bytes = new Uint8Array(buffer, offset).fill(7)
  buffer.resize(to)
  return bytes
}

/** Returns 7s, followed by the bytes that growing the buffer added. */
function grown(from: number, to: number): Uint8Array {
  const buffer = new SharedBufferOf(from, { maxByteLength: 8 })
  const bytes = new Uint8Array(buffer).fill(7)
  buffer.grow(to)
  return bytes
}

function detached(bytes: Uint8Array): Uint8Array {
  structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] })
  return bytes
}

/** Returns three 7s whose own properties hide the real ones. */
function lying(properties: Record<string, unknown>): Uint8Array {
  const bytes = new Uint8Array(3).fill(7)
  for (const [name, value] of Object.entries(properties)) Object.defineProperty(bytes, name, { value })
  return bytes
}

describe('memory that is taken away', () => {
  it.each<[string, () => { bytes: Uint8Array; release(): boolean }]>([
    ['of a slot', () => filled(new SlotPool(64))],
    ['of a heap slice', () => Slice.from(Uint8Array.of(7, 7, 7))],
    ['of a budget allocation', () => new BudgetPool({ bufferSize: 8, maxMemory: 64 }).tryAllocate(1)!],
    ['of a buddy buffer', () => new BuddyPool().allocateSync(1)],
  ])('%s is shown anew, and can be released', (_, make) => {
    const holder = make()
    const before = holder.bytes.fill(9)
    const { length } = before
    void detachByStream(before)
    expect(before).toHaveLength(0)
    expect(holder.bytes).toHaveLength(length)
    expect(holder.bytes.every((byte) => byte === 9)).toBe(true)
    expect(holder.release()).toBe(true)
  })

  it('is shown again during the use of a ring', () => {
    const { producer, consumer } = new ByteRing(64).intoParts()
    producer.ioSlices(([bytes]) => {
      bytes.set([1, 2, 3])
      void detachByStream(bytes)
      return 3
    })
    const read = new Uint8Array(3)
    consumer.ioSlices(([bytes]) => {
      void detachByStream(bytes)
      return 1
    })
    expect(consumer.read(read)).toBe(2)
    expect([...read]).toEqual([2, 3, 0])
  })

  it('is shown again by a session', () => {
    const { initiator, responder } = strangers()
    initiator.output.ioSlices(([bytes]) => {
      void detachByStream(bytes)
      return 0
    })
    responder.receive(drain(initiator))
    initiator.receive(drain(responder))
    const wire = wireOf(initiator, { messageType: 1 }, Buffer.from('hello'))
    const [frame] = responder.receive(wire) as Iterable<Frame> as [Frame]
    void detachByStream(frame.payload)
    expect(Buffer.from(frame.payload).toString()).toBe('hello')
    responder.forward(frame, responder)
    expect(drain(responder)).not.toHaveLength(0)
  })

  it('cannot be moved by structuredClone(), which copies it or refuses', () => {
    const slice = filled(new SlotPool(64))
    const { buffer } = slice.bytes
    try {
      expect(structuredClone(buffer, { transfer: [buffer as ArrayBuffer] })).not.toBe(buffer)
    } catch (error) {
      expect((error as Error).name).toBe('DataCloneError')
    }
    expect(buffer.byteLength).toBe(DEBUG ? slice.length : 64)
    expect([...slice.bytes]).toEqual([7, 7, 7])
  })
})

function filled(pool: SlotPool): Slice {
  pool.write(Uint8Array.of(7, 7, 7))
  return pool.getDataOwned()
}

describe('code that runs inside a call', () => {
  it('may close the pool of that call', async () => {
    const pool = new BudgetPool({ bufferSize: 8, maxMemory: 64 })
    const options = {
      get zero() {
        void pool.close()
        return false
      },
    }
    expect(codeOf(() => pool.tryAllocate(1, options))).toBe('ERR_CLOSED')
    expect(await codeOfRejection(pool.allocate(1, options))).toBe('ERR_CLOSED')
    await pool.close()
  })

  it('may release the batch of the frame that is being forwarded', () => {
    const { initiator, responder } = pair()
    const batch = responder.receive(wireOf(initiator, { messageType: 1 }, new Uint8Array(8)))
    const [frame] = batch as Iterable<Frame> as [Frame]
    const forged = Object.create(frame, {
      index: {
        get: () => batch.release(),
      },
    })
    expect(codeOf(() => responder.forward(forged, responder))).toBe('ERR_INVALID_ARG_TYPE')
    expect(batch.release()).toBe(true)
  })
})

describe('forgeries', () => {
  it('cannot pose as signals: a wait refuses them before it begins', async () => {
    const pool = new BudgetPool({ bufferSize: 8, maxMemory: 64 })
    const all = pool.tryAllocate(8)!
    for (const signal of [
      {},
      Object.create(AbortSignal.prototype, { aborted: { value: false } }),
      new Proxy(new AbortController().signal, {}),
    ]) {
      expect(await codeOfRejection(pool.allocate(1, { signal }))).toBe('ERR_INVALID_ARG_TYPE')
    }
    expect(pool.stats().waiting).toBe(0)
    all.release()
  })

  it('cannot pose as batches and frames, which are neither constructed nor forwarded', () => {
    const { initiator, responder } = pair()
    const batch = responder.receive(wireOf(initiator, { messageType: 1 }, new Uint8Array(8)))
    const [frame] = batch as Iterable<Frame> as [Frame]
    for (const real of [batch, frame]) {
      const Forged = real.constructor as new (...args: unknown[]) => object
      expect(codeOf(() => new Forged(Symbol('framepool.batch'), {}, 0, 0, 8))).toBe('ERR_INVALID_ARG_TYPE')
      for (const forgery of [new Proxy(real, {}), Object.create(real), Object.create(Forged.prototype)]) {
        expect(codeOf(() => responder.forward(forgery, responder))).toBe('ERR_INVALID_ARG_TYPE')
      }
    }
  })

  it('cannot pose as a socket, and leave the session unchanged', () => {
    const session = Sv2Session.initiator()
    expect(() => session.attach(Object.create(Socket.prototype), () => {})).toThrow(TypeError)
    session.close()
    expect(session.stats().memoryBytes).toBe(0)
  })

  it('cannot pose as a socket, and leave the half of a ring unchanged', async () => {
    const { consumer } = new ByteRing(8).intoParts()
    const forged = Object.create(Socket.prototype)
    expect(await codeOfRejection(consumer.pipeTo(forged))).toBe('ERR_INVALID_ARG_TYPE')
    expect(await codeOfRejection(relaySockets(forged, new Socket()))).toBe('ERR_INVALID_ARG_TYPE')
    expect(consumer.release()).toBe(true)
  })

  it("cannot make the calls that a socket makes to its ring's half, and change nothing", () => {
    const { producer } = new ByteRing(64).intoParts()
    const { buffer, callback } = producer.onread()
    const view = buffer()
    for (const [count, code] of [
      [Number.NaN, 'ERR_OUT_OF_RANGE'],
      ['1', 'ERR_INVALID_ARG_TYPE'],
      [-1, 'ERR_OUT_OF_RANGE'],
      [65, 'ERR_OUT_OF_RANGE'],
    ] as [number, string][]) {
      expect(codeOf(() => callback(count, view))).toBe(code)
    }
    expect(producer.position).toBe(0n)
    expect(callback(3, view)).toBe(true)
    expect(producer.position).toBe(3n)
  })

  it('cannot start a timer of the relay as its receiver', async () => {
    const relay = createRelay({ ...authority, listen: { port: 0 }, upstream: { host: '127.0.0.1', port: 1 } })
    const { close } = relay
    await expect(close.call({} as typeof relay, { drainMs: 0 })).rejects.toThrow(TypeError)
    await relay.close()
  })
})

it('options of a relay that change later have no effect', async () => {
  const upstream = { host: '127.0.0.1', port: 1 }
  const options: RelayOptions = { ...authority, listen: { port: 0 }, upstream }
  const relay = createRelay(options)
  options.listen.port = -1
  options.maxConnections = -1
  expect((await relay.listen()).port).toBeGreaterThan(0)
  await relay.close()
})
