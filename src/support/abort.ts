/** Intrinsic members, since a signal may have others of its own, which could run any code in the middle of a call. */
const { addEventListener, removeEventListener } = EventTarget.prototype
const getter = (name: 'aborted' | 'reason') =>
  Object.getOwnPropertyDescriptor(AbortSignal.prototype, name)!.get as () => unknown
const [aborted, reason] = [getter('aborted'), getter('reason')]

/** Returns whether `signal` has aborted. Throws a `TypeError` unless it is a real signal. */
export function isAborted(signal: AbortSignal): boolean {
  return aborted.call(signal) as boolean
}

/** Returns the reason with which `signal` has aborted. */
export function reasonOf(signal: AbortSignal): unknown {
  return reason.call(signal)
}

/** Throws the reason of `signal` if there is a signal and it has aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal !== undefined && isAborted(signal)) throw reasonOf(signal)
}

/** Calls `listener` with the reason when `signal` aborts, if there is a signal. Returns a function that stops listening. */
export function whenAborted(signal: AbortSignal | undefined, listener: (reason: unknown) => void): () => void {
  if (signal === undefined) return () => {}
  // A script can dispatch such an event, too.
  const onAbort = (): void => {
    if (isAborted(signal)) listener(reasonOf(signal))
  }
  addEventListener.call(signal, 'abort', onAbort)
  return () => removeEventListener.call(signal, 'abort', onAbort)
}

/** Returns the error with which Node's own functions reject on an abort, for use where `reason` itself will not do. */
export function abortError(message: string, reason: unknown): Error {
  return Object.assign(new Error(message, { cause: reason }), { name: 'AbortError', code: 'ABORT_ERR' })
}
