import type { Readable, Writable } from 'node:stream'
import { abortError, isAborted, reasonOf, whenAborted } from '../../support/abort.js'

/**
 * Destroys `stream` when `signal` aborts, at once if it has, as Node's own streams do, until the function that it returns is
 * called. Node's `addAbortSignal` would call methods of the signal, which may be others than one expects.
 */
export function destroyOnAbort(stream: Readable | Writable, signal: AbortSignal | undefined): () => void {
  const destroy = (reason: unknown): void => {
    stream.destroy(abortError('The operation was aborted', reason))
  }
  if (signal !== undefined && isAborted(signal)) destroy(reasonOf(signal))
  return whenAborted(signal, destroy)
}
