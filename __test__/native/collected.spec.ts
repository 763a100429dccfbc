import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'

/** Runs a script and parses its JSON output. Its `collect()` collects garbage and waits for finalizers. */
function run<T>(script: string): T {
  const program = `
    import * as framepool from 'framepool'
    import * as sv2 from 'framepool/sv2'
    import { PassThrough } from 'node:stream'
    const { BudgetPool, BuddyPool, ByteRing, FrameReader, FrameWriter, inspect, MemoryBudget, Slice, SliceChannel, SlotPool, SystemMemoryBuffer } = framepool
    const { generateAuthorityKeypair, Sv2Session } = sv2
    const collect = async () => {
      for (let turn = 0; turn < 10; turn++) {
        gc()
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    ${script}`
  const args = ['--expose-gc', '--input-type=module', '-e', program]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })) as T
}

it('a buddy pool that is collected gives its blocks back to the script', () => {
  const counts = run<number[]>(`
    const counts = [0, 0]
    const backend = {
      allocate: (bytes) => {
        counts[0]++
        return new ArrayBuffer(bytes)
      },
      release: () => counts[1]++,
    }
    const one = () => new BuddyPool({ block: { backend } }).allocateSync(1).release()
    for (let round = 0; round < 5; round++) one()
    await collect()
    console.log(JSON.stringify(counts))
  `)
  expect(counts).toEqual([5, 5])
})

describe('an object that is collected without a release', () => {
  it.each([
    ['a slot pool', 'new SlotPool(1 << 20).getWritable(10)'],
    [
      'a slot pool with slices',
      'const p = new SlotPool(1 << 20); p.writeAll(new Uint8Array(9)); p.getDataOwned().bytes; p.write(new Uint8Array(3)); p.getDataOwned()',
    ],
    [
      'a closed slot pool with a slice',
      'const p = new SlotPool(1 << 20); p.writeAll(new Uint8Array(9)); p.getDataOwned(); p.close()',
    ],
    ['a slot pool with a message on the heap', 'new SlotPool(8).getWritable(100_000)'],
    ['a message in system memory', 'new SystemMemoryBuffer().getWritable(1 << 20)'],
    ['a ring', 'new ByteRing(1 << 20)'],
    [
      'the halves of a ring',
      'const { producer, consumer } = new ByteRing(1 << 20).intoParts(); producer.write(new Uint8Array(9)); consumer.ioSlices(() => 0)',
    ],
    ['a channel', 'const { sender } = SliceChannel.create(1000); sender.send(Slice.from(new Uint8Array(1 << 20)))'],
    ['a budget pool', 'new BudgetPool({ bufferSize: 8, maxMemory: 1000 }).tryAllocate(3).release()'],
    ['a buddy pool', 'new BuddyPool().allocateSync(1 << 20).release()'],
    ['a buddy pool with a buffer', 'const b = new BuddyPool().allocateSync(1); held.push(b)'],
    ['a budget', 'new MemoryBudget(10)'],
    ['a reservation', 'new MemoryBudget(10).tryReserve(5)'],
    ['a reader', 'FrameReader.delimited({ maxFrameLength: 10 })'],
    [
      'a reader with an unfinished frame, a retained batch and a budget',
      "const pool = new SlotPool(1 << 16); const r = FrameReader.delimited({ maxFrameLength: 100, pool, budget: new MemoryBudget(1000) }); r.receive(Buffer.from('a\\nb')).retain()",
    ],
    [
      'a writer that has frames which its stream has not taken',
      "const w = FrameWriter.delimited(new PassThrough({ highWaterMark: 1 }), { maxFrameLength: 2 ** 20 }); const r = FrameReader.delimited({ maxFrameLength: 10, pool: new SlotPool(100) }); w.write(Slice.from(new Uint8Array(1 << 19))); w.forward(r.receive(Buffer.from('a\\nb\\n')))",
    ],
    [
      'a writer that has sent',
      'const w = FrameWriter.delimited(new PassThrough().resume(), { maxFrameLength: 2 ** 20 }); w.write(Slice.from(new Uint8Array(1 << 19))); held.push({ release: () => w[Symbol.dispose]() })',
    ],
    [
      'a buddy pool whose blocks a script lends',
      'new BuddyPool({ block: { backend: { allocate: (bytes) => new ArrayBuffer(bytes), release: () => {} } } }).allocateSync(1 << 20).release()',
    ],
    ['a session', 'Sv2Session.initiator().output.ioSlices(() => 0)'],
    [
      'a session with an output that has grown and was not taken',
      'const key = generateAuthorityKeypair(); const [a, b] = [Sv2Session.initiator(), Sv2Session.responder({ authorityPublicKey: key.publicKey, authoritySecretKey: key.secretKey })]; for (const [from, to] of [[a, b], [b, a]]) { const bytes = Buffer.alloc(from.output.available); from.output.read(bytes); to.receive(bytes) } a.send({ messageType: 1 }, Buffer.alloc(100_000))',
    ],
    [
      'a session that has received',
      'const key = generateAuthorityKeypair(); const s = Sv2Session.responder({ authorityPublicKey: key.publicKey, authoritySecretKey: key.secretKey }); s.receive(new Uint8Array(9))',
    ],
  ])('gives its memory back: %s', (_, make) => {
    const { before, after } = run<{ before: object[]; after: object[] }>(`
      const held = []
      const one = () => { ${make} }
      // Shared objects, such as the default pool of sessions, stay.
      one()
      for (const object of held.splice(0)) object.release()
      await collect()
      const before = inspect()
      for (let round = 0; round < 20; round++) one()
      await collect()
      for (const object of held.splice(0)) object.release()
      await collect()
      console.log(JSON.stringify({ before, after: inspect() }))`)
    expect(after).toEqual(before)
  })

  it('keeps the memory of its views', () => {
    const shown = run(`
      const views = (() => {
        const pool = new SlotPool(1000)
        const view = pool.getWritable(5)
        view.set(Buffer.from('hello'))
        const message = new SystemMemoryBuffer().getWritable(5)
        message.set(Buffer.from('there'))
        const { producer } = new ByteRing(64).intoParts()
        let room
        producer.ioSlices(([first]) => { room = first; return 0 })
        room.set(Buffer.from('again'))
        return [view, message, room.subarray(0, 5)]
      })()
      await collect()
      const listed = inspect().length
      console.log(JSON.stringify([listed, ...views.map((view) => Buffer.from(view).toString())]))`)
    expect(shown).toEqual([0, 'hello', 'there', 'again'])
  })

  it('is freed with its last view', () => {
    const grown = run<number>(`
      const one = () => new SlotPool(32 << 20).getWritable(32 << 20).fill(1)
      const view = one()
      await collect()
      const before = process.memoryUsage.rss()
      for (let round = 0; round < 40; round++) {
        one()
        await collect()
      }
      console.log(JSON.stringify((process.memoryUsage.rss() - before) / 2 ** 20), view.length > 0 ? '' : 'gone')`)
    // The loop used 1,280 MiB in all.
    expect(grown).toBeLessThan(200)
  })
})
