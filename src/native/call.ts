import { errorOf } from '../support/errors.js'
import { systemErrorInfo } from '../support/system-error.js'
import type { Handle } from './handle.js'
import { bound, native } from './load.js'
import { Word } from './words.js'

export const control = new Uint32Array(bound.control)

/** A word that the last call gave. */
export function reply(word: Word): number {
  return control[word]!
}

/** What the last call failed with, if it did: for calls that report something even then. */
export function lastFailure(): Error | null {
  if (control[Word.Status] === 0) return null
  const { code, message, syscall, errno } = native.lastFault()
  return errorOf(code, message, syscall === undefined ? undefined : systemErrorInfo(syscall, errno ?? 0))
}

/** The object that the last call gave. */
export function replyHandle(): Handle {
  return { index: control[Word.Handle]!, generation: control[Word.Generation]! }
}

/** A number of at most 53 bits that the last call gave. */
export function replyWide(): number {
  return control[Word.High]! * 2 ** 32 + control[Word.Low]!
}

/** A position of 64 bits that the last call gave. */
export function replyPosition(): bigint {
  return (BigInt(control[Word.High]!) << 32n) | BigInt(control[Word.Low]!)
}

/** Throws what the last call failed with, if it did. */
export function check(): void {
  if (control[Word.Status] === 0) return
  throw lastFailure()
}

export function showing<T>(handle: Handle, call: () => T): T {
  control[Word.Handle] = handle.index
  control[Word.Generation] = handle.generation
  const value = call()
  check()
  return value
}

/**
 * Blocks this thread until native code says that the wait is over. It blocks for a moment at a time: only here, between two of
 * them, does an isolate notice that it is to end. Natively the wait goes on, with its place in a queue and its deadline.
 */
export function blocking(timeoutMs: number, wait: () => void): void {
  let going = 0
  do {
    control[Word.Wait] = going
    control[Word.Timeout] = timeoutMs
    wait()
    check()
    going = 1
  } while (control[Word.Wait] !== 0)
}

/** Runs an ordinary native function; its errors become those of the contract. */
export function guarded<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    throw code?.startsWith('ERR_') ? errorOf(code, message) : error
  }
}
