/** The intrinsic ones: a signal may have others of its own, which could do anything once what it is for has begun. */
const { addEventListener, removeEventListener } = EventTarget.prototype
const getter = (name: 'aborted' | 'reason') =>
  Object.getOwnPropertyDescriptor(AbortSignal.prototype, name)!.get as () => unknown
const [aborted, reason] = [getter('aborted'), getter('reason')]

/** Whether `signal` has aborted. Throws unless it is a real one. */
export function isAborted(signal: AbortSignal): boolean {
  return aborted.call(signal) as boolean
}

/** What it has aborted with. */
export function reasonOf(signal: AbortSignal): unknown {
  return reason.call(signal)
}

/** Throws its reason if there is a signal and it has aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal !== undefined && isAborted(signal)) throw reasonOf(signal)
}

/** Calls `listener` with the reason when `signal` aborts, if there is one, until the function that it returns is called. */
export function whenAborted(signal: AbortSignal | undefined, listener: (reason: unknown) => void): () => void {
  if (signal === undefined) return () => {}
  // Others can dispatch such an event, too.
  const onAbort = (): void => {
    if (isAborted(signal)) listener(reasonOf(signal))
  }
  addEventListener.call(signal, 'abort', onAbort)
  return () => removeEventListener.call(signal, 'abort', onAbort)
}

/** What Node's own functions reject with on an abort, where `reason` itself will not do. */
export function abortError(message: string, reason: unknown): Error {
  return Object.assign(new Error(message, { cause: reason }), { name: 'AbortError', code: 'ABORT_ERR' })
}
