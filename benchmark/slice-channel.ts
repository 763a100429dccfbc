/**
 * P5: slices of 1 KiB sent to another worker through a SliceChannel, touched and released there, beside postMessage. Each way has a process
 * of its own: V8 frees what was posted on other threads, which would take time from the rounds of the others.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type AsyncCase, compareAsync } from './compare-async.js'
import { WAYS, WORK } from './slice-channel-process.js'

const program = fileURLToPath(new URL('slice-channel-process.js', import.meta.url))

async function inProcess(name: string): Promise<AsyncCase> {
  const child = fork(program, [name])
  child.once('exit', (code) => {
    if (code !== null) throw new Error(`${name} ended with ${code}`)
  })
  await once(child, 'message')
  return {
    name,
    run: async () => {
      child.send('run')
      await once(child, 'message')
    },
    end: async () => {
      child.kill()
      await once(child, 'exit')
    },
  }
}

const cases = await Promise.all(WAYS.map(inProcess))
const targets = [{ id: 'P5', rival: 'postMessage, transferred', least: 10, everyRound: true }]
await compareAsync('slices of 1 KiB to another worker', WORK, cases, targets)
