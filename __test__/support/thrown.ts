import { expect } from 'vitest'

/** Values that user code may throw. */
export const THROWN: [string, unknown][] = [
  ['an Error', new Error('mine')],
  ['null', null],
  ['undefined', undefined],
  ['a string', 'mine'],
  ['0', 0],
]

/** Returns a function that throws `thrown`. */
export function throwing(thrown: unknown): () => never {
  return () => {
    throw thrown
  }
}

/** Returns a copy of `rest` whose property `name` throws when it is read. */
export function trap(name: string, thrown: unknown, rest: object = {}): never {
  return Object.defineProperty({ ...rest }, name, { get: throwing(thrown), enumerable: true }) as never
}

/** Returns what `call` throws, in a box, because it may be `undefined`. */
export function thrownBy(call: () => unknown): { reason: unknown } {
  try {
    call()
  } catch (reason) {
    return { reason }
  }
  return expect.unreachable('it did not throw')
}

/** Returns what `promise` rejects with, in a box. */
export function rejection(promise: Promise<unknown>): Promise<{ reason: unknown }> {
  return promise.then(
    () => expect.unreachable('it did not reject'),
    (reason: unknown) => ({ reason }),
  )
}
