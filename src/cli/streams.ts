import { fstatSync, fsyncSync, readSync, statSync, writeSync } from 'node:fs'
import { devNull } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

const STDOUT = 1
const EXIT_CODE_FAILED = 1
/** Time between two attempts to write to a slow reader. */
const RETRY_MS = 10
/** Errors of fsync(2) for what cannot be synced, such as pipes and terminals. */
const NO_FILE = ['EINVAL', 'ENOTSUP', 'EROFS']

/**
 * Keeps a standard stream that fails, or whose reader has gone, from ending the process. A message and the exit code report a loss on
 * standard output. A loss on standard error could not be reported anywhere.
 */
export function surviveBrokenStreams(): void {
  process.stderr.on('error', () => {})
  process.stdout.on('error', reportLoss)
}

/** Prints once that standard output cannot be written, and sets the exit code. */
export function reportLoss(error: Error): void {
  if (process.exitCode !== EXIT_CODE_FAILED) complain(error)
  process.exitCode = EXIT_CODE_FAILED
}

/** Writes all of `text` to standard output. On failure it prints an error and sets the exit code. */
export async function print(text: string): Promise<void> {
  try {
    if (isClosed()) throw closed()
    // Not by `process.stdout`, which reports success when a file has taken only a part.
    await writeAll(STDOUT, text)
    sync()
  } catch (error) {
    complain(error as Error)
    process.exitCode = EXIT_CODE_FAILED
  }
}

/** Writes all of `text` to a file descriptor. */
export async function writeAll(descriptor: number, text: string): Promise<void> {
  for (let rest = Buffer.from(text); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      await sleep(RETRY_MS)
    }
  }
}

/** Returns the error for a standard output that was closed before the process began. */
export function closed(): Error {
  return new Error('it is closed')
}

function complain(error: Error): void {
  process.stderr.write(`error: standard output cannot be written: ${error.message}\n`)
}

/** Returns whether the process began without a standard output. Node then opens the null device in its place, for reading, too. */
export function isClosed(): boolean {
  try {
    if (fstatSync(STDOUT).rdev !== statSync(devNull).rdev) return false
    readSync(STDOUT, Buffer.alloc(1))
    return true
  } catch {
    return false
  }
}

/** Syncs standard output: some file systems report only then that there was no room. */
function sync(): void {
  try {
    fsyncSync(STDOUT)
  } catch (error) {
    if (!NO_FILE.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
