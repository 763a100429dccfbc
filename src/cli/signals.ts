/**
 * Time in which a second signal still belongs to the first keystroke. Ctrl-C reaches every process of the terminal's group, and npm
 * passes it on, too, so one keystroke can arrive twice.
 */
const SAME_KEYSTROKE_MS = 500
const EXIT_CODE_INTERRUPTED = 130

/** Runs `stop` on the first SIGINT, SIGTERM or SIGHUP, and ends the process on a later one. */
export function onInterrupt(stop: () => void): void {
  let firstAt: number | null = null
  const handler = (): void => {
    if (firstAt === null) {
      firstAt = performance.now()
      stop()
    } else if (performance.now() - firstAt > SAME_KEYSTROKE_MS) {
      process.exit(EXIT_CODE_INTERRUPTED)
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, handler)
}
