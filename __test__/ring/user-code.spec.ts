import { getEventListeners, once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import type { Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { adopt, BuddyPool, BudgetPool, ByteRing, pump, relaySockets, Slice, SliceChannel } from '../../index.js'
import type { WaitOptions } from '../../src/support/wait.js'
import type { Sv2Session } from '../../src/sv2/index.js'
import { codeOf } from '../support/code-of.js'
import { eventually, PATIENCE_MS, quiet } from '../support/network.js'
import { pattern } from '../support/pattern.js'
import { runProgram } from '../support/program.js'
import { pair, strangers } from '../support/sessions.js'
import { settingsOf } from '../support/socket-kinds.js'
import { connected, received } from '../support/sockets.js'

const MIB = 2 ** 20

/** Values that user code may throw. */
const THROWN: [string, unknown][] = [
  ['an Error', new Error('mine')],
  ['null', null],
  ['undefined', undefined],
  ['a string', 'mine'],
  ['0', 0],
]

/** Returns the reason that `promise` rejects with. It is boxed, because it may be `undefined`. */
function rejection(promise: Promise<unknown>): Promise<{ reason: unknown }> {
  return promise.then(
    () => expect.unreachable('it did not reject'),
    (reason: unknown) => ({ reason }),
  )
}

function thrownBy(call: () => unknown): { reason: unknown } {
  try {
    call()
  } catch (reason) {
    return { reason }
  }
  return expect.unreachable('it did not throw')
}

function throwing(thrown: unknown): () => never {
  return () => {
    throw thrown
  }
}

/** Makes the next call of the method throw. */
function throwOnce(socket: Socket, method: string, thrown: unknown): void {
  const value = (): never => {
    Reflect.deleteProperty(socket, method)
    throw thrown
  }
  Object.defineProperty(socket, method, { value, configurable: true })
}

/** Returns an object whose property `name` throws when it is read. */
function trap(name: string, thrown: unknown, rest: object = {}): never {
  return Object.defineProperty({ ...rest }, name, { get: throwing(thrown) }) as never
}

function openDevice(path: string, flags: string): number {
  const fd = openSync(path, flags)
  onTestFinished(() => closeSync(fd))
  return fd
}

describe.each(THROWN)('%s, thrown', (_, thrown) => {
  it('is passed on by ioSlices and ioSlicesAsync, whose half is as before', async () => {
    const { producer, consumer } = new ByteRing(64).intoParts()
    producer.writeAll(pattern(10))
    const thenables = [
      throwing(thrown),
      () => Promise.reject(thrown),
      // biome-ignore lint/suspicious/noThenProperty: the test needs a thenable.
      () => ({ then: throwing(thrown) }),
      () => Object.defineProperty({}, 'then', { get: throwing(thrown) }),
      // biome-ignore lint/suspicious/noThenProperty: the test needs a thenable.
      () => ({ then: (_: unknown, reject: (reason: unknown) => void) => reject(thrown) }),
    ] as (() => never)[]
    for (const half of [producer, consumer]) {
      const available = half.available
      expect(thrownBy(() => half.ioSlices(throwing(thrown)))).toEqual({ reason: thrown })
      for (const use of thenables) expect(await rejection(half.ioSlicesAsync(use))).toEqual({ reason: thrown })
      expect([half.available, half.ioSlices(() => 0)]).toEqual([available, 0])
    }
    expect(Buffer.alloc(10).length).toBe(consumer.read(Buffer.alloc(10)))
    // The output of a session is a half of a ring.
    const { initiator } = strangers()
    expect(thrownBy(() => initiator.output.ioSlices(throwing(thrown)))).toEqual({ reason: thrown })
    expect(initiator.output.available).toBe(64)
    for (const half of [producer, consumer]) expect(half.release()).toBe(true)
  })

  it('rejects a wait when a getter of its options throws it, and leaves nothing waiting, lent or taken', async () => {
    const budget = new BudgetPool({ bufferSize: 8, maxMemory: 64 })
    const buddy = new BuddyPool()
    const { producer, consumer } = new ByteRing(64).intoParts()
    const { sender, receiver } = SliceChannel.create(1)
    const { initiator } = strangers()
    const zero = openDevice('/dev/zero', 'r')
    const sink = openDevice('/dev/null', 'w')
    for (const name of ['signal', 'timeoutMs']) {
      const options = trap(name, thrown)
      for (const promise of [
        budget.allocate(1, options),
        buddy.allocate(1, options),
        producer.writable(1, options),
        consumer.readable(1, options),
        producer.readFromAsync(zero, options),
        consumer.writeToAsync(sink, options),
        initiator.output.writeToAsync(sink, options),
        sender.sendAsync(Slice.from(pattern(1)), options),
        receiver.receive(options),
        initiator.established(options),
        initiator.drained(options),
      ]) {
        expect(await rejection(promise)).toEqual({ reason: thrown })
      }
    }
    for (const call of [
      () => producer.writableSync(1, trap('timeoutMs', thrown)),
      () => consumer.readableSync(1, trap('timeoutMs', thrown)),
      () => receiver.receiveSync(trap('timeoutMs', thrown)),
      () => budget.allocateSync(1, trap('timeoutMs', thrown)),
      () => budget.allocateSync(1, trap('zero', thrown, { timeoutMs: 1 })),
      () => budget.tryAllocate(1, trap('zero', thrown)),
      () => buddy.tryAllocate(1, trap('zero', thrown)),
      () => buddy.allocateSync(1, trap('zero', thrown)),
      () => adopt(trap('framepool', thrown)),
    ]) {
      expect(thrownBy(call)).toEqual({ reason: thrown })
    }
    expect(await rejection(budget.allocate(1, trap('zero', thrown)))).toEqual({ reason: thrown })
    expect(await rejection(buddy.allocate(1, trap('zero', thrown)))).toEqual({ reason: thrown })
    expect(budget.stats()).toMatchObject({ allocatedBytes: 0, liveAllocations: 0, waiting: 0 })
    expect(buddy.stats()).toMatchObject({ liveBuffers: 0, waiting: 0 })
    for (const end of [producer.move(), consumer.move(), sender.move(), receiver.move()])
      adopt<Disposable>(end as never)
    await Promise.all([budget.close(), buddy.close()])
  })

  it('is passed on when a getter of options throws it, and nothing is made', async () => {
    expect(thrownBy(() => new BudgetPool(trap('maxMemory', thrown, { bufferSize: 8 })))).toEqual({ reason: thrown })
    const watermarks = new Proxy([1, 2, 3, 4], { get: throwing(thrown) })
    for (const options of [
      trap('maxMemory', thrown),
      trap('block', thrown),
      { block: trap('onBlock', thrown) },
      { block: { backend: trap('allocate', thrown, { release: () => {} }) as never } },
      { mergeWatermarks: watermarks as never },
    ]) {
      expect(thrownBy(() => new BuddyPool(options))).toEqual({ reason: thrown })
    }
    const { producer, consumer } = new ByteRing(64).intoParts()
    expect(thrownBy(() => consumer.toReadable(trap('encoding', thrown)))).toEqual({ reason: thrown })
    expect(thrownBy(() => producer.toWritable(trap('signal', thrown)))).toEqual({ reason: thrown })
    const { dialled, accepted } = await connected()
    expect(await rejection(consumer.pipeTo(dialled, trap('end', thrown)))).toEqual({ reason: thrown })
    for (const name of ['size', 'idleTimeoutMs', 'signal']) {
      expect(await rejection(relaySockets(dialled, accepted, trap(name, thrown)))).toEqual({ reason: thrown })
    }
    for (const name of ['size', 'signal', 'onProgress']) {
      expect(await rejection(pump(0, 1, trap(name, thrown)))).toEqual({ reason: thrown })
    }
    expect([dialled.destroyed, accepted.destroyed]).toEqual([false, false])
    for (const half of [producer, consumer]) expect(half.release()).toBe(true)
  })

  it('rejects waits as the reason of an abort, and nothing listens any more', async () => {
    // Node replaces `undefined` with its own error.
    const reasonOf = (signal: AbortSignal) => ({ reason: thrown === undefined ? signal.reason : thrown })
    const before = AbortSignal.abort(thrown)
    const abort = new AbortController()
    const { signal } = abort
    const budget = new BudgetPool({ bufferSize: 8, maxMemory: 16 })
    const all = budget.tryAllocate(2)!
    const { producer, consumer } = new ByteRing(64).intoParts()
    producer.writeAll(pattern(64))
    const { dialled } = await connected()
    const relayed = await connected()
    const { receiver } = SliceChannel.create(1)
    const empty = new ByteRing(64).intoParts()
    const waits = (signal: AbortSignal): Promise<unknown>[] => [
      budget.allocate(1, { signal }),
      producer.writable(1, { signal }),
      receiver.receive({ signal }),
      strangers().initiator.established({ signal }),
      empty.consumer.pipeTo(dialled, { signal }),
      relaySockets(relayed.dialled, relayed.accepted, { signal }),
    ]
    for (const wait of waits(before)) expect(await rejection(wait)).toEqual(reasonOf(before))
    const waiting = waits(signal).map(rejection)
    abort.abort(thrown)
    for (const reason of await Promise.all(waiting)) expect(reason).toEqual(reasonOf(signal))
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    expect(budget.stats().waiting).toBe(0)
    await eventually(() => expect(empty.consumer.release()).toBe(true))
    all.release()
    for (const half of [producer, consumer]) half.release()
  })

  it('is not met in own properties of a signal, which are never read', async () => {
    const abort = new AbortController()
    const { signal } = abort
    for (const name of ['aborted', 'reason', 'addEventListener', 'removeEventListener', 'throwIfAborted'] as const) {
      Object.defineProperty(signal, name, { get: throwing(thrown) })
    }
    const reason = new Error('enough')
    const { producer, consumer } = new ByteRing(64).intoParts()
    const readable = consumer.toReadable({ signal }).on('error', () => {})
    const writable = producer.toWritable({ signal }).on('error', () => {})
    const waiting = rejection(SliceChannel.create(1).receiver.receive({ signal }))
    const other = new ByteRing(64).intoParts()
    const piped = rejection(other.consumer.pipeTo((await connected()).dialled, { signal }))
    // Any code can dispatch such an event.
    signal.dispatchEvent(new Event('abort'))
    await quiet()
    expect([readable.destroyed, writable.destroyed]).toEqual([false, false])
    abort.abort(reason)
    for (const stream of [readable, writable]) {
      expect(stream.errored).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: reason })
    }
    expect([await waiting, await piped]).toEqual([{ reason }, { reason }])
    const descriptors = [openDevice('/dev/zero', 'r'), openDevice('/dev/null', 'w')] as const
    expect(await rejection(pump(...descriptors, { signal }))).toEqual({
      reason: expect.objectContaining({ bytes: 0n }),
    })
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    await eventually(() => expect([producer.release(), consumer.release()]).toEqual([false, false]))
  })

  it('stops and rejects the pump when onProgress throws it', async () => {
    const descriptors = [openDevice('/dev/zero', 'r'), openDevice('/dev/null', 'w')] as const
    expect(await rejection(pump(...descriptors, { onProgress: throwing(thrown) }))).toEqual({ reason: thrown })
  })

  it('rejects pipeTo when a method of the socket throws it, and the half is given back', async () => {
    // The bytes lie in one view, and then in two.
    for (const [method, first] of [
      ['prependListener', 0],
      ['write', 0],
      ['write', 30],
      ['end', 0],
    ] as const) {
      const { producer, consumer } = new ByteRing(64).intoParts()
      const { dialled } = await connected()
      const before = settingsOf(dialled)
      producer.writeAll(pattern(60))
      consumer.read(Buffer.alloc(60 - first))
      producer.writeAll(pattern(30))
      producer.end()
      const own = Object.getOwnPropertyDescriptor(dialled, method)
      Object.defineProperty(dialled, method, { configurable: true, value: throwing(thrown) })
      expect([method, await rejection(consumer.pipeTo(dialled))]).toEqual([method, { reason: thrown }])
      expect(own).toBeUndefined()
      Reflect.deleteProperty(dialled, method)
      await eventually(() => expect(consumer.release()).toBe(true))
      if (method !== 'end') expect(settingsOf(dialled)).toEqual(before)
    }
  })

  it('leaves the half lent when a method of the socket throws it after taking the bytes, until the socket is done with them', async () => {
    const { producer, consumer } = new ByteRing(2 ** 24).intoParts()
    const { dialled, accepted } = await connected()
    producer.writeAll(pattern(2 ** 24))
    const write = dialled.write
    dialled.write = function (this: Socket, ...given: unknown[]): never {
      Reflect.apply(write, this, given)
      throw thrown
    }
    expect(await rejection(consumer.pipeTo(dialled))).toEqual({ reason: thrown })
    expect(codeOf(() => consumer.release())).toBe('ERR_BUSY')
    accepted.resume()
    // The bytes that went out are no longer in the ring.
    await eventually(() => expect(consumer.read(Buffer.alloc(1))).toBe(0))
    expect(consumer.release()).toBe(true)
    await eventually(() => expect(accepted.bytesRead).toBe(2 ** 24))
  })

  it.each(['prependListener', 'setNoDelay', 'pause', 'read', 'resume', 'write', 'end', 'destroy'])(
    'by the socket: %s ends relaySockets, which leaves nothing behind',
    async (method) => {
      const left = await connected()
      const right = await connected()
      const [a, b] = [left.accepted, right.dialled]
      const before = [a, b].map((socket) => (settingsOf(socket) as { allowHalfOpen: boolean }).allowHalfOpen)
      throwOnce(b, method, thrown)
      const abort = new AbortController()
      const relayed = relaySockets(a, b, { signal: abort.signal })
      left.dialled.end('something')
      if (method === 'destroy') {
        abort.abort(thrown ?? 'enough')
        expect(await rejection(relayed)).toEqual({ reason: thrown ?? 'enough' })
      } else {
        expect(await rejection(relayed)).toEqual({ reason: thrown })
      }
      const open = method === 'prependListener'
      expect([a.destroyed, b.destroyed]).toEqual([!open, !open])
      expect([a, b].map(({ allowHalfOpen }) => allowHalfOpen)).toEqual(before)
      for (const socket of [a, b]) expect([socket.listenerCount('data'), socket.listenerCount('close')]).toEqual([0, 0])
      if (open) for (const socket of [a, b]) socket.destroy()
    },
  )

  it.each(['prependListener', 'setNoDelay', 'resume'])('by %s of the socket: attach refuses', async (method) => {
    const { dialled } = await connected()
    const before = settingsOf(dialled)
    const { initiator } = strangers()
    throwOnce(dialled, method, thrown)
    expect(thrownBy(() => initiator.attach(dialled, () => {}))).toEqual({ reason: thrown })
    expect([dialled.destroyed, settingsOf(dialled)]).toEqual([false, before])
    // The session can still be attached to this socket or another.
    initiator.attach(dialled, () => {})
  })

  it.each(['write', 'end'])('by %s of the socket ends the session, which says what was thrown', async (method) => {
    const { dialled } = await connected()
    const { initiator } = pair()
    initiator.attach(dialled, () => {})
    Object.defineProperty(dialled, method, { value: throwing(thrown), configurable: true })
    initiator.send({ messageType: 1 }, pattern(10))
    if (method === 'end') {
      initiator.close()
      await once(dialled, 'close').catch(() => {})
    } else {
      const { reason } = await rejection(
        initiator
          .drained()
          .then(() => initiator.drained())
          .then(() => lasting(initiator)),
      )
      const { cause } = reason as Error
      expect(thrown instanceof Error ? cause : (cause as Error).cause).toBe(thrown)
      expect(initiator.error).toBe(reason)
    }
    await eventually(() => expect([dialled.destroyed, initiator.stats().memoryBytes]).toEqual([true, 0]))
  })
})

