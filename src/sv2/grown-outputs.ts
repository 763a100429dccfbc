/** How long nothing must have gone out before an output that has grown gives its memory back. */
const QUIET_MS = 1_000

/** A session whose output has grown. */
interface GrownOutput {
  /** Bytes that ever went out. */
  readonly position: number
  /** False: something is in the output, or it is in use. */
  shrink(): boolean
}

/** With the position where it was last seen. */
const grown = new Map<GrownOutput, number>()
/** One for all, and only while there are any: a timer for each session would cost more than its frames. */
let timer: NodeJS.Timeout | null = null

/** `output` is shrunk once it has been quiet. */
export function watchGrown(output: GrownOutput): void {
  grown.set(output, output.position)
  timer ??= setInterval(shrinkQuiet, QUIET_MS).unref()
}

export function forgetGrown(output: GrownOutput): void {
  grown.delete(output)
}

function shrinkQuiet(): void {
  for (const [output, position] of grown) {
    // What has shrunk is forgotten by itself.
    if (output.position !== position || !output.shrink()) grown.set(output, output.position)
  }
  if (grown.size > 0 || timer === null) return
  clearInterval(timer)
  timer = null
}
