import { spawnSync } from 'node:child_process'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import {
  adopt,
  BuddyPool,
  BudgetPool,
  ByteRing,
  Slice,
  SliceChannel,
  SliceReceiver,
  SliceSender,
  SlotPool,
  SystemMemoryBuffer,
} from '../../index.js'
import { codeOf, codeOfRejection } from '../support/code-of.js'
import { pattern } from '../support/pattern.js'
import { runProgram, WORKERS } from '../support/program.js'

const text = JSON.stringify

const channel = (capacity?: number) => SliceChannel.create<Slice>(capacity)
const slice = (byte: number): Slice => Slice.from(new Uint8Array(10).fill(byte))
const firstByte = (item: { bytes: Uint8Array } | null): number | undefined => item?.bytes[0]

describe('a released item', () => {
  const items = {
    slice: () => slice(1),
    buffer: () => new BuddyPool().allocateSync(100),
    allocation: () => new BudgetPool({ bufferSize: 8, maxMemory: 1000 }).tryAllocate(1)!,
  }
  for (const [name, make] of Object.entries(items)) {
    for (const full of [false, true]) {
      it(`is refused by ${full ? 'a full' : 'an empty'} channel: ${name}`, () => {
        const { sender, receiver } = SliceChannel.create(1)
        if (full) expect(sender.send(slice(2))).toBe(true)
        const item = make()
        item.release()
        expect(codeOf(() => sender.send(item))).toBe('ERR_RELEASED')
        expect(firstByte(receiver.tryReceive() as Slice | null)).toBe(full ? 2 : undefined)
      })
    }
  }
})

describe('a channel', () => {
  it('carries slices, buffers and allocations of all kinds without changing them', () => {
    const pool = new SlotPool(4096)
    pool.writeAll(pattern(1000))
    const system = new SystemMemoryBuffer()
    system.writeAll(pattern(1000))
    const allocation = new BudgetPool({ bufferSize: 8, maxMemory: 1000 }).tryAllocate(125)!
    allocation.bytes.set(pattern(1000))
    const buffer = new BuddyPool().allocateSync(20_000)
    buffer.setLength(0)
    buffer.extendFromSlice(pattern(1000))
    const items = [pool.getDataOwned(), system.getDataOwned(), Slice.from(pattern(1000)), allocation, buffer]

    const { sender, receiver } = SliceChannel.create()
    for (const item of items) {
      expect(sender.send(item)).toBe(true)
      expect(codeOf(() => item.bytes)).toBe('ERR_RELEASED')
      expect(item.release()).toBe(false)
    }
    for (const item of items) {
      const received = receiver.tryReceive() as typeof item
      expect(received).toBeInstanceOf(item.constructor)
      expect(received.bytes).toEqual(Uint8Array.from(pattern(1000)))
      expect(received.release()).toBe(true)
    }
    expect(receiver.tryReceive()).toBe(null)
    expect(pool.toString()).toBe('--------  BACK MODE')
  })

  it.each([1, 2, 3, 8, 100])(
    'holds exactly its capacity of %i, and what is too much stays the sender’s',
    (capacity) => {
      const { sender, receiver } = channel(capacity)
      for (let index = 0; index < capacity; index++) expect(sender.send(slice(index))).toBe(true)
      const more = slice(200)
      expect(sender.send(more)).toBe(false)
      expect(firstByte(more)).toBe(200)
      for (let index = 0; index < capacity; index++) expect(firstByte(receiver.tryReceive())).toBe(index)
      expect(sender.send(more)).toBe(true)
      expect(firstByte(receiver.tryReceive())).toBe(200)
    },
  )

  it('holds 64 by default', () => {
    const { sender } = channel()
    let sent = 0
    while (sender.send(slice(1))) sent++
    expect(sent).toBe(64)
  })

  it.each([0, -1, 1.5, 65_537, Number.NaN])('cannot have a capacity of %d', (capacity) => {
    expect(codeOf(() => channel(capacity))).toBe('ERR_OUT_OF_RANGE')
  })

  it('refuses a capacity that is not a number', () => {
    expect(codeOf(() => channel('8' as never))).toBe('ERR_INVALID_ARG_TYPE')
  })

  it.each([
    undefined,
    null,
    5,
    {},
    new Uint8Array(8),
    Object.create(Slice.prototype),
    new SlotPool(64),
    new ByteRing(8).intoParts().producer,
    SliceChannel.create().sender,
  ])('refuses to carry what is not movable', async (item) => {
    const { sender, receiver } = channel()
    expect(codeOf(() => sender.send(item))).toBe('ERR_INVALID_ARG_TYPE')
    expect(await codeOfRejection(sender.sendAsync(item))).toBe('ERR_INVALID_ARG_TYPE')
    expect(receiver.tryReceive()).toBe(null)
  })

  it('refuses released items, and continues', async () => {
    const { sender, receiver } = channel()
    const gone = slice(1)
    gone.release()
    expect(codeOf(() => sender.send(gone))).toBe('ERR_RELEASED')
    expect(await codeOfRejection(sender.sendAsync(gone))).toBe('ERR_RELEASED')
    expect(sender.send(slice(2))).toBe(true)
    expect(firstByte(receiver.tryReceive())).toBe(2)
  })

  it('has ends that cannot be constructed', () => {
    expect(codeOf(() => new SliceSender(Symbol('mine'), { index: 0, generation: 0 }))).toBe('ERR_INVALID_ARG_TYPE')
    expect(codeOf(() => new SliceReceiver(Symbol('mine'), { index: 0, generation: 0 }))).toBe('ERR_INVALID_ARG_TYPE')
  })
})