/** Waits until the session ends, and rejects with its error. */
async function lasting(session: Sv2Session): Promise<void> {
  for (;;) {
    await quiet()
    await session.drained()
  }
}

describe('code that runs while options are read', () => {
  it('may abort: nothing is allocated, sent or received any more', async () => {
    const budget = new BudgetPool({ bufferSize: 8, maxMemory: 64 })
    const buddy = new BuddyPool()
    buddy.tryAllocate(20_000)!.release()
    const { sender, receiver } = SliceChannel.create(1)
    sender.send(Slice.from(pattern(3)))
    const aborting = (name: string) => {
      const abort = new AbortController()
      return Object.defineProperty({ signal: abort.signal }, name, {
        get: () => void abort.abort('late'),
      })
    }
    for (const name of ['zero', 'timeoutMs']) {
      expect(await rejection(budget.allocate(5, aborting(name)))).toEqual({ reason: 'late' })
      expect(await rejection(buddy.allocate(20_000, aborting(name)))).toEqual({ reason: 'late' })
    }
    expect(await rejection(receiver.receive(aborting('timeoutMs')))).toEqual({ reason: 'late' })
    expect(receiver.tryReceive()!.length).toBe(3)
    const slice = Slice.from(pattern(3))
    expect(await rejection(sender.sendAsync(slice, aborting('timeoutMs')))).toEqual({ reason: 'late' })
    expect([slice.bytes.length, receiver.tryReceive()]).toEqual([3, null])
    expect(budget.stats()).toMatchObject({ allocatedBytes: 0, liveAllocations: 0, waiting: 0 })
    expect(buddy.stats()).toMatchObject({ liveBuffers: 0, waiting: 0 })
    await Promise.all([budget.close(), buddy.close()])
  })

  it('may abort what pipeTo, relaySockets and pump begin: they do not', async () => {
    const abort = new AbortController()
    const { signal } = abort
    const { dialled, accepted } = await connected()
    const settings = [dialled, accepted].map(settingsOf)
    const { producer, consumer } = new ByteRing(64).intoParts()
    producer.writeAll(pattern(3))
    const late = (name: string) => Object.defineProperty({ signal }, name, { get: () => void abort.abort('late') })
    expect(await rejection(consumer.pipeTo(dialled, late('end')))).toEqual({ reason: 'late' })
    expect(await rejection(relaySockets(dialled, accepted, late('size')))).toEqual({ reason: 'late' })
    const descriptors = [openDevice('/dev/zero', 'r'), openDevice('/dev/null', 'w')] as const
    expect(await rejection(pump(...descriptors, late('onProgress')))).toMatchObject({ reason: { cause: 'late' } })
    expect([[dialled, accepted].map(settingsOf), consumer.read(Buffer.alloc(9))]).toEqual([settings, 3])
  })

  it('may use, end or release what is asked', async () => {
    const during = (use: () => unknown): WaitOptions => ({
      get signal() {
        use()
        return AbortSignal.any([])
      },
    })
    const one = new ByteRing(64).intoParts()
    expect(
      await one.producer.writable(
        1,
        during(() => one.producer.write(pattern(3))),
      ),
    ).toBe(61)
    expect(
      await rejection(
        one.producer.writable(
          1,
          during(() => one.producer.release()),
        ),
      ),
    ).toMatchObject({
      reason: { code: 'ERR_RELEASED' },
    })
    const two = new ByteRing(64).intoParts()
    const zero = openDevice('/dev/zero', 'r')
    expect(
      await rejection(
        two.producer.readFromAsync(
          zero,
          during(() => two.producer.end()),
        ),
      ),
    ).toMatchObject({
      reason: { code: 'ERR_CLOSED' },
    })
    const ends = SliceChannel.create(1)
    const item = Slice.from(pattern(3))
    expect(
      await rejection(
        ends.sender.sendAsync(
          item,
          during(() => ends.sender.release()),
        ),
      ),
    ).toMatchObject({
      reason: { code: 'ERR_RELEASED' },
    })
    expect(item.length).toBe(3)
    expect(await rejection(ends.receiver.receive(during(() => ends.receiver.release())))).toMatchObject({
      reason: { code: 'ERR_RELEASED' },
    })
    const order = SliceChannel.create(4)
    const [first, second] = [Slice.from(pattern(1)), Slice.from(pattern(2))]
    await order.sender.sendAsync(
      second,
      during(() => void order.sender.sendAsync(first)),
    )
    expect([order.receiver.tryReceive()!.length, order.receiver.tryReceive()!.length]).toEqual([1, 2])
  })
})

