import { types } from 'node:util'

import { lastFailure } from '../native/call.js'
import { endPump, pumpMoved, startPump, stopPump } from '../native/descriptors.js'
import type { Handle } from '../native/handle.js'
import { abortError, isAborted, reasonOf, whenAborted } from '../support/abort.js'
import { functionArgument, optionsArgument, signalArgument } from '../support/arguments.js'
import { clearInterval, setInterval } from '../support/timers.js'
import { powerOfTwo } from './byte-ring.js'
import { descriptorArgument } from './descriptor.js'

/** Options of `pump`. */
export interface PumpOptions {
  /** The ring's, in bytes: a power of two, at most 1 GiB. */
  size?: number
  /** An abort ends the reading: see `pump`. */
  signal?: AbortSignal
  /** Called with the bytes written so far: about every 100 ms while there are more, and once at the end, whichever it is. What it throws stops the pump. */
  onProgress?: (bytes: bigint) => void
}

/** 1 MiB: measured, see benchmark/pump.ts. */
const DEFAULT_SIZE = 2 ** 20
const PROGRESS_MS = 100

/**
 * Copies all that `from` gives to `to`, on native threads through a ring, one reading while the other writes (readv(2) and
 * writev(2)). Resolves with the bytes copied. Works on duplicates: the descriptors may be closed meanwhile. Which ones are
 * taken is said at `Producer.readFrom` and `Consumer.writeTo`.
 *
 * On an abort nothing more is read; what was read is still written, however long that takes. Then it rejects with
 * `signal.reason`, which gets a property `bytes`: a bigint, the bytes written. If the reason cannot take it (it is no Error,
 * is frozen, or has one already, since another pump had the same signal), it is the `cause` of an `AbortError` that does.
 *
 * What the system refuses rejects with `ERR_SYSTEM`, `info` and `bytes`: a read error when all that was read before is
 * written, a write error at once. What `onProgress` throws stops the pump as an abort does, and is what it rejects with.
 *
 * It keeps the process alive. When a worker ends, its pumps end where they are.
 */
export async function pump(from: number, to: number, options?: PumpOptions): Promise<bigint> {
  descriptorArgument(from, 'from', 'readv')
  descriptorArgument(to, 'to', 'writev')
  const { size = DEFAULT_SIZE, signal, onProgress } = optionsArgument(options, 'options')
  powerOfTwo(size, 'size')
  signalArgument(signal)
  if (onProgress !== undefined) functionArgument(onProgress, 'onProgress')
  if (signal !== undefined && isAborted(signal)) throw withBytes(reasonOf(signal), 0n)
  const progress = new Progress(onProgress)
  const { pump, ended } = start(from, to, size)
  const stop = (): void => stopPump(pump)
  const stopListening = whenAborted(signal, stop)
  const timer = setInterval(() => {
    const bytes = pumpMoved(pump)
    if (bytes > progress.told && !progress.tell(bytes)) stop()
  }, PROGRESS_MS)
  const failure = await ended
  clearInterval(timer)
  stopListening()
  const bytes = endPump(pump)
  progress.tell(bytes)
  if (progress.thrown !== null) throw progress.thrown.error
  if (failure !== null) throw Object.assign(failure, { bytes })
  if (signal !== undefined && isAborted(signal)) throw withBytes(reasonOf(signal), bytes)
  return bytes
}

/** A pump, and a promise of what it failed with, if it did, when it is over. */
function start(from: number, to: number, size: number): { pump: Handle; ended: Promise<Error | null> } {
  let settle!: (failure: Error | null) => void
  const ended = new Promise<Error | null>((resolve) => {
    settle = resolve
  })
  return { pump: startPump(from, to, size, () => settle(lastFailure())), ended }
}

/** Tells of progress until its callback throws. */
class Progress {
  readonly #callback: ((bytes: bigint) => void) | undefined
  told = 0n
  thrown: { error: unknown } | null = null

  constructor(callback: ((bytes: bigint) => void) | undefined) {
    this.#callback = callback
  }

  /** False when the callback has thrown. */
  tell(bytes: bigint): boolean {
    this.told = bytes
    try {
      if (this.thrown === null) this.#callback?.(bytes)
    } catch (error) {
      this.thrown = { error }
    }
    return this.thrown === null
  }
}

function withBytes(reason: unknown, bytes: bigint): unknown {
  return takesBytes(reason, bytes) ? reason : Object.assign(abortError('the pump was stopped', reason), { bytes })
}

/** Gives an error the property `bytes`; false if it cannot take it. Runs no code of the error, which could do anything. */
function takesBytes(reason: unknown, bytes: bigint): boolean {
  if (types.isProxy(reason) || !(reason instanceof Error) || Object.hasOwn(reason, 'bytes')) return false
  return Reflect.defineProperty(reason, 'bytes', { value: bytes, writable: true, enumerable: true, configurable: true })
}
