import { describe, expect, it } from 'vitest'
import { FrameReader } from '../../index.js'
import { codeOf } from '../support/code-of.js'
import { runProgram, WORKERS } from '../support/program.js'

describe('a batch', () => {
  it('goes to a worker and back with its table and its tag, and its budget comes back', () => {
    const printed = runProgram(`${WORKERS}
      import { connect, createServer } from 'node:net'
      import { adopt, FrameReader, FrameWriter, MemoryBudget, SliceChannel, SlotPool } from 'framepool'
      const [there, back] = [SliceChannel.create(64), SliceChannel.create(64)]
      const worker = start(\`
        import { workerData } from 'node:worker_threads'
        import { adopt } from 'framepool'
        const [receiver, sender] = workerData.map(adopt)
        for await (const batch of receiver) {
          for (const payload of batch) for (let i = 0; i < payload.length; i++) payload[i] ^= 255
          await sender.sendAsync(batch)
        }
        sender.end()\`, { workerData: [there.receiver.move(), back.sender.move()] })
      const budget = new MemoryBudget(4 << 20)
      const options = { maxFrameLength: 1 << 17 }
      const writers = new Map()
      const server = createServer(async (socket) => {
        const writer = FrameWriter.lengthDelimited(socket, options)
        const id = writers.size + 0.5
        writers.set(id, writer)
        let open = 0
        const reader = FrameReader.lengthDelimited({ ...options, budget })
        writer.done = (count) => { open -= count }
        await reader.attach(socket, (batch) => {
          open += batch.length
          batch.tag = id
          return there.sender.sendAsync(batch)
        })
        while (open > 0) await new Promise((resolve) => setTimeout(resolve, 1))
        await writer.end()
      }).listen(0)
      void (async () => {
        for await (const batch of back.receiver) {
          const writer = writers.get(batch.tag)
          const count = batch.length
          writer.forward(batch)
          writer.done(count)
        }
      })()
      await once(server, 'listening')
      const results = await Promise.all(Array.from({ length: 10 }, async (_, client) => {
        const socket = connect(server.address().port)
        const sent = Array.from({ length: 50 }, (_, i) => Buffer.alloc([10, 5000, 100_000][i % 3] + client, i))
        const reader = FrameReader.lengthDelimited(options)
        const writer = FrameWriter.lengthDelimited(socket, options)
        let ok = 0
        const done = reader.attach(socket, (batch) => {
          for (const payload of batch) {
            const frame = sent[ok++]
            if (payload.length !== frame.length || payload[0] !== (frame[0] ^ 255)) throw new Error('wrong')
          }
        })
        for (const frame of sent) if (!writer.write(frame)) await writer.drained()
        await writer.end()
        await done
        return ok
      }))
      console.log(results.join(' '))
      server.close()
      there.sender.end()
      await ended(worker)
      await new Promise((resolve) => setTimeout(resolve, 50))
      console.log(budget.stats().reservedBytes, budget.stats().waiting, budget.stats().peakBytes <= 4 << 20)
      const other = SliceChannel.create(2)
      const pool = new SlotPool(100)
      pool.writeAll(Buffer.from('hi'))
      other.sender.send(pool.getDataOwned(), 42)
      pool.writeAll(Buffer.from('hi'))
      other.sender.send(pool.getDataOwned())
      console.log(other.receiver.tryReceive().tag, other.receiver.tryReceive().tag)
      const reader = FrameReader.delimited({ maxFrameLength: 10 })
      const batch = reader.receive(Buffer.from('a\\nbc\\n'))
      batch.tag = -1
      const home = adopt(batch.move())
      console.log(home.length, home.tag, Buffer.from(home.frame(1)).toString(), home.release(), batch.release())
      process.exit()`)
    expect(printed.split('\n')).toEqual([
      Array(10).fill(50).join(' '),
      '0 0 true',
      '42 undefined',
      '2 -1 bc',
      ' true false',
      '',
    ])
  })

  it.each(['byteOffset', 'byteLength', 'buffer', 'length'])(
    'finds the frames of a batch whatever a script has put in the place of %s',
    (name) => {
      using reader = FrameReader.delimited({ maxFrameLength: 100 })
      const batch = reader.receive(Buffer.from('abc\ndefghijk\n'))
      const prototype = Object.getPrototypeOf(Uint8Array.prototype)
      const own = Object.getOwnPropertyDescriptor(prototype, name)!
      const lengths: number[] = []
      for (const lie of [0, 1, 1e9, new ArrayBuffer(64), undefined]) {
        Object.defineProperty(prototype, name, { ...own, get: () => lie })
        try {
          const [first, second] = [batch.frame(0), batch.frame(1)]
          Object.defineProperty(prototype, name, own)
          lengths.push(first.length, second.length)
        } finally {
          Object.defineProperty(prototype, name, own)
        }
      }
      expect(lengths).toEqual([4, 9, 4, 9, 4, 9, 4, 9, 4, 9])
    },
  )

  it('notices a table that was overwritten', () => {
    using reader = FrameReader.delimited({ maxFrameLength: 100 })
    const batch = reader.receive(Buffer.from('abc\ndefghijk\n'))
    const { buffer, byteOffset } = batch.frame(0)
    new Uint8Array(buffer, byteOffset + 13, 12).fill(255)
    expect(codeOf(() => batch.frame(1))).toBe('ERR_INTERNAL')
    expect(codeOf(() => [...batch])).toBe('ERR_INTERNAL')
  })
})
