import { expect } from 'vitest'

/** Values that user code may throw. */
export const THROWN: [string, unknown][] = [
  ['an Error', new Error('mine')],
  ['null', null],
  ['undefined', undefined],
  ['a string', 'mine'],
  ['0', 0],
]

/** Values that user code may throw, and how `thrownText()` shows each. */
export const SHOWN: [shown: string, value: unknown][] = [
  ['Error: of the app', new Error('of the app')],
  ['TypeError: two lines', new TypeError('two\nlines')],
  ['"a string"', 'a string'],
  ['null', null],
  ['undefined', undefined],
  ['0', 0],
  ['Symbol(s)', Symbol('s')],
  ['a function', () => {}],
  ['an object', {}],
  ['an object', Object.create(null)],
  ['AggregateError: one; two', new AggregateError([new Error('one'), new Error('two'), new Error('one')])],
  [
    'a value that cannot be shown',
    {
      get message() {
        throw null
      },
    },
  ],
  [
    'a value that cannot be shown',
    new Proxy(new Error(), {
      get() {
        throw new Error('of the trap')
      },
    }),
  ],
]

/** Returns a function that throws `thrown`. */
export function throwing(thrown: unknown): () => never {
  return () => {
    throw thrown
  }
}

/** Makes the next call of a method of `object` throw. */
export function throwOnce(object: object, method: string, thrown: unknown): void {
  const value = (): never => {
    Reflect.deleteProperty(object, method)
    throw thrown
  }
  Object.defineProperty(object, method, { value, configurable: true })
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
