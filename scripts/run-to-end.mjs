// Runs a program to its end, whatever becomes of it and of the processes that it has started.
import { spawn } from 'node:child_process'
import { showOutput } from './show-output.mjs'

/**
 * Runs a program, shows what it prints, and ends it after `limitSeconds`. Resolves with all that it printed, and with how it ended: null
 * if all went well. Processes that it has left behind are killed: they would disturb the next program, and keep its output open.
 */
export async function runToEnd(program, args, { cwd, env, limitSeconds }) {
  // In a process group of its own, which can be killed whole.
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const killAll = () => {
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      // No process is left.
    }
  }
  // A group of its own does not get the signals of the terminal.
  const endWithUs = (signal) => {
    killAll()
    process.exit(signal === 'SIGINT' ? 130 : 143)
  }
  process.on('SIGINT', endWithUs).on('SIGTERM', endWithUs)
  let [output, late] = ['', false]
  showOutput(child, (text) => {
    output += text
  })
  const timer = Number.isFinite(limitSeconds)
    ? setTimeout(() => {
        late = true
        killAll()
      }, limitSeconds * 1000)
    : undefined
  const ended = await new Promise((resolve) => {
    child.on('error', ({ message }) => resolve(message))
    let how = null
    child.on('exit', (code, signal) => {
      killAll()
      if (late) how = `no end within ${limitSeconds} s`
      else if (code !== 0) how = signal === null ? `exit code ${code}` : `killed by ${signal}`
    })
    child.on('close', () => resolve(how))
  })
  clearTimeout(timer)
  process.off('SIGINT', endWithUs).off('SIGTERM', endWithUs)
  return { output, ended }
}