describe('sendAsync', () => {
  it('waits for room in the order of the calls, and lets nothing overtake a wait', async () => {
    const { sender, receiver } = channel(2)
    const sent = [0, 1, 2, 3, 4].map((byte) => sender.sendAsync(slice(byte)))
    await Promise.all(sent.slice(0, 2))
    for (let byte = 0; byte < 5; byte++) {
      // There is room for a moment, but it belongs to a wait.
      expect(firstByte(receiver.tryReceive())).toBe(byte)
      if (byte < 3) expect(sender.send(slice(9))).toBe(false)
      await sent[byte + 2]
    }
    expect(receiver.tryReceive()).toBe(null)
    expect(sender.send(slice(9))).toBe(true)
  })

  it('rejects with the reason of an abort or after a timeout, keeps the item, and lets the others move up', async () => {
    const { sender, receiver } = channel(1)
    sender.send(slice(0))
    const controller = new AbortController()
    const items = [1, 2, 3].map(slice)
    const aborted = sender.sendAsync(items[0]!, { signal: controller.signal })
    const late = sender.sendAsync(items[1]!, { timeoutMs: 1 })
    const last = sender.sendAsync(items[2]!)
    controller.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    expect(await codeOfRejection(late)).toBe('ERR_TIMEOUT')
    expect([items[0]!, items[1]!].map(firstByte)).toEqual([1, 2])
    expect(firstByte(receiver.tryReceive())).toBe(0)
    await last
    expect(firstByte(receiver.tryReceive())).toBe(3)
  })

  it('rejects at once when its item was released before, though the channel is full', async () => {
    const { sender, receiver } = channel(1)
    sender.send(slice(0))
    const gone = slice(1)
    gone.release()
    expect(await codeOfRejection(sender.sendAsync(gone, { timeoutMs: 10_000 }))).toBe('ERR_RELEASED')
    const next = sender.sendAsync(slice(2))
    expect(await codeOfRejection(sender.sendAsync(gone, { timeoutMs: 10_000 }))).toBe('ERR_RELEASED')
    receiver.tryReceive()
    await next
    expect(firstByte(receiver.tryReceive())).toBe(2)
  })

  it('rejects when its item is released while it waits, and the next is sent', async () => {
    const { sender, receiver } = channel(1)
    sender.send(slice(0))
    const gone = slice(1)
    const sent = sender.sendAsync(gone)
    const next = sender.sendAsync(slice(2))
    gone.release()
    receiver.tryReceive()
    expect(await codeOfRejection(sent)).toBe('ERR_RELEASED')
    await next
    expect(firstByte(receiver.tryReceive())).toBe(2)
  })

  it.each(['end', 'release'] as const)('rejects when the sender’s own %s() comes first', async (how) => {
    const { sender, receiver } = channel(1)
    sender.send(slice(0))
    const item = slice(1)
    const sent = sender.sendAsync(item)
    sender[how]()
    expect(await codeOfRejection(sent)).toBe(how === 'end' ? 'ERR_CLOSED' : 'ERR_RELEASED')
    expect(firstByte(item)).toBe(1)
    expect(firstByte(receiver.tryReceive())).toBe(0)
    expect(await receiver.receive()).toBe(null)
  })

  it('rejects when the receiver ends', async () => {
    const { sender, receiver } = channel(1)
    sender.send(slice(0))
    const item = slice(1)
    const sent = sender.sendAsync(item)
    receiver.release()
    expect(await codeOfRejection(sent)).toBe('ERR_CLOSED')
    expect(firstByte(item)).toBe(1)
    expect(codeOf(() => sender.send(item))).toBe('ERR_CLOSED')
  })

  it('refuses wrong options, and sends nothing', async () => {
    const { sender, receiver } = channel(1)
    expect(await codeOfRejection(sender.sendAsync(slice(0), { timeoutMs: -1 }))).toBe('ERR_OUT_OF_RANGE')
    expect(await codeOfRejection(sender.sendAsync(slice(0), 5 as never))).toBe('ERR_INVALID_ARG_TYPE')
    expect(receiver.tryReceive()).toBe(null)
  })

  it('lets the process end when the last wait has given up', () => {
    const printed = runProgram(`
      import { Slice, SliceChannel } from 'framepool'
      const { sender, receiver } = SliceChannel.create(1)
      globalThis.kept = receiver
      sender.send(Slice.from(new Uint8Array(1)))
      sender.sendAsync(Slice.from(new Uint8Array(1)), { timeoutMs: 10 }).catch(({ code }) => console.log(code))
    `)
    expect(printed).toBe('ERR_TIMEOUT\n')
  })
})