it('a reason that cannot take the bytes of a pump is the cause of one that can', async () => {
  const thrower = new Proxy(new Error('mine'), {
    defineProperty: throwing(1),
    getOwnPropertyDescriptor: throwing(2),
    getPrototypeOf: throwing(3),
    isExtensible: throwing(4),
    has: throwing(5),
  })
  const setting = Object.create(Object.defineProperty(new Error('mine'), 'bytes', { set: throwing(6) }))
  const descriptors = [openDevice('/dev/zero', 'r'), openDevice('/dev/null', 'w')] as const
  const { reason } = await rejection(pump(...descriptors, { signal: AbortSignal.abort(thrower) }))
  expect((reason as Error).name).toBe('AbortError')
  expect((reason as Error).cause === thrower).toBe(true)
  expect(await rejection(pump(...descriptors, { signal: AbortSignal.abort(setting) }))).toEqual({ reason: setting })
  expect(setting.bytes).toBe(0n)
})

it('a session whose output is lent is not attached', async () => {
  const { initiator } = strangers()
  const { dialled, accepted } = await connected()
  initiator.output.ioSlices(() => {
    expect(codeOf(() => initiator.attach(dialled, () => {}))).toBe('ERR_BUSY')
    return 0
  })
  const abort = new AbortController()
  const piped = rejection(initiator.output.pipeTo(dialled, { signal: abort.signal }))
  expect(codeOf(() => initiator.attach(accepted, () => {}))).toBe('ERR_BUSY')
  abort.abort('enough')
  expect(await piped).toEqual({ reason: 'enough' })
})

