import { onTestFinished } from 'vitest'

/** Collects what would be an uncaught exception or an unhandled rejection until the test ends. */
export function uncaught(): unknown[] {
  const found: unknown[] = []
  const collect = (error: unknown): void => {
    found.push(error)
  }
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    const listeners = process.rawListeners(event) as (() => void)[]
    process.removeAllListeners(event)
    process.on(event, collect)
    onTestFinished(() => {
      process.off(event, collect)
      for (const listener of listeners) process.on(event, listener)
    })
  }
  return found
}