describe('receiving', () => {
  it('waits for items, and returns null at the end, after all sent items', async () => {
    const { sender, receiver } = channel()
    const received = [receiver.receive(), receiver.receive(), receiver.receive()]
    await turn()
    sender.send(slice(1))
    sender.send(slice(2))
    sender.end()
    expect((await Promise.all(received)).map(firstByte)).toEqual([1, 2, undefined])
    expect([receiver.tryReceive(), await receiver.receive(), receiver.receiveSync({ timeoutMs: 0 })]).toEqual([
      null,
      null,
      null,
    ])
    expect(codeOf(() => sender.send(slice(3)))).toBe('ERR_CLOSED')
  })

  it('rejects with the reason of an abort, or after a timeout, and loses nothing', async () => {
    const { sender, receiver } = channel()
    const controller = new AbortController()
    const aborted = receiver.receive({ signal: controller.signal })
    const late = receiver.receive({ timeoutMs: 1 })
    controller.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    expect(await codeOfRejection(late)).toBe('ERR_TIMEOUT')
    sender.send(slice(1))
    expect(firstByte(await receiver.receive())).toBe(1)
  })

  it('blocks for at most its timeout', () => {
    const { sender, receiver } = channel()
    expect(codeOf(() => receiver.receiveSync({ timeoutMs: 1 }))).toBe('ERR_TIMEOUT')
    for (const options of [undefined, {}, { timeoutMs: '1' }]) {
      expect(codeOf(() => receiver.receiveSync(options as never))).toBe('ERR_INVALID_ARG_TYPE')
    }
    expect(codeOf(() => receiver.receiveSync({ timeoutMs: -1 }))).toBe('ERR_OUT_OF_RANGE')
    sender.send(slice(1))
    expect(firstByte(receiver.receiveSync({ timeoutMs: 0 }))).toBe(1)
  })

  it('iterates until the end, and the next loop continues one that was left early', async () => {
    const { sender, receiver } = channel()
    for (const byte of [1, 2, 3]) sender.send(slice(byte))
    const bytes: (number | undefined)[] = []
    for await (const item of receiver) {
      bytes.push(firstByte(item))
      item.release()
      if (bytes.length === 2) break
    }
    setImmediate(() => {
      sender.send(slice(4))
      sender.release()
    })
    for await (const item of receiver) bytes.push(firstByte(item))
    expect(bytes).toEqual([1, 2, 3, 4])
  })

  it('ends with the receiver, and returns items that were not received to their pool', async () => {
    const { sender, receiver } = channel()
    const pool = new SlotPool(64)
    pool.getWritable(8)
    sender.send(pool.getDataOwned())
    expect(pool.stats().slots).toBe('1-------')
    expect(receiver.release()).toBe(true)
    expect(receiver.release()).toBe(false)
    expect(pool.stats().slots).toBe('--------')
    expect(codeOf(() => receiver.tryReceive())).toBe('ERR_RELEASED')
    expect(codeOf(() => receiver.receiveSync({ timeoutMs: 0 }))).toBe('ERR_RELEASED')
    expect(await codeOfRejection(receiver.receive())).toBe('ERR_RELEASED')
    expect(codeOf(() => receiver.move())).toBe('ERR_RELEASED')

    const other = channel()
    const waiting = other.receiver.receive()
    other.receiver.release()
    expect(await codeOfRejection(waiting)).toBe('ERR_RELEASED')
  })
})

