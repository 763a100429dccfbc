import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { BUILD_TIMEOUT, guardedAddon } from '../support/guarded-addon.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Source for programs and workers: moves memory to a view that framepool does not know. Node 20 has no `transfer()`.
 */
const TAKE = `
async function take(view, way = 'stream') {
  if (way === 'transfer' && view.buffer.transfer) {
    const { byteOffset, length } = view
    return new Uint8Array(view.buffer.transfer(), byteOffset, length)
  }
  const stream = new ReadableStream({ type: 'bytes', start: (controller) => controller.enqueue(view) })
  return (await stream.getReader().read()).value
}
`

/**
 * Source for the programs. `reach` touches all bytes of a view, and freed memory faults.
 */
const HELPERS = `${TAKE}
import { createRequire } from 'node:module'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { adopt, BudgetPool, BuddyPool, ByteRing, Slice, SlotPool, SystemMemoryBuffer } from 'framepool'
import { generateAuthorityKeypair, Sv2Session } from 'framepool/sv2'
const { failAllocation } = createRequire(import.meta.url)(process.env.FRAMEPOOL_ADDON)
function reach(view) {
  for (let index = 0; index < view.length; index++) view[index] = view[index]
  return view.length
}
function codeOf(call) {
  try {
    call()
  } catch (error) {
    return error.code
  }
}
`

