import { setTimeout as sleep } from 'node:timers/promises'
import { generateAuthorityKeypair } from '../../sv2/index.js'
import { formatAddress } from '../options.js'
import { Child } from './child.js'
import type {
  MinersCommand,
  MinersEvent,
  PoolCommand,
  PoolEvent,
  RelayCommand,
  RelayEvent,
  RelaySample,
  ShareCounts,
} from './ipc.js'
import { Verifier } from './verify.js'

const START_TIMEOUT_MS = 30_000
/** The longest wait for the last answers, and then for the last digests, once the miners have stopped. */
const DRAIN_TIMEOUT_MS = 5000
const SETTLE_POLL_MS = 20
const PROGRESS_INTERVAL_MS = 1000
/**
 * Flags that fix the size of V8's young generation, in MiB. V8 would enlarge it for a minute under steady load, by some 15 MB here.
 * With a fixed size, the RSS of the relay's process shows what the relay itself holds.
 */
const RELAY_FLAGS = ['--min-semi-space-size=4', '--max-semi-space-size=4']

/** Options of `new Demo()`. */
export interface DemoOptions {
  miners: number
  durationMs: number
  /** Ends the load early when it aborts, which must be with an Error. Answers under way are still awaited. */
  stop: AbortSignal
  /** Called with lines about the start, for people. */
  onLine: (line: string) => void
  /** Called every second while shares flow. */
  onProgress: (figures: Figures) => void
}

/** Figures of a run. */
export interface Figures {
  miners: number
  shares: ShareCounts
  relay: RelaySample
  /** Shares under way while shares flow. After the drain: shares never answered, and frames that never arrived. */
  lost: number
  /** Frames that arrived changed. After the drain also frames that arrived without having been sent. */
  mismatched: number
}

/** Outcome of a run. */
export interface DemoOutcome {
  /** Null if the load never began. */
  figures: Figures | null
  /** Failures other than lost and changed frames. */
  failures: string[]
}

/** One run of the demo: mining pool, relay and miners in a process each, and every frame compared at both ends. */
export class Demo {
  readonly #options: DemoOptions
  readonly #pool: Child<PoolCommand, PoolEvent>
  readonly #relay: Child<RelayCommand, RelayEvent>
  readonly #miners: Child<MinersCommand, MinersEvent>
  readonly #verifier = new Verifier()
  readonly #failures: string[] = []
  /** Aborts, with an Error, when the run cannot go on. */
  readonly #broken = new AbortController()
  #shares: ShareCounts = { sent: 0, accepted: 0, rejected: 0, rttP50Micros: 0, rttP99Micros: 0 }
  /** Null until the load begins. */
  #sample: RelaySample | null = null
  /** Whether all is through. Before that, a frame that one end has not reported yet is not a fault. */
  #isDrained = false

  constructor(options: DemoOptions) {
    this.#options = options
    const onEvent = (event: PoolEvent | RelayEvent | MinersEvent): void => this.#receive(event)
    const onDied = (reason: string): void => this.#broken.abort(new Error(reason))
    this.#pool = new Child<PoolCommand, PoolEvent>('pool', onEvent, onDied)
    this.#relay = new Child<RelayCommand, RelayEvent>('relay', onEvent, onDied, RELAY_FLAGS)
    this.#miners = new Child<MinersCommand, MinersEvent>('miners', onEvent, onDied)
  }

