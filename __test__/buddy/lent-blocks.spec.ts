import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  type BlockBackend,
  type BlockMemory,
  BuddyPool,
  type BuddyPoolOptions,
  FrameReader,
  FrameWriter,
  SliceChannel,
} from '../../index.js'
import { codeOf } from '../support/code-of.js'

const MIB = 2 ** 20
/** The types of WebAssembly are those of browsers. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: {
    Memory: new (size: { initial: number; maximum?: number; shared?: boolean }) => { buffer: ArrayBufferLike }
  }
}
const BLOCK = 64 * MIB

/** Returns for each block of `back` its place in `given`. A deep comparison would look at every byte. */
function places(back: unknown[], given: unknown[]): number[] {
  return back.map((block) => given.indexOf(block))
}

/** Makes blocks with `make`, and counts what it gives and takes back. */
function backend(make: (bytes: number) => unknown = (bytes) => new ArrayBuffer(bytes)) {
  const given: unknown[] = []
  const back: unknown[] = []
  const counted: BlockBackend = {
    allocate: (bytes) => {
      const block = make(bytes)
      given.push(block)
      return block as BlockMemory
    },
    release: (block) => {
      back.push(block)
    },
  }
  return { backend: counted, given, back }
}

const pools: BuddyPool[] = []

function poolOn(backend: BlockBackend, options: BuddyPoolOptions = {}): BuddyPool {
  const pool = new BuddyPool({ ...options, block: { ...options.block, backend } })
  pools.push(pool)
  return pool
}

afterEach(async () => {
  await Promise.allSettled(pools.splice(0).map((pool) => pool.close()))
})

