import { getEventListeners, once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket, type TcpNetConnectOpts } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  adopt,
  BuddyPool,
  BudgetPool,
  ByteRing,
  inspect,
  pump,
  relaySockets,
  Slice,
  SliceChannel,
  SystemMemoryBuffer,
} from '../../index.js'
import type { WaitOptions } from '../../src/support/wait.js'
import { codeOf } from '../support/code-of.js'
import { withoutUint8Arrays } from '../support/hidden-bytes.js'
import { eventually, PATIENCE_MS, quiet } from '../support/network.js'
import { pattern } from '../support/pattern.js'
import { strangers } from '../support/sessions.js'
import { settingsOf } from '../support/socket-kinds.js'
import { connected, received } from '../support/sockets.js'
import { runSurviving } from '../support/surviving-program.js'
import { rejection, THROWN, throwing, thrownBy, throwOnce, trap } from '../support/thrown.js'

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

  it.each(['_write', '_writev'])(
    'leaves the half lent when %s of the socket throws it, until the socket is closed',
    async (method) => {
      const { producer, consumer } = new ByteRing(64).intoParts()
      const { dialled } = await connected()
      // Bytes that wrap are written by `_writev`.
      producer.writeAll(pattern(48))
      consumer.read(Buffer.alloc(48))
      producer.writeAll(pattern(method === '_writev' ? 40 : 10))
      Object.defineProperty(dialled, method, { value: throwing(thrown) })
      expect(await rejection(consumer.pipeTo(dialled))).toEqual({ reason: thrown })
      expect(codeOf(() => consumer.release())).toBe('ERR_BUSY')
      dialled.destroy()
      await eventually(() => expect(consumer.release()).toBe(true))
      expect(dialled.listenerCount('close')).toBe(0)
      producer.release()
    },
  )

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
})

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

describe('an error that nobody can catch', { timeout: PATIENCE_MS }, () => {
  it('loses no byte when onData throws it', () => {
    const told = runSurviving(`
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
    const told = runSurviving(`
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
    const told = runSurviving(`
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
    const told = runSurviving(`
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
})

describe('bytes that cannot be shown', () => {
  it('end relaySockets', async () => {
    const left = await connected()
    const right = await connected()
    const relayed = rejection(relaySockets(left.accepted, right.accepted))
    left.dialled.write('a')
    expect(await once(right.dialled, 'data')).toEqual([Buffer.from('a')])
    const { reason } = (await withoutUint8Arrays(() => {
      left.dialled.write('b')
      return relayed
    })) as { reason: unknown }
    expect(reason).toMatchObject({ message: 'mine' })
    expect([left.accepted.destroyed, right.accepted.destroyed]).toEqual([true, true])
  })

  it('destroy a socket that reads by onread', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).write('a')).listen(0)
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { producer, consumer } = new ByteRing(64).intoParts()
    const { port } = server.address() as AddressInfo
    let reads = 0
    const socket = connect({ port, onread: producer.onread(() => reads++) } as TcpNetConnectOpts)
    onTestFinished(() => void socket.destroy())
    const [accepted] = (await once(server, 'connection')) as [Socket]
    await eventually(() => expect(reads).toBe(1))
    const error = await withoutUint8Arrays(async () => {
      accepted.write('b')
      return (await once(socket, 'error'))[0] as Error
    })
    expect([error.message, socket.destroyed]).toEqual(['mine', true])
    await eventually(() => expect(producer.release()).toBe(true))
    consumer.release()
  })

  it('err a Node stream, and stay in the ring', async () => {
    const { producer, consumer } = new ByteRing(64).intoParts()
    producer.write(Buffer.from('kept'))
    const stream = consumer.toReadable()
    const error = await withoutUint8Arrays(async () => {
      stream.resume()
      return (await once(stream, 'error'))[0] as Error
    })
    expect([error.message, producer.available]).toEqual(['mine', 60])
    producer.release()
  })

  it('are not kept by a SystemMemoryBuffer', async () => {
    const count = (): number => inspect().filter(({ kind }) => kind === 'system-memory-buffer').length
    const before = count()
    const buffer = new SystemMemoryBuffer()
    await withoutUint8Arrays(async () => expect(() => buffer.getWritable(10)).toThrow('mine'))
    expect([count(), buffer.length]).toEqual([before, 0])
    expect(buffer.write(Buffer.from('written'))).toBe(7)
    buffer.getDataOwned().release()
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
