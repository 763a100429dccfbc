import { errorOf } from '../support/errors.js'

/** Runs an ordinary native function, and throws what it throws as the documented error. */
export function guarded<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    throw code?.startsWith('ERR_') ? errorOf(code, message) : error
  }
}
