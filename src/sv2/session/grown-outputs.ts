import { trimAfter } from '../../native/session.js'
import { clearInterval, setInterval, type Timer } from '../../support/timers.js'

/** Time without traffic after which an output that has grown gives its memory back. */
const QUIET_MS = 1_000

/** A session whose output has grown. */
interface GrownOutput {
  /** Bytes ever sent. */
  readonly position: bigint
  /** Gives memory back and returns the number of bytes: 0 while the output is not empty or in use. */
  shrink(): number
}

/** The outputs that have grown, each with its position when it was last looked at. They are not held: a session may be dropped. */
const grown = new Map<WeakRef<GrownOutput>, bigint>()
/** The key of each output in `grown`. */
const keys = new WeakMap<GrownOutput, WeakRef<GrownOutput>>()
/** One timer for all outputs, and only while there are any: a timer for each session would cost more than its frames. */
let timer: Timer | null = null
/** Bytes that were given back in the last round. */
let shrunk = 0

/** Shrinks `output` once it has been quiet. */
export function watchGrown(output: GrownOutput): void {
  const key = keys.get(output) ?? new WeakRef(output)
  keys.set(output, key)
  grown.set(key, output.position)
  timer ??= setInterval(shrinkQuiet, QUIET_MS).unref()
}

/** Forgets an output that has shrunk or is gone. */
export function forgetGrown(output: GrownOutput): void {
  const key = keys.get(output)
  if (key !== undefined) grown.delete(key)
}

function shrinkQuiet(): void {
  // In the next round, since rings that JavaScript has seen are freed on a later turn.
  if (shrunk > 0) trimAfter(shrunk)
  shrunk = 0
  for (const [key, position] of grown) {
    const output = key.deref()
    if (output === undefined) {
      grown.delete(key)
      continue
    }
    const freed = output.position === position ? output.shrink() : 0
    shrunk += freed
    // An output that has shrunk has called `forgetGrown()`.
    if (freed === 0) grown.set(key, output.position)
  }
  if (grown.size > 0 || shrunk > 0 || timer === null) return
  clearInterval(timer)
  timer = null
}
