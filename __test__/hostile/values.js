// Values to throw at an API: of every type, forged, lying, shared, detached, and such that run code as they are looked at.
/** What hostile code throws. It may come out of a call again: it is its caller's own. */
export class Hostility extends Error {}

/** Repeatable random numbers (mulberry32). */
export class Random {
  #state

  constructor(seed) {
    this.#state = seed
  }

  /** From 0 to `limit` − 1. */
  below(limit) {
    this.#state = (this.#state + 0x6d2b_79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }

  oneIn(count) {
    return this.below(count) === 0
  }

  pick(items) {
    return items[this.below(items.length)]
  }
}

const NUMBERS = [0, -0, 1, 2, 7, 8, 16, 63, 64, 100, 1024, 4096, 65_535, 65_536, -1, 0.5, -1.5, 1e-9, 1e300]
// Sizes from 2^26 to 2^32 are valid, and may take seconds and gigabytes: other tests have them.
const LIMITS = [2 ** 24, 2 ** 26, 2 ** 26 + 1, -(2 ** 31), 2 ** 32, 2 ** 53 - 1, 2 ** 53]
const NO_NUMBERS = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5n, -1n, '8', '']
const OTHERS = [undefined, null, true, false, Symbol('hostile'), Symbol.iterator, 'back', 'é\0', [], {}]
const ARRAYS = [Int8Array, Uint8ClampedArray, Uint16Array, Float64Array, BigInt64Array, DataView]

/** Parameters that are descriptors. */
const DESCRIPTORS = ['fd', 'from', 'to']

/** Milliseconds are kept this short where they are valid: methods may block for so long. */
const SHORT_MS = 2

/** Generates values. `world` says what there is: `subject()`, `classes()`, `typical(name)`, `act()` to call something. */
export class Values {
  #random
  #world
  /** Views that calls have given: of memory of the library. */
  #views = []
  /** Objects made here: when a call gives one back it is nothing of the library's. */
  #made = new WeakSet()
  /** Names of options that some call has asked for. */
  #names = ['length']

  constructor(random, world) {
    this.#random = random
    this.#world = world
  }

  /** Remembers a view for later. */
  keepView(view) {
    if (this.#views.length < 100) this.#views.push(view)
    else this.#views[this.#random.below(100)] = view
  }

  /** A value for the parameter or option `name`: what it is meant for about half of the time. */
  named(name) {
    const value = this.#random.oneIn(2) ? this.#world.typical(name) : undefined
    if (value !== undefined) return value
    const any = this.any()
    if (name.endsWith('Ms') && typeof any === 'number' && any > SHORT_MS) return SHORT_MS
    // Nothing may be read or written where it is not the test's.
    if (DESCRIPTORS.includes(name) && Number.isInteger(any) && any >= 0) return this.#world.typical('fd')
    // A name server may be asked for seconds.
    return name === 'host' && typeof any === 'string' ? '127.0.0.1' : any
  }

  any() {
    const random = this.#random
    switch (random.below(16)) {
      case 0:
      case 1:
        return random.pick(NUMBERS)
      case 2:
        return random.pick(random.oneIn(20) ? LIMITS : NO_NUMBERS)
      case 3:
        return random.pick(OTHERS)
      case 4:
      case 5:
      case 6:
        return this.bytes()
      case 7:
        return this.#world.subject()
      case 8:
        return this.#make(this.#forge(random.pick(this.#world.classes())))
      case 9:
      case 10:
        return this.callback()
      case 11:
        return this.signal()
      case 12:
      case 13:
        return this.options()
      case 14:
        return Array.from({ length: random.below(6) }, () => random.pick(NUMBERS))
      default:
        return this.#make(this.#odd())
    }
  }

  bytes() {
    const random = this.#random
    const length = random.oneIn(50) ? random.below(70_000) : random.below(300)
    switch (random.below(12)) {
      case 0:
        return new Uint8Array(new SharedArrayBuffer(length))
      case 1:
        return new Uint8Array(new SharedArrayBuffer(length, { maxByteLength: length + 64 }))
      case 2:
        return this.#resized(length)
      case 3:
        return detached(new Uint8Array(length))
      case 4:
        return this.#lying(length)
      case 5:
      case 6:
        return this.#views.length > 0 ? random.pick(this.#views) : new Uint8Array(length)
      case 7:
        return new (random.pick(ARRAYS))(new ArrayBuffer(length * 8))
      case 8:
        return Object.preventExtensions(Buffer.alloc(length, 7))
      default:
        return new Uint8Array(length).fill(random.below(256))
    }
  }

  /** A view of memory that shrinks under it or grows: of fixed length, or following. */
  #resized(length) {
    const random = this.#random
    const buffer = new ArrayBuffer(length, { maxByteLength: length + 64 })
    const view = random.oneIn(2) ? new Uint8Array(buffer) : new Uint8Array(buffer, length >> 1, length - (length >> 1))
    buffer.resize(random.below(length + 64))
    return view
  }

