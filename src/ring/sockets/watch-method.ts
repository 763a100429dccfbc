import type { Duplex } from 'node:stream'
import { streamMethods } from '../../support/streams.js'

/** Calls a method of the watched object with `args`. */
type Call = (args: unknown[]) => unknown

/**
 * Has `around` run each call of the method `name` of `object`, and of a method that a script sets in its place. Returns a function that
 * ends that, and leaves the method that the object has by then. Does nothing if the property cannot be defined.
 */
export function watchMethod(
  object: object,
  name: string,
  around: (call: Call, args: unknown[]) => unknown,
): () => void {
  const before = Object.getOwnPropertyDescriptor(object, name)
  // A method that was read before another is set calls the one that it was read as: a script may call it from its own.
  const watched = (method: unknown) =>
    function (this: unknown, ...args: unknown[]): unknown {
      return around((given) => Reflect.apply(method as Call, this, given), args)
    }
  let method: unknown = Reflect.get(object, name)
  let current = watched(method)
  let isSet = false
  const get = (): unknown => current
  const set = (value: unknown): void => {
    method = value
    current = watched(value)
    isSet = true
  }
  if (!Reflect.defineProperty(object, name, { get, set, configurable: true })) return () => {}
  return () => {
    if (Object.getOwnPropertyDescriptor(object, name)?.get !== get) return
    if (isSet)
      Object.defineProperty(object, name, { value: method, writable: true, enumerable: true, configurable: true })
    else if (before === undefined) Reflect.deleteProperty(object, name)
    else Object.defineProperty(object, name, before)
  }
}

/**
 * Destroys `stream` by the method of all streams where its own method for that throws: nobody else would. Returns a function that ends
 * that.
 */
export function guardDestroy(stream: Duplex, isOver: () => boolean): () => void {
  return watchMethod(stream, 'destroy', (call, args) => {
    try {
      return call(args)
    } catch (thrown) {
      if (!isOver()) streamMethods().destroy.call(stream, args[0] as Error)
      throw thrown
    }
  })
}
