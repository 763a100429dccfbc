import type { Readable, Writable } from 'node:stream'
import { abortError, isAborted, reasonOf, whenAborted } from '../../support/abort.js'

/**
 * Destroys `stream` when `signal` aborts, and at once if it has aborted, as Node's own streams do. Returns a function that ends this.
 * Node's `addAbortSignal()` would call methods of the signal, which user code may have replaced.
 */
export function destroyOnAbort(stream: Readable | Writable, signal: AbortSignal | undefined): () => void {
  const destroy = (reason: unknown): void => {
    stream.destroy(abortError('The operation was aborted', reason))
  }
  if (signal !== undefined && isAborted(signal)) destroy(reasonOf(signal))
  return whenAborted(signal, destroy)
}
