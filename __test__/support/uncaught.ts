import { onTestFinished } from 'vitest'

/** Collects uncaught exceptions and unhandled rejections until the end of the test. */
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
