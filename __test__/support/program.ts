import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Runs a program in a separate process, because a failure could crash it, and returns its output. `timeout`, in
 * milliseconds, ends a program that hangs.
 */
export function runProgram(program: string, timeout = 60_000): string {
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: root,
    encoding: 'utf8',
    timeout,
  })
}

/** Source for the programs: `start(source, options)` makes a worker, and `ended(worker)` resolves when it has ended. */
export const WORKERS = `
  import { once } from 'node:events'
  import { Worker } from 'node:worker_threads'
  function start(source, options) {
    const worker = new Worker(source, { eval: true, execArgv: ['--input-type=module'], ...options })
    worker.gone = new Promise((resolve) => worker.on('exit', resolve))
    return worker
  }
  function ended(worker) {
    worker.on('error', () => {})
    return worker.gone
  }
`
