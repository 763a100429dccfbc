import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

/** Time between two looks at what is being written. */
const POLL_MS = 5

type Done = (error?: Error | null) => void

/**
 * Streams to terminals that never block. Node writes to terminals synchronously, so that one whose output is held, with Ctrl-S for
 * example, stops the event loop and all that it does. A process of its own writes instead. A thread would not do: a process cannot end
 * while one of its threads is stuck in a write.
 */
export class Terminals {
  readonly #printer: ChildProcess
  readonly #exited: Promise<unknown>
  /** Callbacks of the text that each descriptor writes at present. */
  readonly #writing = new Map<number, Done>()
  readonly #kill = (): void => {
    this.#printer.kill('SIGKILL')
  }

  constructor() {
    this.#printer = fork(new URL('./terminal-process.js', import.meta.url), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [],
    })
    this.#exited = once(this.#printer, 'exit').catch(() => {})
    this.#printer.on('message', (descriptor) => this.#written(descriptor as number, null))
    const gone = (): void => {
      for (const descriptor of [...this.#writing.keys()]) this.#written(descriptor, new Error('the terminal has gone'))
    }
    this.#printer.on('error', gone).on('disconnect', gone)
    process.once('exit', this.#kill)
  }

  /** Returns a stream to an inherited descriptor. A write is done when the terminal has taken the text. */
  stream(descriptor: number): Writable {
    return new Writable({
      decodeStrings: false,
      write: (text: string, _encoding, done) => this.#write(descriptor, text, done),
      writev: (chunks, done) => this.#write(descriptor, chunks.map(({ chunk }) => chunk as string).join(''), done),
    })
  }

  /** Lets texts under way be written, for up to `ms` milliseconds, and ends the process. */
  async flush(ms: number): Promise<void> {
    for (const end = performance.now() + ms; this.#writing.size > 0 && performance.now() < end; ) await sleep(POLL_MS)
    // What it has not written is lost, and no failure.
    this.#writing.clear()
    this.#kill()
    await this.#exited
    process.off('exit', this.#kill)
  }

  #write(descriptor: number, text: string, done: Done): void {
    this.#writing.set(descriptor, done)
    this.#printer.send([descriptor, text], (error) => {
      if (error !== null) this.#written(descriptor, error)
    })
  }

  #written(descriptor: number, error: Error | null): void {
    const done = this.#writing.get(descriptor)
    this.#writing.delete(descriptor)
    done?.(error)
  }
}
