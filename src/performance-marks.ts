import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { performance } from 'node:perf_hooks'
import { booleanArgument } from './support/arguments.js'
import type { EventMessages, EventName } from './support/events.js'
import { now } from './support/timers.js'

type Message = EventMessages[EventName]

/** Recorders of the messages of each channel. The start of a wait is that of its measure. */
const recorders: { readonly [name in Exclude<EventName, 'framepool:wait:start'>]: (message: unknown) => void } = {
  'framepool:created': marking('framepool:created'),
  'framepool:closed': marking('framepool:closed'),
  'framepool:fallback': marking('framepool:fallback'),
  'framepool:refused': marking('framepool:refused'),
  'framepool:reader:start': marking('framepool:reader:start'),
  'framepool:reader:batch': marking('framepool:reader:batch'),
  'framepool:reader:end': marking('framepool:reader:end'),
  'framepool:wait:end': (message) => {
    const { startTime } = message as EventMessages['framepool:wait:end']
    performance.measure('framepool:wait', { start: startTime, end: now(), detail: detailOf(message as Message) })
  },
}

function marking(name: EventName): (message: unknown) => void {
  return (message) => {
    performance.mark(name, { detail: detailOf(message as Message) })
  }
}

/** Returns the message without an error, which may be any value: a detail is cloned. */
function detailOf(message: Message): object {
  if (!('error' in message)) return message
  const { error, ...rest } = message
  return { ...rest, failed: error !== null }
}

/**
 * Turns the recording of events on or off. While it is on, events of this thread's pools, budgets and readers appear in the performance
 * timeline of `node:perf_hooks`: a wait as the measure `framepool:wait`, every other event as a mark with the name of its diagnostics
 * channel. `detail` is the message, with `failed`, a boolean, in place of `error`. It is off at first, since the timeline keeps all entries
 * until `performance.clearMarks()` and `clearMeasures()`. Throws `ERR_INVALID_ARG_TYPE` unless `on` is a boolean.
 */
export function performanceMarks(on: boolean): void {
  booleanArgument(on, 'on')
  for (const [name, recorder] of Object.entries(recorders)) {
    unsubscribe(name, recorder)
    if (on) subscribe(name, recorder)
  }
}
