/** Events of pools, budgets and readers, on channels of `node:diagnostics_channel`. Without a subscriber they cost a comparison. */
import { channel } from 'node:diagnostics_channel'
import { now } from './timers.js'

/** The object that an event is about. */
export interface EventSource {
  /** Kind of the object, as in `inspect()`. */
  readonly kind: 'slot-pool' | 'budget-pool' | 'buddy-pool' | 'memory-budget' | 'frame-reader'
  /** Number of the object, which no other object has in this thread. */
  readonly id: number
}

/** An event about a number of bytes. */
export interface BytesEvent extends EventSource {
  /** Number of bytes that the event is about. */
  readonly bytes: number
}

/** The end of a wait for memory. */
export interface WaitEndEvent extends BytesEvent {
  /** Time at which the wait began, as in `performance.now()`. */
  readonly startTime: number
  /** The error that the wait rejects with, or null. */
  readonly error: unknown
}

/** A batch that a reader has returned. */
export interface BatchEvent extends BytesEvent {
  /** Number of frames in the batch. */
  readonly frames: number
  /** Bytes of an unfinished frame that the reader holds. */
  readonly pending: number
}

/** The end of the reading of a socket. */
export interface ReaderEndEvent extends EventSource {
  /** The error that `attach()` rejects with, or null. */
  readonly error: unknown
}

/** Messages on the diagnostics channels of framepool, by their names. All sizes are in bytes. */
export interface EventMessages {
  /** A pool or a budget was made, or has arrived from another thread. `bytes` is its capacity or its limit. */
  'framepool:created': BytesEvent
  /** A pool was closed in this thread. */
  'framepool:closed': EventSource
  /** A slot pool has given a slice of `bytes` bytes from the heap. */
  'framepool:fallback': BytesEvent
  /** A request for `bytes` bytes was refused because of a limit. */
  'framepool:refused': BytesEvent
  /** A request for `bytes` bytes waits for memory. */
  'framepool:wait:start': BytesEvent
  /** A wait for memory is over. */
  'framepool:wait:end': WaitEndEvent
  /** A reader begins to read a socket. */
  'framepool:reader:start': EventSource
  /** A reader has returned a batch. */
  'framepool:reader:batch': BatchEvent
  /** A reader has stopped reading its socket. */
  'framepool:reader:end': ReaderEndEvent
}

/** Name of a diagnostics channel of framepool. */
export type EventName = keyof EventMessages

const created = channel('framepool:created' satisfies EventName)
const closed = channel('framepool:closed' satisfies EventName)
const fallback = channel('framepool:fallback' satisfies EventName)
const refused = channel('framepool:refused' satisfies EventName)
const waitStart = channel('framepool:wait:start' satisfies EventName)
const waitEnd = channel('framepool:wait:end' satisfies EventName)
const readerStart = channel('framepool:reader:start' satisfies EventName)
const readerBatch = channel('framepool:reader:batch' satisfies EventName)
const readerEnd = channel('framepool:reader:end' satisfies EventName)

let sources = 0

/** Numbers an object of this thread. */
export function eventSource(kind: EventSource['kind']): EventSource {
  return { kind, id: ++sources }
}

/** Tells that a pool or a budget was made or has arrived. `bytes` is its capacity or its limit. */
export function tellCreated(source: EventSource, bytes: number): void {
  if (created.hasSubscribers) created.publish({ ...source, bytes })
}

/** Tells that a pool is closed. */
export function tellClosed(source: EventSource): void {
  if (closed.hasSubscribers) closed.publish({ ...source })
}

/** Tells that a slice of `bytes` bytes has come from the heap. Subscribers may do anything: what has changed must be complete. */
export function tellFallback(source: EventSource, bytes: number): void {
  if (fallback.hasSubscribers) fallback.publish({ ...source, bytes })
}

/** Tells that a request for `bytes` bytes was refused because of a limit. */
export function tellRefused(source: EventSource, bytes: number): void {
  if (refused.hasSubscribers) refused.publish({ ...source, bytes })
}

/** Tells that a request for `bytes` bytes was refused, if `failure` is the error of a limit. */
export function tellIfRefused(source: EventSource, bytes: number, failure: unknown): void {
  if (!refused.hasSubscribers) return
  if (failure instanceof Error && (failure as { code?: unknown }).code === 'ERR_MEMORY_LIMIT')
    tellRefused(source, bytes)
}

/** Tells that a wait for `bytes` bytes has begun, and later that it is over. Returns the promise of the wait. */
export function tellOfWait<T>(source: EventSource, bytes: number, wait: Promise<T>): Promise<T> {
  if (!waitStart.hasSubscribers && !waitEnd.hasSubscribers) return wait
  const startTime = now()
  waitStart.publish({ ...source, bytes })
  const end = (error: unknown): void => waitEnd.publish({ ...source, bytes, startTime, error })
  return wait.then(
    (value) => {
      end(null)
      return value
    },
    (error) => {
      end(error)
      throw error
    },
  )
}

/** Tells that a reader begins to read a socket. */
export function tellReading(source: EventSource): void {
  if (readerStart.hasSubscribers) readerStart.publish({ ...source })
}

/** Tells that a reader has returned a batch. */
export function tellBatch(source: EventSource, frames: number, bytes: number, pending: number): void {
  if (readerBatch.hasSubscribers) readerBatch.publish({ ...source, frames, bytes, pending })
}

/** Tells that a reader has stopped reading its socket. `error` is the error that `attach()` rejects with, or null. */
export function tellRead(source: EventSource, error: unknown): void {
  if (readerEnd.hasSubscribers) readerEnd.publish({ ...source, error })
}