describe('move()', () => {
  it('moves either end along with the items in transit', async () => {
    const { sender, receiver } = channel(2)
    sender.send(slice(1))
    const movedSender = adopt(sender.move())
    expect(codeOf(() => sender.send(slice(2)))).toBe('ERR_RELEASED')
    expect([sender.release(), codeOf(() => sender.end()), codeOf(() => sender.move())]).toEqual([
      false,
      'ERR_RELEASED',
      'ERR_RELEASED',
    ])
    movedSender.send(slice(2))
    expect(movedSender.send(slice(3))).toBe(false)
    const movedReceiver = adopt(receiver.move())
    movedSender.end()
    expect(firstByte(movedReceiver.tryReceive())).toBe(1)
    expect(firstByte(await movedReceiver.receive())).toBe(2)
    expect(await movedReceiver.receive()).toBe(null)
  })

  it('is refused while a wait is pending', async () => {
    const { sender, receiver } = channel(1)
    const received = receiver.receive()
    expect(codeOf(() => receiver.move())).toBe('ERR_BUSY')
    sender.send(slice(1))
    await received
    sender.send(slice(2))
    const sent = sender.sendAsync(slice(3))
    expect(codeOf(() => sender.move())).toBe('ERR_BUSY')
    receiver.tryReceive()
    await sent
    expect(adopt(sender.move())).toBeInstanceOf(SliceSender)
    expect(adopt(receiver.move())).toBeInstanceOf(SliceReceiver)
  })
})

const RECEIVER = `
  import { parentPort, workerData } from 'node:worker_threads'
  import { adopt } from 'framepool'
  const receiver = adopt(workerData)
`

