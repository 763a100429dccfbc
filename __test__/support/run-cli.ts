import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))

/** A running process of the built command line, with its output so far. */
export class CliRun {
  stdout = ''
  stderr = ''
  readonly #process: ChildProcess
  readonly #news = new EventEmitter()
  readonly #exited: Promise<[code: number | null]>
  readonly #closed: Promise<[code: number | null]>
  #isClosed = false

  /** Starts it, in a terminal of its own if that is asked for. It then writes its process id first, and everything to `stdout`. */
  constructor(args: string[], env: Record<string, string> = {}, inTerminal = false) {
    const line = [process.execPath, MAIN, ...args]
    const [command = '', ...rest] = inTerminal
      ? ['script', '-q', '-e', '-f', '-c', `echo pid=$$; exec '${line.join("' '")}'`, '/dev/null']
      : line
    this.#process = spawn(command, rest, { env: { ...process.env, ...env } })
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

  /** Resolves with the match once the output matches. Rejects if the process ends first. */
  async written(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output)
      if (match) return match
      if (this.#isClosed) throw new Error(`ended without ${pattern}:\n${this.output}`)
      await once(this.#news, 'news')
    }
  }

  /** Stops reading standard output. */
  pause(): void {
    this.#process.stdout?.pause()
  }

  /** Reads standard output again. */
  resume(): void {
    this.#process.stdout?.resume()
  }

  /** Closes the reading end of standard output. */
  leave(): void {
    this.#process.stdout?.destroy()
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Resolves with the exit code, or null for a signal, when the process has ended and its output is read. */
  async exitCode(): Promise<number | null> {
    const [code] = await this.#closed
    return code
  }

  /** Resolves with the exit code as soon as the process has ended. Its children may keep the output open. */
  async exitCodeAlone(): Promise<number | null> {
    const [code] = await this.#exited
    return code
  }
}
