import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url))

/** The built command line, running: what it has written so far, and how it ends. */
export class CliRun {
  stdout = ''
  stderr = ''
  readonly #process: ChildProcess
  readonly #closed: Promise<[code: number | null]>

  constructor(args: string[], env: Record<string, string> = {}) {
    this.#process = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env } })
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.#closed = once(this.#process, 'close') as Promise<[code: number | null]>
  }

  get output(): string {
    return this.stdout + this.stderr
  }

  /** Resolves with the match once what has been written matches; rejects when the process ends before. */
  async written(pattern: RegExp): Promise<RegExpExecArray> {
    const ended = this.#closed.then(() => true)
    for (;;) {
      const match = pattern.exec(this.output)
      if (match) return match
      const more = [this.#process.stdout!, this.#process.stderr!].map((stream) =>
        once(stream, 'data').then(() => false),
      )
      if (await Promise.race([ended, ...more])) throw new Error(`ended without ${pattern}:\n${this.output}`)
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
}
