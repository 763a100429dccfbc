import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

const { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants

/** Files, FIFOs and open descriptors of one test. `dispose()` closes and deletes them. */
export class Descriptors {
  readonly #directory = mkdtempSync(join(tmpdir(), 'framepool-'))
  readonly #open = new Set<number>()
  #files = 0

  path(): string {
    return join(this.#directory, `${this.#files++}`)
  }

  open(path: string, flags: string | number): number {
    const fd = openSync(path, flags)
    this.#open.add(fd)
    return fd
  }

  close(fd: number): void {
    this.#open.delete(fd)
    closeSync(fd)
  }

  /** Creates a file with `contents`, and opens it for reading and writing at its start. */
  file(contents: Uint8Array | string = ''): { path: string; fd: number } {
    const path = this.path()
    writeFileSync(path, contents)
    return { path, fd: this.open(path, 'r+') }
  }

  fifoPath(): string {
    const path = this.path()
    execFileSync('mkfifo', [path])
    return path
  }

  /** Opens the two ends of a pipe. They block unless `flags` is O_NONBLOCK. */
  fifo(flags = 0): { reader: number; writer: number } {
    const path = this.fifoPath()
    // Opening one end of a FIFO waits for the other.
    const both = openSync(path, O_RDWR)
    const reader = this.open(path, O_RDONLY | flags)
    const writer = this.open(path, O_WRONLY | flags)
    closeSync(both)
    return { reader, writer }
  }

  dispose(): void {
    for (const fd of this.#open) closeSync(fd)
    rmSync(this.#directory, { recursive: true })
  }
}

export const NONBLOCKING = O_NONBLOCK

/** Returns the result of `call`, or null if a non-blocking descriptor can move nothing now. */
function unlessItBlocks(call: () => number): number | null {
  try {
    return call()
  } catch (error) {
    if ((error as { code: string }).code === 'EAGAIN') return null
    throw error
  }
}

/** Reads a non-blocking descriptor until its end. */
export async function readToEnd(fd: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  for (;;) {
    const chunk = Buffer.allocUnsafe(65536)
    const length = unlessItBlocks(() => readSync(fd, chunk))
    if (length === 0) return Buffer.concat(chunks)
    if (length === null) await setTimeout(1)
    else chunks.push(chunk.subarray(0, length))
  }
}

/** Writes as much of `bytes` as a non-blocking descriptor takes now, and returns the number of bytes. */
export function writeNow(fd: number, bytes: Uint8Array): number {
  return unlessItBlocks(() => writeSync(fd, bytes)) ?? 0
}
