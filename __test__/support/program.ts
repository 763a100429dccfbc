import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Runs a program in a process of its own, since what could go wrong in it would take the process along; what it prints.
 * `timeout`, in milliseconds, ends what hangs.
 */
export function runProgram(program: string, timeout = 60_000): string {
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: root,
    encoding: 'utf8',
    timeout,
  })
}

/** For the programs: `start(source, options)` makes a worker, `ended(worker)` resolves when it is gone, however it ends. */
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
