import { trimAfter } from '../../native/session.js'
import { clearInterval, setInterval, type Timer } from '../../support/timers.js'

/** How long nothing must have gone out before an output that has grown gives its memory back. */
const QUIET_MS = 1_000

/** A session whose output has grown. */
interface GrownOutput {
  /** Bytes that ever went out. */
  readonly position: bigint
  /** Gives memory back: so many bytes, none while something is in the output or it is in use. */
  shrink(): number
}

/** With the position where it was last seen. */
const grown = new Map<GrownOutput, bigint>()
/** One for all, and only while there are any: a timer for each session would cost more than its frames. */
let timer: Timer | null = null
/** Bytes given back the last time round. */
let shrunk = 0

/** `output` is shrunk once it has been quiet. */
export function watchGrown(output: GrownOutput): void {
  grown.set(output, output.position)
  timer ??= setInterval(shrinkQuiet, QUIET_MS).unref()
}

export function forgetGrown(output: GrownOutput): void {
  grown.delete(output)
}

function shrinkQuiet(): void {
  // Only now: rings that JavaScript has seen are freed on a later turn.
  if (shrunk > 0) trimAfter(shrunk)
  shrunk = 0
  for (const [output, position] of grown) {
    const freed = output.position === position ? output.shrink() : 0
    shrunk += freed
    // What has shrunk is forgotten by itself.
    if (freed === 0) grown.set(output, output.position)
  }
  if (grown.size > 0 || shrunk > 0 || timer === null) return
  clearInterval(timer)
  timer = null
}
