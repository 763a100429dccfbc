/** The intrinsic ones: a signal may have others of its own, which could throw once what it is for has begun. */
const { addEventListener, removeEventListener } = EventTarget.prototype

/** Calls `listener` when `signal` aborts, if there is one, until the function that it returns is called. */
export function whenAborted(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return () => {}
  addEventListener.call(signal, 'abort', listener, { once: true })
  return () => removeEventListener.call(signal, 'abort', listener)
}