describe('an error that nobody can catch', { timeout: PATIENCE_MS }, () => {
  /** Runs a program in a separate process that survives uncaught exceptions and counts them. */
  const run = (program: string): unknown =>
    JSON.parse(
      runProgram(`
        import { once } from 'node:events'
        import net from 'node:net'
        import { setTimeout as sleep } from 'node:timers/promises'
        import { BuddyPool, ByteRing, relaySockets, SliceChannel, pump } from './dist/index.js'
        const uncaught = []
        process.on('uncaughtException', (error) => uncaught.push(error instanceof Error ? error.message : String(error)))
        const THROWN = [new Error('mine'), null, undefined, 'mine', 0]
        const EXPECTED = JSON.stringify(['mine', 'null', 'undefined', 'mine', '0'])
        const connected = async () => {
          const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
          await once(server, 'listening')
          const dialled = net.connect({ port: server.address().port, host: '127.0.0.1', allowHalfOpen: true })
          const [accepted] = await once(server, 'connection')
          // Before the connection is made, an exception of a listener would stop Node itself.
          if (dialled.connecting) await once(dialled, 'connect')
          server.close()
          for (const socket of [dialled, accepted]) socket.on('error', () => {})
          return { dialled, accepted }
        }
        const pattern = (length) => Buffer.from({ length }, (_, index) => index * 7)
        const read = async (stream) => { const all = []; for await (const chunk of stream) all.push(chunk); return Buffer.concat(all) }
        ${program}`),
    )

  it('loses no byte when onData throws it', () => {
    const told = run(`
      const { producer, consumer } = new ByteRing(4096).intoParts()
      const thrown = [...THROWN]
      let bytes = 0
      const onread = producer.onread((count) => { bytes += count; if (thrown.length > 0) throw thrown.shift() })
      const server = net.createServer((socket) => socket.end(Buffer.from(Array.from({ length: 200_000 }, (_, index) => index % 251))))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const socket = net.connect({ port: server.address().port, host: '127.0.0.1', onread })
      socket.on('end', () => producer.end())
      const got = await read(consumer.toReadable())
      server.close()
      console.log(JSON.stringify([got.length, bytes, got.every((byte, index) => byte === index % 251), JSON.stringify(uncaught) === EXPECTED]))`)
    expect(told).toEqual([200_000, 200_000, true, true])
  })

  it('does not keep the rest back when a listener for data of a stream throws it', () => {
    const told = run(`
      const { producer, consumer } = new ByteRing(64).intoParts()
      const stream = consumer.toReadable()
      const thrown = [...THROWN]
      let bytes = 0
      stream.on('data', (chunk) => { bytes += chunk.length; if (thrown.length > 0) throw thrown.shift() })
      const writable = producer.toWritable()
      writable.end(Buffer.alloc(1000))
      await once(stream, 'end')
      console.log(JSON.stringify([bytes, JSON.stringify(uncaught) === EXPECTED]))`)
    expect(told).toEqual([1000, true])
  })

  it('overwrites no unread bytes when it is thrown on a tick of the turn in which a socket has read', () => {
    const told = run(`
      const { producer, consumer } = new ByteRing(4096).intoParts()
      const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 31 + (index >> 8)) % 251))
      let count = 0
      const onread = producer.onread(() => { if (count++ % 3 === 0) process.nextTick(() => { throw THROWN[count % 5] }) })
      const server = net.createServer((socket) => socket.end(bytes)).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const socket = net.connect({ port: server.address().port, host: '127.0.0.1', onread })
      socket.on('end', () => producer.end())
      const got = await read(consumer.toReadable())
      console.log(JSON.stringify([got.equals(bytes), uncaught.length > 10]))
      process.exit()`)
    expect(told).toEqual([true, true])
  })

  it('hides no event from relaySockets and pipeTo when listeners of a socket throw it', () => {
    const told = run(`
      const results = []
      for (const thrown of THROWN) {
        const left = await connected(), right = await connected()
        for (const socket of [left.accepted, right.dialled]) for (const event of ['end', 'close', 'data', 'finish']) socket.on(event, () => { throw thrown })
        for (const socket of [left.accepted, right.dialled]) socket.on('removeListener', () => { throw thrown })
        left.accepted.pause(), right.dialled.pause()
        const relayed = relaySockets(left.accepted, right.dialled)
        left.dialled.end('ping'), right.accepted.end('pong')
        const [a, b] = await Promise.all([read(left.dialled), read(right.accepted)])
        results.push([String(a), String(b), await relayed])
        const { producer, consumer } = new ByteRing(64).intoParts()
        const broken = await connected()
        for (const event of ['error', 'close']) broken.dialled.on(event, () => { throw thrown })
        const piped = consumer.pipeTo(broken.dialled).catch(({ code }) => code)
        broken.dialled.destroy(Object.assign(new Error('broken'), { code: 'EBROKEN' }))
        results.push([await piped, consumer.release()])
      }
      console.log(JSON.stringify([results, uncaught.length > 0]))`)
    const once = [
      ['pong', 'ping', { aToB: 4, bToA: 4 }],
      ['EBROKEN', true],
    ]
    expect(told).toEqual([Array.from({ length: THROWN.length }, () => once).flat(), true])
  })

  it('hides no event from a session when listeners of a socket throw it', () => {
    const told = run(`
      const { Sv2Session, generateAuthorityKeypair } = await import('./dist/src/sv2/index.js')
      const { publicKey, secretKey } = generateAuthorityKeypair()
      const results = []
      for (const thrown of THROWN) {
        const { dialled, accepted } = await connected()
        for (const event of ['data', 'end', 'error', 'close']) accepted.on(event, () => { throw thrown })
        const session = Sv2Session.responder({ authorityPublicKey: publicKey, authoritySecretKey: secretKey })
        let frames = 0
        session.attach(accepted, (batch) => { frames += batch.length })
        const client = Sv2Session.initiator()
        client.attach(dialled, () => {})
        await client.established({ timeoutMs: 5000 })
        for (let index = 0; index < 10; index++) client.send({ messageType: 1 }, Buffer.alloc(100_000)) || await client.drained({ timeoutMs: 5000 })
        while (frames < 10) await sleep(5)
        dialled.resetAndDestroy()
        const error = await session.drained().then(() => sleep(300)).then(() => session.drained()).catch((error) => error)
        results.push([session.state, error.cause?.code, session.stats().memoryBytes, accepted.listenerCount('data')])
      }
      console.log(JSON.stringify([results, uncaught.length >= 25]))`)
    expect(told).toEqual([THROWN.map(() => ['closed', 'ECONNRESET', 0, 1]), true])
  })

  it('keeps no block from being told, and no buffer back, when onBlock throws it', () => {
    const told = run(`
      const thrown = [...THROWN]
      const blocks = []
      const pool = new BuddyPool({ maxMemory: 5 * 64 * ${MIB}, block: { onBlock: ({ index }) => { blocks.push(index); throw thrown[index] } } })
      const buffers = THROWN.map(() => pool.allocateSync(64 * ${MIB}))
      await sleep(10)
      for (const buffer of buffers) buffer.release()
      await pool.close()
      console.log(JSON.stringify([blocks, JSON.stringify(uncaught) === EXPECTED]))`)
    expect(told).toEqual([[0, 1, 2, 3, 4], true])
  })
})

