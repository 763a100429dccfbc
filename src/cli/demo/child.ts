import { type ChildProcess, fork } from 'node:child_process'
import { EventEmitter, once } from 'node:events'

/** Time that a child may take to end before it is killed. */
const PATIENCE_MS = 2000

/** Modules of this folder, by the role of their process. */
const MODULES = { pool: './mining-pool.js', relay: './relay.js', miners: './miners.js' } as const

/** The coordinator's side of one child process, which takes commands and reports events. */
export class Child<Command, Event extends { kind: string }> {
  readonly #process: ChildProcess
  readonly #events = new EventEmitter()
  #isStopping = false
  #isGone = false

  /** Runs the module of a role, with `flags` for its Node.js. `onDied` is called with the reason when the child ends unasked. */
  constructor(
    role: keyof typeof MODULES,
    onEvent: (event: Event) => void,
    onDied: (reason: string) => void,
    flags: string[] = [],
  ) {
    this.#process = fork(new URL(MODULES[role], import.meta.url), {
      execArgv: [...process.execArgv, ...flags],
      serialization: 'advanced',
      // Only the coordinator writes to standard output, since programs read its last line.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#process.on('message', (event: Event) => {
      onEvent(event)
      this.#events.emit(event.kind, event)
    })
    const ended = (how: string): void => {
      this.#isGone = true
      if (!this.#isStopping) onDied(`the ${role} process ${this.pid} died: ${how}`)
    }
    this.#process.on('error', (error) => ended(error.message))
    this.#process.on('exit', (code, signal) => ended(signal ?? `exit code ${code}`))
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  send(command: Command & object): void {
    // A child that cannot be reached emits 'exit'.
    this.#process.send(command, () => {})
  }

  /** Resolves with the next event of `kind`. Rejects with the signal's reason if it aborts first. */
  async next<Kind extends Event['kind']>(kind: Kind, signal: AbortSignal): Promise<Extract<Event, { kind: Kind }>> {
    try {
      const [event] = await once(this.#events, kind, { signal })
      return event
    } catch {
      throw signal.reason
    }
  }

  /** Ends the child. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#isStopping = true
    if (this.#isGone) return
    const gone = once(this.#process, 'exit')
    const patience = setTimeout(() => this.#process.kill('SIGKILL'), PATIENCE_MS)
    if (this.#process.connected) this.#process.disconnect()
    await gone
    clearTimeout(patience)
  }
}
