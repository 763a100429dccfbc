// Descriptors for hostile calls. They touch nothing outside the test, and every wait on them ends.
import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const { O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY } = constants
/** A descriptor that no process has open. */
const NONE = 2 ** 30
/** Capacity of a pipe, in bytes. */
const PIPE = 65_536

export class Descriptors {
  #random
  #directory = mkdtempSync(join(tmpdir(), 'framepool-'))
  #open = []
  #readers = []
  #sources
  #sinks

  constructor(random) {
    this.#random = random
    execFileSync('mkfifo', [this.#path('from'), this.#path('to')])
    for (const name of ['full', 'filled']) writeFileSync(this.#path(name), new Uint8Array(100_000))
    this.renew()
  }

  /** Returns a descriptor to read from: a file, a pipe, or one that cannot be read. */
  source() {
    return this.#random.pick(this.#sources)
  }

  /** Returns a descriptor to write to. No source returns what is written here, or a copy would never end. */
  sink() {
    return this.#random.pick(this.#sinks)
  }

  any() {
    return this.#random.oneIn(2) ? this.source() : this.sink()
  }

  /** Replaces these descriptors with new ones. */
  renew() {
    this.#close()
    const [from, to] = ['from', 'to'].map((name) => {
      const reader = this.#opened(this.#path(name), O_RDONLY | O_NONBLOCK)
      return { reader, writer: this.#opened(this.#path(name), O_WRONLY | O_NONBLOCK) }
    })
    this.#readers = [from.reader, to.reader]
    writeSync(from.writer, new Uint8Array(this.#random.below(5000)))
    const full = this.#opened(this.#path('full'), O_RDONLY)
    const filled = this.#opened(this.#path('filled'), O_WRONLY | O_TRUNC)
    const nothing = this.#opened('/dev/null', 'r+')
    this.#sources = [full, from.reader, nothing, this.#opened(this.#directory, O_RDONLY), filled, NONE]
    this.#sinks = [filled, to.writer, nothing, full, NONE]
  }

  release() {
    this.#close()
    rmSync(this.#directory, { recursive: true })
  }

  #path(name) {
    return join(this.#directory, name)
  }

  #opened(path, flags) {
    const fd = openSync(path, flags)
    this.#open.push(fd)
    return fd
  }

  /** Closes the descriptors. The other ends of the pipes then stop waiting. */
  #close() {
    // Bytes left in a pipe that a call still has open would stay until the pipe is full.
    for (const reader of this.#readers.splice(0)) drain(reader)
    for (const fd of this.#open.splice(0)) closeSync(fd)
  }
}

function drain(reader) {
  try {
    readSync(reader, new Uint8Array(PIPE))
  } catch (error) {
    if (error.code !== 'EAGAIN') throw error
  }
}
