import { fstatSync, fsyncSync, readSync, statSync, writeSync } from 'node:fs'
import { devNull } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

const STDOUT = 1
const EXIT_CODE_FAILED = 1
/** How long to wait for a reader that is slow, in milliseconds. */
const RETRY_MS = 10
/** What cannot be synced: pipes, terminals. */
const NO_FILE = ['EINVAL', 'ENOTSUP', 'EROFS']

/**
 * Keeps a standard stream that fails, or whose reader has gone, from ending the process. What standard output has lost is
 * told by a message and the exit code; nobody could be told what standard error has lost.
 */
export function surviveBrokenStreams(): void {
  process.stderr.on('error', () => {})
  process.stdout.on('error', (error) => {
    if (process.exitCode !== EXIT_CODE_FAILED) complain(error)
    process.exitCode = EXIT_CODE_FAILED
  })
}

/** Writes all of `text` to standard output, or sets the exit code and says why not. */
export async function print(text: string): Promise<void> {
  try {
    if (isClosed()) throw new Error('it is closed')
    for (let rest = Buffer.from(text); rest.length > 0; ) {
      try {
        // Not by `process.stdout`, which takes it for written when a file has taken a part.
        rest = rest.subarray(writeSync(STDOUT, rest))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
        await sleep(RETRY_MS)
      }
    }
    sync()
  } catch (error) {
    complain(error as Error)
    process.exitCode = EXIT_CODE_FAILED
  }
}

function complain(error: Error): void {
  process.stderr.write(`error: standard output cannot be written: ${error.message}\n`)
}

/** Whether the process began without a standard output: Node opens the null device in its place, for reading too. */
function isClosed(): boolean {
  try {
    if (fstatSync(STDOUT).rdev !== statSync(devNull).rdev) return false
    readSync(STDOUT, Buffer.alloc(1))
    return true
  } catch {
    return false
  }
}

/** Some file systems tell only now that there was no room. */
function sync(): void {
  try {
    fsyncSync(STDOUT)
  } catch (error) {
    if (!NO_FILE.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
