import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))

/** The built command line, running: what it has written so far, and how it ends. */
export class CliRun {
  stdout = ''
  stderr = ''
  readonly #process: ChildProcess
  readonly #news = new EventEmitter()
  readonly #exited: Promise<[code: number | null]>
  readonly #closed: Promise<[code: number | null]>
  #isClosed = false

  constructor(args: string[], env: Record<string, string> = {}) {
    this.#process = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env } })
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#news.emit('news')
    })
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.#news.emit('news')
    })
    this.#process.on('close', () => {
      this.#isClosed = true
      this.#news.emit('news')
    })
    this.#exited = once(this.#process, 'exit') as Promise<[code: number | null]>
    this.#closed = once(this.#process, 'close') as Promise<[code: number | null]>
  }

  get output(): string {
    return this.stdout + this.stderr
  }

  /** Resolves with the match once what has been written matches; rejects when the process ends before. */
  async written(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output)
      if (match) return match
      if (this.#isClosed) throw new Error(`ended without ${pattern}:\n${this.output}`)
      await once(this.#news, 'news')
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Resolves with the exit code when the process has ended and everything is read; null when a signal ended it. */
  async exitCode(): Promise<number | null> {
    const [code] = await this.#closed
    return code
  }

  /** The same as soon as the process has ended: its children may go on, and hold its output open. */
  async exitCodeAlone(): Promise<number | null> {
    const [code] = await this.#exited
    return code
  }
}