describe('timers', { timeout: PATIENCE_MS }, () => {
  const replaced = {
    'are numbers': `
      for (const name of ['setTimeout', 'setInterval', 'setImmediate']) {
        const own = globalThis[name]
        globalThis[name] = (...given) => Number(own(...given)[Symbol.toPrimitive]?.() ?? 1)
      }`,
    'never fire': `
      for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask']) globalThis[name] = () => ({})
      performance.now = () => 0`,
    'are not there': `
      for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate', 'queueMicrotask']) delete globalThis[name]`,
  }
  it.each(
    Object.entries(replaced).flatMap(([name, code]) => [
      [name, 'before', code, ''],
      [name, 'after', '', code],
    ]),
  )('that %s, replaced %s framepool is loaded', (_, __, before, after) => {
    const program = `
      import { once } from 'node:events'
      import { openSync } from 'node:fs'
      import net from 'node:net'
      import { setTimeout as sleep } from 'node:timers/promises'
      ${before}
      const { BuddyPool, BudgetPool, ByteRing, pump, relaySockets, SliceChannel } = await import('./dist/index.js')
      const { Sv2Session, generateAuthorityKeypair } = await import('./dist/src/sv2/index.js')
      ${after}
      const { publicKey, secretKey } = generateAuthorityKeypair()
      const results = []
      const code = (promise) => promise.then(() => 'resolved', ({ code }) => code)
      const options = { timeoutMs: 20 }
      const budget = new BudgetPool({ bufferSize: 8, maxMemory: 16 })
      budget.tryAllocate(2)
      results.push(await code(budget.allocate(1, options)))
      results.push(await code(new ByteRing(64).intoParts().consumer.readable(1, options)))
      results.push(await code(SliceChannel.create(1).receiver.receive(options)))
      let blocks = 0
      const buddy = new BuddyPool({ block: { onBlock: () => blocks++ } })
      buddy.allocateSync(1)
      let told = 0
      const abort = new AbortController()
      const pumping = code(pump(openSync('/dev/zero', 'r'), openSync('/dev/null', 'w'), { signal: abort.signal, onProgress: () => { if (++told === 2) abort.abort() } }))
      results.push(await pumping, blocks)
      const echo = net.createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1')
      await once(echo, 'listening')
      const relay = net.createServer({ allowHalfOpen: true }, async (socket) => {
        results.push(await code(relaySockets(socket, net.connect(echo.address().port, '127.0.0.1'), { idleTimeoutMs: 200 })))
        server.close(); echo.close(); relay.close()
      }).listen(0, '127.0.0.1')
      const server = net.createServer((socket) => {
        const session = Sv2Session.responder({ authorityPublicKey: publicKey, authoritySecretKey: secretKey })
        session.attach(socket, (batch) => session.forward(batch, session))
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const session = Sv2Session.initiator()
      let bytes = 0
      session.attach(net.connect(server.address().port, '127.0.0.1'), (batch) => { for (const { payload } of batch) bytes += payload.length })
      await session.established()
      for (let index = 0; index < 20; index++) if (!session.send({ messageType: 1 }, Buffer.alloc(50_000))) await session.drained()
      while (bytes < 1_000_000) await sleep(1)
      session.close()
      results.push(bytes)
      const client = net.connect(relay.address().port, '127.0.0.1').on('error', () => {})
      client.write('ping')
      results.push(String((await once(client, 'data'))[0]))
      await once(client, 'close')
      await sleep(1)
      console.log(JSON.stringify(results))
      process.exit()`
    const results = JSON.parse(runProgram(program, 20_000))
    // 20 is the code of a DOMException for an abort.
    expect(results).toEqual(['ERR_TIMEOUT', 'ERR_TIMEOUT', 'ERR_TIMEOUT', 20, 1, 1_000_000, 'ping', 'ERR_TIMEOUT'])
  })
})

it('two rings are made or none', async () => {
  const { dialled, accepted } = await connected()
  const before = [dialled, accepted].map(settingsOf)
  for (const options of [{ size: 48 }, { size: 1 }, { size: 2 ** 31 }]) {
    expect(await rejection(relaySockets(dialled, accepted, options))).toMatchObject({
      reason: { code: 'ERR_OUT_OF_RANGE' },
    })
  }
  expect([dialled, accepted].map(settingsOf)).toEqual(before)
  accepted.end('still there')
  expect(String(await received(dialled))).toBe('still there')
})