describe('between workers', () => {
  it.each([
    [
      'by waiting synchronously',
      'for (let item; (item = receiver.receiveSync({ timeoutMs: 60_000 })) !== null; ) take(item)',
    ],
    ['by iterating', 'for await (const item of receiver) take(item)'],
  ])('everything arrives in order and comes back, %s', (_, loop) => {
    const printed = runProgram(`${WORKERS}
      import { BuddyPool, SliceChannel, SlotPool } from 'framepool'
      const ITEMS = 20_000
      const { sender, receiver } = SliceChannel.create(5)
      const worker = start(${text(`${RECEIVER}
        let [count, wrong] = [0, 0]
        function take(item) {
          const view = new DataView(item.bytes.buffer, item.bytes.byteOffset, item.length)
          if (view.getUint32(0) !== count || view.getUint32(item.length - 4) !== count) wrong++
          count++
          item.release()
        }
        ${loop}
        parentPort.postMessage([count, wrong])
      `)}, { workerData: receiver.move() })
      const [slots, buddy] = [new SlotPool(2 ** 16), new BuddyPool()]
      for (let index = 0; index < ITEMS; index++) {
        let item
        if (index % 10 === 9) {
          item = await buddy.allocate(1000)
          item.setLength(1000)
        } else {
          slots.getWritable(8 + (index % 1000))
          item = slots.getDataOwned()
        }
        const { bytes } = item
        const view = new DataView(bytes.buffer, bytes.byteOffset, item.length)
        view.setUint32(0, index)
        view.setUint32(item.length - 4, index)
        if (!sender.send(item)) await sender.sendAsync(item)
      }
      sender.end()
      const [result] = await once(worker, 'message')
      console.log(...result, slots.stats().slots, buddy.stats().liveBuffers)
    `)
    expect(printed).toBe('20000 0 -------- 0\n')
  })

  it.each(['terminate', 'exit'])('a receiver that ends (%s) gives back its items, received or not', (how) => {
    const printed = runProgram(`${WORKERS}
      import { BuddyPool, SliceChannel, SlotPool } from 'framepool'
      const buddy = new BuddyPool()
      const slots = new SlotPool(4096)
      for (let round = 0; round < 5; round++) {
        const { sender, receiver } = SliceChannel.create(4)
        const worker = start(${text(`${RECEIVER}
          const first = await receiver.receive()
          first.bytes[0] = 1
          parentPort.postMessage('received')
          ${how === 'exit' ? 'process.exit()' : 'await receiver.receive() && await new Promise(() => setInterval(() => {}, 1000))'}
        `)}, { workerData: receiver.move() })
        const item = () => (slots.getWritable(100), slots.getDataOwned())
        sender.send(item())
        await once(worker, 'message')
        // The items come before or after the end of the receiver.
        const sent = [item(), await buddy.allocate(1), item(), item()].map((item) => {
          try { return sender.send(item) || item.release() } catch ({ code }) { return item.release() && code }
        })
        const last = await buddy.allocate(1)
        const waiting = sender.sendAsync(last).catch(() => last.release())
        if (${how === 'terminate'}) worker.terminate()
        await worker.gone
        await waiting
        const late = await buddy.allocate(1)
        let refused
        try { sender.send(late) } catch ({ code }) { refused = code }
        late.release()
        console.log(refused, slots.stats().slots, buddy.stats().liveBuffers)
      }
    `)
    expect(printed).toBe('ERR_CLOSED -------- 0\n'.repeat(5))
  })

  it('items that a worker sends before it ends arrive, and then the end', () => {
    const printed = runProgram(`${WORKERS}
      import { SliceChannel } from 'framepool'
      const { sender, receiver } = SliceChannel.create(8)
      start(${text(`
        import { workerData } from 'node:worker_threads'
        import { adopt, Slice, SlotPool } from 'framepool'
        const sender = adopt(workerData)
        const pool = new SlotPool(1024)
        for (let byte = 1; byte <= 3; byte++) {
          pool.getWritable(10).fill(byte)
          sender.send(pool.getDataOwned())
        }
        sender.send(Slice.from(new Uint8Array(10).fill(4)))
      `)}, { workerData: sender.move() })
      for await (const item of receiver) {
        console.log(item.bytes[0], item.bytes.every((byte) => byte === item.bytes[0]))
        item.release()
      }
      console.log('end')
    `)
    expect(printed).toBe('1 true\n2 true\n3 true\n4 true\nend\n')
  })
})

it('gives each object its own bytes, though code in a debug stack trace receives in the middle of receive()', () => {
  const program = `
    import { strict as assert } from 'node:assert'
    import { BuddyPool, BudgetPool, Slice, SliceChannel } from 'framepool'
    const budget = new BudgetPool({ bufferSize: 8, maxMemory: 800 })
    const make = [
      (byte) => Slice.from(new Uint8Array(byte).fill(byte)),
      (byte) => {
        const buffer = new BuddyPool({ maxMemory: 2 ** 26 }).tryAllocate(20)
        buffer.setLength(byte)
        buffer.bytes.fill(byte)
        return buffer
      },
      (byte) => {
        const allocation = budget.tryAllocate(byte)
        allocation.bytes.fill(byte)
        return allocation
      },
    ]
    for (const first of make) for (const second of make) {
      const { sender, receiver } = SliceChannel.create(4)
      sender.send(first(3), 3)
      sender.send(second(5), 5)
      const got = []
      let acts = true
      Error.prepareStackTrace = (error) => {
        if (acts) {
          acts = false
          got.push(receiver.tryReceive())
        }
        return String(error)
      }
      got.push(receiver.tryReceive())
      if (acts) got.push(receiver.tryReceive())
      Error.prepareStackTrace = undefined
      got.sort((a, b) => a.tag - b.tag)
      assert.deepEqual(got.map(({ tag, length, bytes }) => [tag, length, bytes[0], bytes.at(-1)]), [[3, 3, 3, 3], [5, 5, 5, 5]])
      for (const each of got) each.release()
    }
  `
  const env = { ...process.env, FRAMEPOOL_DEBUG: '1' }
  const { status, stderr } = spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', program], {
    encoding: 'utf8',
    env,
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: 'framepool: debug mode is on (FRAMEPOOL_DEBUG)\n' })
})