  /** A Uint8Array with properties of its own in place of the real ones. */
  #lying(length) {
    const array = new Uint8Array(length)
    for (const name of ['length', 'byteLength', 'byteOffset', 'buffer', 'set', 'subarray', 'slice', 'constructor']) {
      if (this.#random.oneIn(3)) Object.defineProperty(array, name, { get: () => this.#wild() })
    }
    return array
  }

  #make(object) {
    this.#made.add(object)
    return object
  }

  hasMade(object) {
    return this.#made.has(object)
  }

  /** Something that only looks like what the library makes. */
  #forge({ prototype }) {
    switch (this.#random.below(3)) {
      case 0:
        return Object.create(prototype)
      case 1:
        return Object.create(prototype, { length: { get: () => this.#wild() } })
      default:
        return new Proxy(this.#world.subject() ?? {}, {})
    }
  }

  callback() {
    const random = this.#random
    const kind = random.below(4)
    const take = (views, length) => {
      if (Array.isArray(views)) for (const view of views) this.keepView(view)
      return random.oneIn(2) && typeof length === 'number' ? random.below(length + 1) : this.any()
    }
    return random.pick([take, () => this.#wild(), async (...args) => take(...args), () => kind, new Proxy(take, {})])
  }

  signal() {
    const controller = new AbortController()
    const reason = new Hostility('aborted')
    switch (this.#random.below(4)) {
      case 0:
        return AbortSignal.abort(reason)
      case 1:
        setImmediate(() => controller.abort(reason))
        return controller.signal
      case 2:
        return Object.create(AbortSignal.prototype, { aborted: { value: false } })
      default:
        return Object.defineProperty(controller.signal, 'removeEventListener', { value: () => this.#wild() })
    }
  }

  /** Options: a Proxy that answers for whatever it is asked, and so learns names; or getters for names so far learnt. */
  options() {
    const random = this.#random
    // Some of them mean well throughout: otherwise hardly any would be accepted that must have several.
    if (random.oneIn(3)) return new Proxy({}, { get: (_, name) => this.#world.typical(name) })
    if (random.oneIn(2)) return new Proxy({}, { get: (_, name) => this.#answer(name) })
    const object = this.#make(random.oneIn(2) ? {} : Object.create(null))
    for (const name of this.#names) {
      if (random.oneIn(2)) Object.defineProperty(object, name, { get: () => this.#answer(name), enumerable: true })
    }
    return random.oneIn(2) ? Object.freeze(object) : object
  }

  #answer(name) {
    if (typeof name === 'symbol') return undefined
    if (!this.#names.includes(name)) this.#names.push(name)
    if (this.#random.oneIn(20)) return this.#wild()
    return this.#random.oneIn(3) ? undefined : this.named(name)
  }

  flip() {
    return this.#random.oneIn(2)
  }

  /** To end something with. */
  reason() {
    return this.#random.pick([new Hostility('the end'), Object.freeze(new Hostility('frozen'))])
  }

  #odd() {
    const wild = () => this.#wild()
    return this.#random.pick([
      { valueOf: wild, toString: wild },
      { [Symbol.toPrimitive]: wild },
      Object.defineProperty({}, 'constructor', { get: wild }),
      // biome-ignore lint/suspicious/noThenProperty: a thenable is a hostile value
      { then: (resolve) => this.#settle(resolve) },
      new Proxy({}, { get: wild, has: wild, getPrototypeOf: () => null, ownKeys: wild }),
      new Proxy(new Uint8Array(8), {}),
      new Map(),
      new Date(Number.NaN),
      this.#world.typical('socket'),
    ])
  }

  /** Later, but it does: else what waits for it would be in use for ever. */
  #settle(resolve) {
    if (typeof resolve === 'function') setImmediate(resolve, this.any())
    return this.#wild()
  }

  /** Code of the user's that runs within a call: it calls the library again, takes memory away, throws. */
  #wild() {
    const random = this.#random
    if (random.oneIn(4)) throw new Hostility('thrown from within')
    if (random.oneIn(2)) this.#world.act()
    if (this.#views.length > 0 && random.oneIn(4)) this.mistreat()
    return this.any()
  }

  /** Does to a view of the library's memory what a user can. */
  mistreat() {
    const view = this.#random.pick(this.#views)
    try {
      switch (this.#random.below(4)) {
        case 0:
          return transferred(view)
        case 1:
          return Object.preventExtensions(this.#random.oneIn(2) ? view : view.buffer)
        case 2:
          return new ReadableStream({ type: 'bytes', start: (controller) => controller.enqueue(view) })
        default:
          return view.fill(this.#random.below(256))
      }
    } catch (error) {
      // What is detached, or was never a view of ours, the runtime refuses.
      if (!(error instanceof TypeError || error instanceof DOMException || error instanceof Hostility)) throw error
    }
  }
}

/** Takes the library's memory away where the runtime can: elsewhere it is copied. */
function transferred(view) {
  return view.buffer.transfer?.() ?? structuredClone(view.buffer, { transfer: [view.buffer] })
}

/** Takes the memory of `view` away. */
function detached(view) {
  structuredClone(view.buffer, { transfer: [view.buffer] })
  return view
}
