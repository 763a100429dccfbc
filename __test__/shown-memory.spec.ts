import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { BUILD_TIMEOUT, guardedAddon } from './support/guarded-addon.js'

const root = fileURLToPath(new URL('..', import.meta.url))

/** For programs and workers: a view of the same memory that framepool does not know. */
const TAKE = `
async function take(view) {
  const stream = new ReadableStream({ type: 'bytes', start: (controller) => controller.enqueue(view) })
  return (await stream.getReader().read()).value
}
`

/**
 * For the programs. Memory that is freed faults there: `reach` touches all that a view shows.
 */
const HELPERS = `${TAKE}
import { createRequire } from 'node:module'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { adopt, BudgetPool, BuddyPool, ByteRing, Slice, SlotPool, SystemMemoryBuffer } from 'framepool'
import { generateAuthorityKeypair, Sv2Session } from 'framepool/sv2'
const { failAllocation } = createRequire(import.meta.url)(process.env.NAPI_RS_NATIVE_LIBRARY_PATH)
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

// Each runs in a process of its own, in which memory that was freed is inaccessible: a view that reaches it ends the process.
describe.runIf(process.platform === 'linux')('memory that JavaScript still sees', () => {
  let addon: string
  beforeAll(() => {
    addon = guardedAddon()
  }, BUILD_TIMEOUT)

  function printed(program: string): unknown {
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', HELPERS + program], {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, NAPI_RS_NATIVE_LIBRARY_PATH: addon },
      timeout: 60_000,
    })
    return JSON.parse(output)
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
        `const allocation = new BudgetPool({ bufferSize: 4096, maxMemory: 4096 }).tryAllocate(1)
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
      for (const name of names) {
        const program = `
          ${make}
          const shown = []
          const anew = () => {
            try {
              shown.push(show())
            } catch (error) {
              // It may be gone by now, or in use.
              if (error.code === undefined) throw error
            }
          }
          anew()
          const { buffer } = shown[0]
          const real = () => Reflect.get(ArrayBuffer.prototype, '${name}', buffer)
          Object.defineProperty(buffer, '${name}', { get: () => (anew(), real()) })
          ${free}
          shown.forEach(reach)
          await new Promise(setImmediate)
          shown.forEach(reach)
          console.log(true)`
        expect(printed(program), name).toBe(true)
      }
    })
  })

  describe('in another isolate than it came from, which has ended', () => {
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
        'const bytes = new BudgetPool({ bufferSize: 4096, maxMemory: 4096 }).tryAllocate(1).bytes.fill(0x41)',
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
    it.each(
      made.flatMap(([name, make]) => ['exits', 'is terminated', 'throws'].map((end) => [name, end, make] as const)),
    )('%s, when a worker %s', (_, end, make) => {
      const source = `
          import { parentPort } from 'node:worker_threads'
          import { BudgetPool, BuddyPool, ByteRing, Slice, SlotPool, SystemMemoryBuffer } from 'framepool'
          import { Sv2Session } from 'framepool/sv2'
          ${TAKE}
          ${make}
          const chunk = await take(bytes)
          parentPort.postMessage(chunk, [chunk.buffer])
          parentPort.once('message', () => {
            ${end === 'throws' ? "throw new Error('the end')" : 'process.exit()'}
          })`
      const program = `
          const worker = new Worker(${JSON.stringify(source)}, { eval: true, execArgv: ['--input-type=module'] })
          worker.on('error', () => {})
          const gone = new Promise((resolve) => worker.on('exit', resolve))
          const [chunk] = await once(worker, 'message')
          reach(chunk)
          ${end === 'is terminated' ? 'worker.terminate()' : 'worker.postMessage(0)'}
          await gone
          for (let turn = 0; turn < 3; turn++) {
            reach(chunk)
            await new Promise((resolve) => setTimeout(resolve, 10))
          }
          console.log(JSON.stringify([chunk.length >= 64, chunk.every((byte) => byte === 0x41)]))`
      expect(printed(program)).toEqual([true, true])
    })
  })

  it.each([
    ['a buffer of system memory', 'new SystemMemoryBuffer()'],
    ['a heap message of a pool', 'new SlotPool(8)'],
  ])('as %s stays when there was no memory for its growth', (_, make) => {
    const program = `
      const buffer = ${make}
      const taken = await take(buffer.getWritable(5000).fill(1))
      const codes = []
      // Each step of growing fails in turn; one that there is not any more grows.
      for (let after = 0; after < 6; after++) {
        failAllocation(after, 4000)
        codes.push(codeOf(() => buffer.getWritable(1)))
        failAllocation(-1, 0)
        reach(taken)
      }
      buffer.getWritable(50_000)
      reach(taken)
      const slice = buffer.getDataOwned()
      slice.release()
      reach(taken)
      const other = codes.filter((code) => code !== undefined && code !== 'ERR_NO_MEMORY')
      console.log(JSON.stringify([codes[0], other, taken.every((byte) => byte === 1)]))`
    expect(printed(program)).toEqual(['ERR_NO_MEMORY', [], true])
  })

  it('as a message that could not grow still has its bytes', () => {
    const program = `
      const results = []
      for (const make of [() => new SystemMemoryBuffer(), () => new SlotPool(8)]) {
        for (let after = 0; after < 4; after++) {
          const buffer = make()
          buffer.getWritable(5000).fill(1)
          failAllocation(after, 4000)
          const code = codeOf(() => buffer.getWritable(50_000).fill(1))
          failAllocation(-1, 0)
          const length = code === undefined ? 55_000 : 5000
          results.push(code ?? 'ERR_NO_MEMORY', buffer.length === length && buffer.bytes.every((byte) => byte === 1))
        }
      }
      console.log(JSON.stringify([...new Set(results)]))`
    expect(printed(program)).toEqual(['ERR_NO_MEMORY', true])
  })
})
