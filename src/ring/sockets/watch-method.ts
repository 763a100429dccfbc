import type { Duplex } from 'node:stream'
import { streamMethods } from '../../support/streams.js'

/** Calls a method of the watched object with `args`. */
type Call = (args: unknown[]) => unknown

/** Runs the calls of a watched method. */
type Around = (call: Call, args: unknown[]) => unknown

/** A method of one object that is watched. */
class Watch {
  /** Returns the method that the object inherits. Null if it has one of its own. */
  readonly #inherited: (() => unknown) | null
  readonly #around: Around
  /** The method that the object has, and what it is read as. */
  #method: unknown
  #current: unknown
  /** Whether a script has set the method. */
  isSet = false

  constructor(method: unknown, inherited: (() => unknown) | null, around: Around) {
    this.#inherited = inherited
    this.#around = around
    this.#take(method)
  }

  get method(): unknown {
    return this.#method
  }

  get current(): unknown {
    const method = this.isSet || this.#inherited === null ? this.#method : this.#inherited()
    // A script may have replaced a method of the class.
    if (method !== this.#method) this.#take(method)
    return this.#current
  }

  set(method: unknown): void {
    this.#take(method)
    this.isSet = true
  }

  #take(method: unknown): void {
    const around = this.#around
    this.#method = method
    // A method that was read before another is set calls the one that it was read as: a script may call it from its own.
    this.#current = function (this: unknown, ...args: unknown[]): unknown {
      return around((given) => Reflect.apply(method as Call, this, given), args)
    }
  }
}

type Watched = Record<symbol, Watch>

/** Accessors of a watched method, and the key of its watch. */
interface Accessors extends PropertyDescriptor {
  readonly key: symbol
}

/** Makes the accessors of a method. All objects have them in common: V8 makes objects slow that have accessors of their own. */
function accessorsOf(name: string): Accessors {
  const key = Symbol(`framepool.${name}`)
  return {
    key,
    get(this: Watched): unknown {
      return this[key]!.current
    },
    set(this: Watched, method: unknown): void {
      this[key]!.set(method)
    },
    configurable: true,
  }
}

const accessors = { destroy: accessorsOf('destroy'), _destroy: accessorsOf('_destroy') }

/**
 * Has `around` run each call of the method `name` of `object`, and of a method that a script sets in its place. Returns a function that
 * ends that, and leaves the method that the object has by then. Does nothing if the property cannot be defined.
 */
export function watchMethod(object: object, name: keyof typeof accessors, around: Around): () => void {
  const { key, ...accessor } = accessors[name]
  const before = Object.getOwnPropertyDescriptor(object, name)
  const outer = Object.getOwnPropertyDescriptor(object, key)
  const inherited = (): unknown => Reflect.get(Object.getPrototypeOf(object), name, object)
  const watch = new Watch(Reflect.get(object, name), before === undefined ? inherited : null, around)
  const restore = (property: string | symbol, descriptor: PropertyDescriptor | undefined): void => {
    if (descriptor === undefined) Reflect.deleteProperty(object, property)
    else Object.defineProperty(object, property, descriptor)
  }
  if (!Reflect.defineProperty(object, key, { value: watch, configurable: true })) return () => {}
  if (!Reflect.defineProperty(object, name, accessor)) {
    restore(key, outer)
    return () => {}
  }
  return () => {
    if ((object as Watched)[key] !== watch) return
    restore(key, outer)
    if (Object.getOwnPropertyDescriptor(object, name)?.get !== accessor.get) return
    const set = { value: watch.method, writable: true, enumerable: true, configurable: true }
    restore(name, watch.isSet ? set : before)
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
