import { types } from 'node:util'
import type { Handle } from '../native/handle.js'
import { endPump, pumpMoved, startPump, stopPump } from '../native/ring-io.js'
import { abortError, isAborted, reasonOf, whenAborted } from '../support/abort.js'
import { functionArgument, optionsArgument, signalArgument } from '../support/arguments.js'
import { clearInterval, setInterval } from '../support/timers.js'
import { powerOfTwo } from './byte-ring.js'
import { descriptorArgument } from './descriptor.js'

/** Options of `pump`. */
export interface PumpOptions {
  /** Size of the ring, in bytes: a power of two, at most 1 GiB, by default 1 MiB; otherwise `ERR_OUT_OF_RANGE`. */
  size?: number
  /** Signal whose abort ends the reading: see `pump()`. */
  signal?: AbortSignal
  /**
   * Called with the bytes written so far: about every 100 ms while the number grows, and once at the end, even after an error. An exception
   * stops the pump.
   */
  onProgress?: (bytes: bigint) => void
}

/** 1 MiB, as measured by benchmark/pump.ts. */
const DEFAULT_SIZE = 2 ** 20
const PROGRESS_MS = 100

/**
 * Copies everything from the file descriptor `from` to `to`, through a ring and on two native threads: one reads while the other
 * writes (readv(2) and writev(2)). `Producer.readFrom()` and `Consumer.writeTo()` say which descriptors can be used. A pump works on
 * duplicates, so the descriptors may be closed meanwhile. It keeps the process alive. The pumps of a worker end with the worker.
 *
 * On an abort the pump reads nothing more, and still writes what it has read, however long that takes. Then it rejects with
 * `signal.reason`, to which it adds the property `bytes`: a bigint, the bytes written. A reason cannot take the property if it is not
 * an Error, is frozen, or has the property already because another pump used the same signal. The pump then rejects with an `AbortError`
 * that has `bytes`, and the reason as its `cause`.
 *
 * An error of the system rejects with a {@link SystemError}, with `fd` and `bytes`: a write error at once, and a read error once all bytes read
 * before are written. An exception of `onProgress` stops the pump as an abort does, and the pump rejects with it.
 *
 * @returns A promise of the bytes copied.
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

/** Starts a pump. Returns it and a promise of its end: of what it failed with, or null. */
function start(from: number, to: number, size: number): { pump: Handle; ended: Promise<Error | null> } {
  let settle!: (failure: Error | null) => void
  const ended = new Promise<Error | null>((resolve) => {
    settle = resolve
  })
  return { pump: startPump(from, to, size, settle), ended }
}

/** Reports progress until its callback throws. */
class Progress {
  readonly #callback: ((bytes: bigint) => void) | undefined
  told = 0n
  thrown: { error: unknown } | null = null

  constructor(callback: ((bytes: bigint) => void) | undefined) {
    this.#callback = callback
  }

  /** Calls the callback. Returns false if it has thrown. */
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

/** Adds the property `bytes` to an error. Returns false if the error cannot take it. Runs no code of the error. */
function takesBytes(reason: unknown, bytes: bigint): boolean {
  if (types.isProxy(reason) || !(reason instanceof Error) || Object.hasOwn(reason, 'bytes')) return false
  return Reflect.defineProperty(reason, 'bytes', { value: bytes, writable: true, enumerable: true, configurable: true })
}