  /** Runs the demo, once. Never rejects: failures are in the outcome. */
  async run(): Promise<DemoOutcome> {
    try {
      await this.#start()
      await this.#load()
      await this.#drain()
    } catch (error) {
      this.#failures.push((error as Error).message)
    }
    // The miners first: to them a closing relay or mining pool would be a failure.
    for (const child of [this.#miners, this.#relay, this.#pool]) await child.stop()
    // When a process has died, the failures of its peers only follow from that.
    const failures = this.#broken.signal.aborted ? [this.#broken.signal.reason.message] : this.#failures
    return { figures: this.#figures(), failures }
  }

  #receive(event: PoolEvent | RelayEvent | MinersEvent): void {
    switch (event.kind) {
      case 'frames':
        this.#verifier.add(event.end, event.records)
        return
      case 'progress':
      case 'drained':
        this.#shares = event.shares
        return
      case 'sample':
      case 'finished':
        this.#sample = event.sample
        return
      case 'failure':
        // Under load the other miners go on. Before the load, the run cannot begin.
        if (this.#sample) this.#failures.push(event.reason)
        else this.#broken.abort(new Error(event.reason))
    }
  }

  async #start(): Promise<void> {
    const { miners, stop, onLine } = this.#options
    const late = deadline(START_TIMEOUT_MS, 'the demo did not start')
    const signal = AbortSignal.any([this.#broken.signal, stop, late])
    const poolKeys = generateAuthorityKeypair()
    const relayKeys = generateAuthorityKeypair()

    this.#pool.send({ kind: 'start', authority: poolKeys })
    const pool = (await this.#pool.next('listening', signal)).address
    onLine(`pool    ${formatAddress(pool)}  process ${this.#pool.pid}`)

    const upstream = { ...pool, authorityPublicKey: poolKeys.publicKey }
    this.#relay.send({ kind: 'start', authority: relayKeys, upstream })
    const relay = (await this.#relay.next('listening', signal)).address
    onLine(`relay   ${formatAddress(relay)}  process ${this.#relay.pid}`)

    this.#miners.send({ kind: 'start', miners, relay: { ...relay, authorityPublicKey: relayKeys.publicKey } })
    await this.#miners.next('ready', signal)
    onLine(`miners  ${miners}  process ${this.#miners.pid}`)

    // The measurement begins before the first share, so that it includes all frames.
    this.#relay.send({ kind: 'load' })
    await this.#relay.next('sample', signal)
  }

  async #load(): Promise<void> {
    const { durationMs, stop, onProgress } = this.#options
    this.#miners.send({ kind: 'load' })
    const progress = setInterval(() => {
      const figures = this.#figures()
      if (figures) onProgress(figures)
    }, PROGRESS_INTERVAL_MS)
    await sleep(durationMs, undefined, { signal: AbortSignal.any([this.#broken.signal, stop]) }).catch(() => {})
    clearInterval(progress)
    this.#broken.signal.throwIfAborted()
  }

  async #drain(): Promise<void> {
    const late = deadline(DRAIN_TIMEOUT_MS, 'the last shares were not answered')
    const signal = AbortSignal.any([this.#broken.signal, late])
    this.#pool.send({ kind: 'quiet' })
    this.#miners.send({ kind: 'drain' })
    await this.#miners.next('drained', signal)
    this.#relay.send({ kind: 'finish' })
    await this.#relay.next('finished', signal)

    const patience = deadline(DRAIN_TIMEOUT_MS, 'the last frames did not arrive')
    while (!this.#verifier.isSettled && !patience.aborted) {
      this.#broken.signal.throwIfAborted()
      await sleep(SETTLE_POLL_MS)
    }
    this.#isDrained = true
  }

  #figures(): Figures | null {
    if (!this.#sample) return null
    const { sent, accepted, rejected } = this.#shares
    const { differing, missing, surplus } = this.#verifier
    return {
      miners: this.#options.miners,
      shares: this.#shares,
      relay: this.#sample,
      lost: sent - accepted - rejected + (this.#isDrained ? missing : 0),
      mismatched: differing + (this.#isDrained ? surplus : 0),
    }
  }
}

/** Returns a signal that aborts after `ms` milliseconds, with an Error that says `what`. Its timer keeps no process alive. */
function deadline(ms: number, what: string): AbortSignal {
  const controller = new AbortController()
  setTimeout(() => controller.abort(new Error(`${what} within ${ms / 1000} s`)), ms).unref()
  return controller.signal
}