// Each program runs in a separate process in which freed memory is inaccessible. A view that reaches freed memory ends
// the process.
describe.runIf(process.platform === 'linux')('memory that JavaScript still sees', () => {
  let addon: string
  beforeAll(() => {
    addon = guardedAddon()
  }, BUILD_TIMEOUT)

  function printed(program: string): unknown {
    const { status, signal, stdout, stderr } = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', HELPERS + program],
      {
        cwd: root,
        encoding: 'utf8',
        env: { ...process.env, FRAMEPOOL_ADDON: addon, FRAMEPOOL_GUARD_PAGES: '1' },
        timeout: 60_000,
      },
    )
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' })
    return JSON.parse(stdout)
  }

  it.each([
    ['nothing', 'pool.truncate(0)'],
    [
      'nothing, after bytes were hidden',
      'pool.dangerSetStart(5); pool.truncate(0); pool.dangerSetStart(0); pool.truncate(0)',
    ],
  ])('as a heap message that was truncated to %s stays when a session receives into its pool', (_, truncate) => {
    const program = `
      const { publicKey: authorityPublicKey, secretKey: authoritySecretKey } = generateAuthorityKeypair()
      const pool = new SlotPool(64)
      const client = Sv2Session.initiator()
      const server = Sv2Session.responder({ authorityPublicKey, authoritySecretKey, pool })
      const wire = ({ output }) => {
        const bytes = new Uint8Array(output.available)
        output.read(bytes)
        return bytes
      }
      server.receive(wire(client))
      client.receive(wire(server))
      const view = pool.getWritable(5000)
      ${truncate}
      for (const length of [9, 9, 5000]) {
        client.send({ messageType: 1 }, new Uint8Array(length))
        const [frame] = server.receive(wire(client))
        reach(view)
        reach(frame.payload)
      }
      pool.close()
      reach(view)
      console.log(true)`
    expect(printed(program)).toBe(true)
  })

  describe('through an ArrayBuffer with a property of its own', () => {
    it.each<[string, string, string]>([
      [
        'a ring that was moved and released',
        `const { producer, consumer } = new ByteRing(4096).intoParts()
        const show = () => {
          let bytes
          producer.ioSlices(([view]) => {
            bytes = view
            return 0
          })
          return bytes
        }`,
        `adopt(producer.move()).release()
        consumer.release()`,
      ],
      [
        'a ring that was released',
        `const { producer, consumer } = new ByteRing(4096).intoParts()
        const show = () => {
          let bytes
          consumer.ioSlices(([view]) => {
            bytes = view
            return 0
          })
          return bytes
        }
        producer.write(new Uint8Array(4096))`,
        `consumer.release()
        producer.release()`,
      ],
      [
        'a heap slice',
        'const slice = Slice.from(new Uint8Array(5000)); const show = () => slice.bytes',
        'slice.release()',
      ],
      [
        'a heap slice that was moved',
        'const slice = Slice.from(new Uint8Array(5000)); const show = () => slice.bytes',
        'adopt(slice.move()).release()',
      ],
      [
        'an allocation',
        `const allocation = new BudgetPool({ bufferSize: 4096, maxMemory: 8192 }).tryAllocate(1)
        const show = () => allocation.bytes`,
        'allocation.release()',
      ],
      [
        'a slice of a pool that is closed',
        `const pool = new SlotPool(5000)
        pool.getWritable(5000)
        const slice = pool.getDataOwned()
        const show = () => slice.bytes`,
        'pool.close(); slice.release()',
      ],
      [
        'a buffer of system memory that grows',
        'const buffer = new SystemMemoryBuffer(); buffer.getWritable(5000); const show = () => buffer.bytes',
        'buffer.getWritable(50_000)',
      ],
      [
        'a heap message that grows',
        'const pool = new SlotPool(8); pool.getWritable(5000); const show = () => pool.bytes',
        'pool.getWritable(50_000)',
      ],
      [
        "a session's output",
        `const session = Sv2Session.initiator()
        const show = () => {
          let bytes
          session.output.ioSlices(([view]) => {
            bytes = view
            return 0
          })
          return bytes
        }`,
        'session.close()',
      ],
    ])('%s', (_, make, free) => {
      const names = ['byteLength', 'detached', 'maxByteLength', 'transfer', 'constructor', 'slice']
      const parts = names.map(
        (name) => `{
        ${make}
        const shown = []
        const anew = () => {
          try {
            shown.push(show())
          } catch (error) {
            // The object may be released or in use by now.
            if (error.code === undefined) throw error
          }
        }
        anew()
        const arrayBuffer = shown[0].buffer
        const real = () => Reflect.get(ArrayBuffer.prototype, '${name}', arrayBuffer)
        Object.defineProperty(arrayBuffer, '${name}', { get: () => (anew(), real()) })
        ${free}
        shown.forEach(reach)
        await new Promise(setImmediate)
        shown.forEach(reach)
      }`,
      )
      expect(printed(`${parts.join('\n')}; console.log(true)`)).toBe(true)
    })
  })

  describe('in an isolate that outlives the one it came from', () => {
    const made: [string, string][] = [
      ['a heap slice', 'const { bytes } = Slice.from(new Uint8Array(5000).fill(0x41))'],
      [
        'a slice',
        `const pool = new SlotPool(8000)
        pool.write(new Uint8Array(5000).fill(0x41))
        const { bytes } = pool.getDataOwned()`,
      ],
      [
        'an allocation',
        'const bytes = new BudgetPool({ bufferSize: 4096, maxMemory: 8192 }).tryAllocate(1).bytes.fill(0x41)',
      ],
      ['a buddy buffer', 'const bytes = new BuddyPool({ maxMemory: 2 ** 26 }).tryAllocate(5000).bytes.fill(0x41)'],
      [
        'a ring',
        `const { producer, consumer } = new ByteRing(8192).intoParts()
        let bytes
        producer.ioSlices(([view]) => {
          bytes = view.fill(0x41)
          return 0
        })`,
      ],
      ['a message that is being written', 'const bytes = new SystemMemoryBuffer().getWritable(5000).fill(0x41)'],
      ['a message that is being written to a pool', 'const bytes = new SlotPool(8000).getWritable(5000).fill(0x41)'],
      ['a message that is being written to the heap', 'const bytes = new SlotPool(8).getWritable(5000).fill(0x41)'],
      [
        "a session's output",
        `let bytes
        Sv2Session.initiator().output.ioSlices(([view]) => {
          bytes = view.fill(0x41)
          return 0
        })`,
      ],
    ]
    it.each(made)('%s', (_, make) => {
      const source = `
        import { parentPort, workerData } from 'node:worker_threads'
        import { BudgetPool, BuddyPool, ByteRing, Slice, SlotPool, SystemMemoryBuffer } from 'framepool'
        import { Sv2Session } from 'framepool/sv2'
        ${TAKE}
        ${make}
        const chunk = await take(bytes, workerData)
        parentPort.postMessage(chunk, [chunk.buffer])
        parentPort.once('message', (end) => {
          if (end === 'throw') throw new Error('the end')
          process.exit()
        })`
      const program = `
        for (const [end, way] of [['exit', 'stream'], ['terminate', 'transfer'], ['throw', 'stream']]) {
          const options = { eval: true, execArgv: ['--input-type=module'], workerData: way }
          const worker = new Worker(${JSON.stringify(source)}, options)
          worker.on('error', () => {})
          const gone = new Promise((resolve) => worker.on('exit', resolve))
          const [chunk] = await once(worker, 'message')
          reach(chunk)
          if (end === 'terminate') worker.terminate()
          else worker.postMessage(end)
          await gone
          for (let turn = 0; turn < 3; turn++) {
            reach(chunk)
            await new Promise((resolve) => setTimeout(resolve, 10))
          }
          if (chunk.length < 64 || chunk.some((byte) => byte !== 0x41)) throw new Error('other bytes')
        }
        console.log(true)`
      expect(printed(program)).toBe(true)
    })
  })

  describe.each([
    ['a buffer of system memory', 'new SystemMemoryBuffer()'],
    ['a heap message of a pool', 'new SlotPool(8)'],
  ])('as %s for whose growth there was no memory', (_, make) => {
    it.each([0, 1, 2, 3])('at step %i', (step) => {
      const program = `
        const buffer = ${make}
        const taken = await take(buffer.getWritable(5000).fill(1))
        failAllocation(${step}, 4000)
        const code = codeOf(() => buffer.getWritable(1).fill(1))
        failAllocation(-1, 0)
        reach(taken)
        buffer.getWritable(50_000).fill(1)
        reach(taken)
        buffer.getDataOwned().release()
        reach(taken)
        console.log(JSON.stringify([code ?? 'ERR_NO_MEMORY', taken.every((byte) => byte === 1)]))`
      expect(printed(program)).toEqual(['ERR_NO_MEMORY', true])
    })

    it.each([0, 1, 2, 3])('at step %i, without interference, keeps its bytes', (step) => {
      const program = `
        const buffer = ${make}
        buffer.getWritable(5000).fill(1)
        failAllocation(${step}, 4000)
        const code = codeOf(() => buffer.getWritable(50_000).fill(1))
        failAllocation(-1, 0)
        const length = code === undefined ? 55_000 : 5000
        const whole = buffer.length === length && buffer.bytes.every((byte) => byte === 1)
        console.log(JSON.stringify([code ?? 'ERR_NO_MEMORY', whole]))`
      expect(printed(program)).toEqual(['ERR_NO_MEMORY', true])
    })
  })
})
