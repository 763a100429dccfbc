import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Runs a program in a separate process, because a failure could crash it. */
function run(program: string): string {
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], { cwd: root, encoding: 'utf8' })
}

/** Objects that a worker holds when it ends. */
const HOLD = `
  import { parentPort } from 'node:worker_threads'
  import { ByteRing, SlotPool, Slice, SystemMemoryBuffer } from 'framepool'
  import { Sv2Session } from 'framepool/sv2'
  const pool = new SlotPool(1 << 20)
  pool.getWritable(1000).fill(1)
  const slices = [pool.getDataOwned(), Slice.from(new Uint8Array(100)), new SystemMemoryBuffer().getDataOwned()]
  pool.getWritable(2 << 20)[0] = 1
  const session = Sv2Session.initiator()
  session.output.ioSlices(() => 0)
  const { producer, consumer } = new ByteRing(1 << 16).intoParts()
  producer.ioSlicesAsync(([room]) => new Promise(() => slices.push({ bytes: room })))
  const views = slices.map((slice) => slice.bytes)
  parentPort.postMessage(pool.toString())
`

const START = `
  import { Worker } from 'node:worker_threads'
  import { once } from 'node:events'
  const start = (source) => new Worker(source, { eval: true, execArgv: ['--input-type=module'] })
`

it('a process whose workers alone load the addon outlives them, however they end', () => {
  const asked = (what: string): string => `parentPort.once('message', () => { ${what} })`
  const ends = ['', asked('process.exit(3)'), asked('throw new Error("end")'), 'consumer.readable()']
  const printed = run(`${START}
    for (let round = 0; round < 5; round++) {
      for (const end of ${JSON.stringify(ends)}) {
        const worker = start(${JSON.stringify(HOLD)} + end)
        worker.on('error', () => {})
        const ended = new Promise((resolve) => worker.on('exit', resolve))
        const [line] = await once(worker, 'message')
        if (line !== '1-------  BACK MODE') throw new Error(line)
        if (end.startsWith('consumer')) worker.terminate()
        else worker.postMessage('end')
        await ended
      }
    }
    console.log('alive')
  `)
  expect(printed).toBe('alive\n')
}, 60_000)

it('a wait for the other half of a ring keeps its isolate alive only while it is pending', () => {
  const printed = run(`
    import { ByteRing } from 'framepool'
    const { producer, consumer } = new ByteRing(64).intoParts()
    // This timer alone does not keep the process alive.
    setTimeout(() => producer.write(Buffer.from('abc')), 20).unref()
    console.log(await consumer.readable(3))
    setTimeout(() => console.log('too late'), 60_000).unref()
  `)
  expect(printed).toBe('3\n')
}, 60_000)

it('isolates have separate pools and handles', () => {
  const printed = run(`${START}
    import { SlotPool } from 'framepool'
    const pool = new SlotPool(1024)
    const slices = Array.from({ length: 3 }, () => (pool.getWritable(10).fill(7), pool.getDataOwned()))
    const worker = start(${JSON.stringify(HOLD)})
    const [[line]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')])
    console.log(line, pool.toString(), slices.every((slice) => slice.bytes.every((byte) => byte === 7)))
  `)
  expect(printed).toBe('1-------  BACK MODE 123-----  BACK MODE true\n')
}, 60_000)

it('the main thread may end while workers live', () => {
  const printed = run(`${START}
    const worker = start(${JSON.stringify(HOLD)} + 'setInterval(() => {}, 1000)')
    await once(worker, 'message')
    console.log('ending')
    process.exit(0)
  `)
  expect(printed).toBe('ending\n')
}, 60_000)
