import { takeDisturbances } from './debug.js'
import { warnOfPlace } from './place-warning.js'

/**
 * Looks for writes to memory that was released, and emits a warning for each place that has written. Debug mode does so at the end of the
 * process, every few seconds, and as memory is needed. Returns the number of writes that were found. Without debug mode there is nothing to
 * find.
 */
export function checkMemory(): number {
  return reportDisturbances(true)
}

/** Emits a warning for each late write that was found. With `all`, looks for more first. Returns the number of writes. */
export function reportDisturbances(all: boolean): number {
  const found = takeDisturbances(all)
  for (const { bytes, offset, stack } of found) {
    const text = `byte ${offset} of ${bytes} was written after the memory had been released; it was acquired`
    warnOfPlace('FRAMEPOOL_WRITE_AFTER_RELEASE', text, stack ?? '    at a place that is not known')
  }
  return found.length
}