describe('a backend of blocks in JavaScript', () => {
  it.each([
    ['an ArrayBuffer', (bytes: number) => new ArrayBuffer(bytes)],
    ['a SharedArrayBuffer', (bytes: number) => new SharedArrayBuffer(bytes)],
    [
      'the memory of a WebAssembly module',
      (bytes: number) => new WebAssembly.Memory({ initial: bytes / 65_536 }).buffer,
    ],
    [
      'shared memory of WebAssembly',
      (bytes: number) => {
        const pages = bytes / 65_536
        return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }).buffer
      },
    ],
    ['a part of a buffer', (bytes: number) => new Uint8Array(new ArrayBuffer(bytes + 4096), 1024, bytes)],
  ])('gives %s', async (_, make) => {
    const { backend: own, given, back } = backend(make)
    const pool = poolOn(own, { maxMemory: 2 * BLOCK })
    expect(given).toEqual([])
    const [first, second] = [pool.allocateSync(20_000, { zero: true }), pool.allocateSync(MIB)]
    const block = given[0] as BlockMemory
    const [buffer, start] = block instanceof Uint8Array ? [block.buffer, block.byteOffset] : [block, 0]
    expect(first.bytes.buffer === buffer).toBe(true)
    first.bytes.fill(1)
    second.bytes.fill(2)
    const at = first.bytes.byteOffset
    expect(at).toBeGreaterThanOrEqual(start)
    expect(new Uint8Array(buffer, at, first.capacity).every((byte) => byte === 1)).toBe(true)
    expect(pool.stats()).toMatchObject({ blocks: 1, allocatedMemory: BLOCK, liveBuffers: 2 })
    const whole = await pool.allocate(BLOCK)
    expect(given).toHaveLength(2)
    expect(pool.tryAllocate(BLOCK)).toBe(null)
    expect(given).toHaveLength(2)
    for (const item of [first, second, whole]) item.release()
    expect(back).toEqual([])
    await pool.close()
    await pool.close()
    expect(places(back, given)).toEqual([0, 1])
    expect(() => first.bytes).toThrow(expect.objectContaining({ code: 'ERR_RELEASED' }))
  })

  it('waits at the limit, as other pools do', async () => {
    const { backend: own, given } = backend()
    const pool = poolOn(own, { maxMemory: BLOCK })
    const whole = await pool.allocate(BLOCK)
    const waiting = pool.allocate(1)
    await expect(pool.allocate(1, { timeoutMs: 5 })).rejects.toMatchObject({ code: 'ERR_TIMEOUT' })
    whole.release()
    expect((await waiting).release()).toBe(true)
    expect(given).toHaveLength(1)
  })

  it('is called as a method, and read once', () => {
    class Own {
      reads = 0
      readonly blocks: ArrayBuffer[] = []
      get allocate() {
        this.reads++
        return function (this: Own, bytes: number): ArrayBuffer {
          const block = new ArrayBuffer(bytes)
          this.blocks.push(block)
          return block
        }
      }
      release(): void {}
    }
    const own = new Own()
    const pool = poolOn(own, { maxMemory: 2 * BLOCK })
    pool.allocateSync(BLOCK).release()
    pool.allocateSync(BLOCK).release()
    const [one, two] = [pool.allocateSync(BLOCK), pool.allocateSync(BLOCK)]
    expect([own.reads, own.blocks.length]).toEqual([1, 2])
    one.release()
    two.release()
  })

  it('does not get back what cannot be a block, even if it has closed the pool meanwhile', () => {
    const released: unknown[] = []
    const own: BlockBackend = {
      allocate: () => {
        void pool.close()
        return new ArrayBuffer(64)
      },
      release: (block) => released.push(block),
    }
    const pool = poolOn(own, { maxMemory: BLOCK })
    expect(codeOf(() => pool.tryAllocate(1))).toBe('ERR_INVALID_ARG_VALUE')
    expect(released).toEqual([])
  })

  const known = new ArrayBuffer(BLOCK)
  const shared = new SharedArrayBuffer(BLOCK)
  const port = new MessageChannel()
  port.port1.postMessage(shared)
  const same = receiveMessageOnPort(port.port2)!.message as SharedArrayBuffer
  port.port1.close()
  const detached = new ArrayBuffer(BLOCK)
  structuredClone(detached, { transfer: [detached] })
  const resizable = { maxByteLength: 2 * BLOCK } as object

  it.each<[string, string, (bytes: number) => unknown]>([
    ['too small', 'ERR_INVALID_ARG_VALUE', (bytes) => new ArrayBuffer(bytes - 1)],
    ['too large', 'ERR_INVALID_ARG_VALUE', (bytes) => new ArrayBuffer(bytes + 16)],
    ['empty', 'ERR_INVALID_ARG_VALUE', () => new ArrayBuffer(0)],
    ['not aligned', 'ERR_INVALID_ARG_VALUE', (bytes) => new Uint8Array(new ArrayBuffer(bytes + 16), 1, bytes)],
    ['detached', 'ERR_INVALID_ARG_VALUE', () => detached],
    [
      'a view of detached memory',
      'ERR_INVALID_ARG_VALUE',
      () => {
        const view = new Uint8Array(new ArrayBuffer(BLOCK))
        structuredClone(view.buffer, { transfer: [view.buffer] })
        return view
      },
    ],
    [
      'resizable',
      'ERR_INVALID_ARG_VALUE',
      (bytes) => new (ArrayBuffer as never as new (...of: unknown[]) => object)(bytes, resizable),
    ],
    [
      'growable',
      'ERR_INVALID_ARG_VALUE',
      (bytes) => new (SharedArrayBuffer as never as new (...of: unknown[]) => object)(bytes, resizable),
    ],
    ['one that another pool has', 'ERR_INVALID_ARG_VALUE', () => known],
    ['shared memory that another pool has, in another object', 'ERR_INVALID_ARG_VALUE', () => same],
    ['a part of a block that another pool has', 'ERR_INVALID_ARG_VALUE', (bytes) => new Uint8Array(known, 0, bytes)],
    ['a Proxy', 'ERR_INVALID_ARG_TYPE', (bytes) => new Proxy(new ArrayBuffer(bytes), {})],
    ['an object that inherits', 'ERR_INVALID_ARG_TYPE', (bytes) => Object.create(new ArrayBuffer(bytes))],
    ['another view', 'ERR_INVALID_ARG_TYPE', (bytes) => new DataView(new ArrayBuffer(bytes))],
    ['nothing', 'ERR_INVALID_ARG_TYPE', () => undefined],
    ['null', 'ERR_INVALID_ARG_TYPE', () => null],
    ['a number', 'ERR_INVALID_ARG_TYPE', () => BLOCK],
    ['a promise', 'ERR_INVALID_ARG_TYPE', async (bytes) => new ArrayBuffer(bytes)],
  ])('is refused a block that is %s, which changes nothing', async (_, code, make) => {
    const others = [backend(() => known), backend(() => shared)].map(({ backend: own }) => poolOn(own))
    for (const other of others) other.allocateSync(1).release()
    let lie = true
    const { backend: own, back } = backend((bytes) => (lie ? make(bytes) : new ArrayBuffer(bytes)))
    const pool = poolOn(own)
    const before = pool.stats()
    expect(() => pool.tryAllocate(1)).toThrow(expect.objectContaining({ code }))
    await expect(pool.allocate(1)).rejects.toMatchObject({ code })
    expect(pool.stats()).toEqual(before)
    lie = false
    pool.allocateSync(1).release()
    expect(back).toEqual([])
    await pool.close()
    expect(back).toHaveLength(1)
  })

  it('is refused one block twice', async () => {
    const block = new ArrayBuffer(BLOCK)
    const { backend: own, back } = backend(() => block)
    const pool = poolOn(own, { maxMemory: 2 * BLOCK })
    const buffer = pool.allocateSync(BLOCK)
    expect(() => pool.allocateSync(1)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }))
    buffer.release()
    await pool.close()
    expect(places(back, [block])).toEqual([0])
    const again = poolOn(own)
    again.allocateSync(1).release()
    await again.close()
    expect(places(back, [block])).toEqual([0, 0])
  })

  it.each([null, undefined, 0, 'text', new Error('no block'), Object.create(null)])('may throw %s', async (thrown) => {
    const throwing = vi.fn<() => never>(() => {
      throw thrown
    })
    const released = vi.fn<() => void>()
    const pool = poolOn({ allocate: throwing, release: released })
    let caught: unknown = 'nothing'
    try {
      pool.allocateSync(1)
    } catch (error) {
      caught = error
    }
    expect(caught).toBe(thrown)
    await pool.allocate(1).then(
      () => expect.unreachable(),
      (error: unknown) => expect(error).toBe(thrown),
    )
    expect(pool.stats()).toMatchObject({ blocks: 0, waiting: 0, liveBuffers: 0, allocatedMemory: 0 })
    await pool.close()
    expect(throwing).toHaveBeenCalledTimes(2)
    expect(released).not.toHaveBeenCalled()
  })

  it('gives every block back, even when release() throws', async () => {
    const back: unknown[] = []
    const allocate = (bytes: number): ArrayBuffer => new ArrayBuffer(bytes)
    const release = (block: unknown): void => {
      throw Object.assign(new Error('not mine'), { number: back.push(block) })
    }
    const pool = poolOn({ allocate, release }, { maxMemory: 2 * BLOCK })
    for (const buffer of [pool.allocateSync(BLOCK), pool.allocateSync(BLOCK)]) buffer.release()
    await expect(pool.close()).rejects.toMatchObject({ message: 'not mine', number: 1 })
    expect(new Set(back)).toHaveProperty('size', 2)
    expect(pool.stats()).toMatchObject({ blocks: 0 })
    await expect(pool.close()).rejects.toMatchObject({ number: 1 })
    expect(back).toHaveLength(2)
  })

  it('may use the pool', async () => {
    let within: () => void = () => {}
    const {
      backend: own,
      given,
      back,
    } = backend((bytes) => {
      within()
      return new ArrayBuffer(bytes)
    })
    const pool = poolOn(own, { maxMemory: 3 * BLOCK })
    let refused: unknown
    within = () => {
      try {
        pool.allocateSync(1)
      } catch (error) {
        refused = error
      }
    }
    const whole = pool.allocateSync(BLOCK)
    expect(refused).toMatchObject({ code: 'ERR_BUSY' })
    // Memory becomes free while a block is made: the block goes back.
    within = () => whole.release()
    const buffer = pool.allocateSync(1)
    expect(given).toHaveLength(2)
    expect(places(back, given)).toEqual([1])
    buffer.release()
  })

  it('may abort the signal of the request: no buffer is lost', async () => {
    const stop = new AbortController()
    const allocate = vi.fn<(bytes: number) => ArrayBuffer>((bytes) => {
      stop.abort()
      return new ArrayBuffer(bytes)
    })
    const pool = poolOn({ allocate, release: () => {} })
    const buffer = await pool.allocate(1, { signal: stop.signal })
    expect(allocate).toHaveBeenCalledOnce()
    buffer.release()
    expect(pool.stats().liveBuffers).toBe(0)
    await pool.close()
  })

  it('may close the pool', async () => {
    let pool: BuddyPool
    const {
      backend: own,
      given,
      back,
    } = backend((bytes) => {
      pool.close()
      return new ArrayBuffer(bytes)
    })
    pool = poolOn(own)
    expect(() => pool.allocateSync(1)).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }))
    expect(places(back, given)).toEqual([0])
    pool = poolOn(own)
    await expect(pool.allocate(1)).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    expect(places(back, given)).toEqual([0, 1])
  })

  it('may detach a block: its buffers have no bytes, and go back', async () => {
    const { backend: own, given, back } = backend()
    const pool = poolOn(own, { maxMemory: BLOCK })
    const buffer = pool.allocateSync(16_384)
    const { bytes } = buffer
    const block = given[0] as ArrayBuffer
    structuredClone(block, { transfer: [block] })
    expect(bytes.length).toBe(0)
    const state = expect.objectContaining({ code: 'ERR_INVALID_STATE' })
    expect(() => buffer.bytes).toThrow(state)
    expect(() => buffer.extendFromSlice(new Uint8Array(0))).not.toThrow()
    buffer.setLength(0)
    expect(() => buffer.extendFromSlice(new Uint8Array(1))).toThrow(state)
    expect(() => pool.allocateSync(MIB)).toThrow(state)
    expect(pool.stats().liveBuffers).toBe(1)
    expect(buffer.release()).toBe(true)
    expect(() => pool.allocateSync(16_384, { zero: true })).toThrow(state)
    await expect(pool.allocate(16_384, { zero: true })).rejects.toMatchObject({ code: 'ERR_INVALID_STATE' })
    expect(pool.stats().liveBuffers).toBe(0)
    await pool.close()
    expect(places(back, given)).toEqual([0])
  })

  it('stays in its thread, with its buffers', async () => {
    const pool = poolOn(backend().backend)
    const buffer = pool.allocateSync(1)
    const state = expect.objectContaining({ code: 'ERR_INVALID_STATE' })
    expect(() => pool.share()).toThrow(state)
    expect(() => buffer.move()).toThrow(state)
    const { sender, receiver } = SliceChannel.create()
    expect(() => sender.send(buffer)).toThrow(state)
    buffer.bytes[0] = 1
    expect(buffer.release()).toBe(true)
    expect(pool.stats().liveBuffers).toBe(0)
    sender.end()
    receiver.release()
  })

  it('gives memory that a FrameWriter sends as it lies', async () => {
    for (const make of [undefined, (bytes: number) => new SharedArrayBuffer(bytes)]) {
      const pool = poolOn(backend(make).backend)
      const server = createServer().listen(0)
      await once(server, 'listening')
      const options = { maxFrameLength: MIB }
      const received: number[] = []
      const peer = once(server, 'connection').then(([socket]) =>
        FrameReader.lengthDelimited(options).attach(socket as Socket, (batch) => {
          for (const payload of batch) received.push(payload.length, ...new Set(payload))
        }),
      )
      const socket = createConnection((server.address() as { port: number }).port)
      const writer = FrameWriter.lengthDelimited(socket, options)
      const buffer = pool.allocateSync(16_384)
      buffer.bytes.fill(7)
      writer.write(buffer)
      expect(buffer.release()).toBe(false)
      await writer.end()
      await peer
      expect(received).toEqual([16_384, 7])
      expect(pool.stats().liveBuffers).toBe(0)
      socket.destroy()
      server.close()
    }
  })

  it('has two methods, and no steps for memory that it makes itself', () => {
    const allocate = (bytes: number): ArrayBuffer => new ArrayBuffer(bytes)
    const release = (): void => {}
    const made = (block: object) => () => new BuddyPool({ block: block as never })
    const type = expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' })
    const value = expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' })
    for (const own of [{ allocate }, { release }, { allocate, release: 1 }, { allocate: 'malloc', release }]) {
      expect(made({ backend: own })).toThrow(type)
    }
    expect(made({ backend: {} })).toThrow(value)
    for (const step of ['hugePages', 'lock', 'prefault']) {
      expect(made({ [step]: true, backend: { allocate, release } })).toThrow(value)
      new BuddyPool({ block: { [step]: false, backend: { allocate, release } } }).close()
    }
  })

  it('is not called for a pool that is never used', async () => {
    const { backend: own, given, back } = backend()
    await poolOn(own).close()
    expect([given, back]).toEqual([[], []])
  })
})
