// Hostile values for an API: of every type, forged, lying, shared, detached, and some that run code when they are read.
/** An error that hostile code throws. A call may pass it on to its caller. */
export class Hostility extends Error {}

/** Repeatable random numbers (mulberry32). */
export class Random {
  #state

  constructor(seed) {
    this.#state = seed
  }

  /** Returns a whole number from 0 to `limit` − 1. */
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
// Sizes from 2^26 to 2^32 are valid, and may take seconds and gigabytes. Other tests cover them.
const LIMITS = [2 ** 24, 2 ** 26, 2 ** 26 + 1, -(2 ** 31), 2 ** 32, 2 ** 53 - 1, 2 ** 53]
const NO_NUMBERS = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5n, -1n, '8', '']
const OTHERS = [undefined, null, true, false, Symbol('hostile'), Symbol.iterator, 'back', 'é\0', [], {}]
const ARRAYS = [Int8Array, Uint8ClampedArray, Uint16Array, Float64Array, BigInt64Array, DataView]

/** Names of parameters that take descriptors. */
const DESCRIPTORS = ['fd', 'from', 'to']

/** Longest valid timeout, because methods may block for that long. */
const SHORT_MS = 2

/** Generates values. `world` has `subject()`, `classes()`, `typical(name)`, and `act()`, which calls something. */
export class Values {
  #random
  #world
  /** Views of the library's memory that calls have returned. */
  #views = []
  /** Objects made here. A call that returns one returns nothing of the library. */
  #made = new WeakSet()
  /** Names of options that some call has read. */
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

  /** Returns a value for the parameter or option `name`, a plausible one about half of the time. */
  named(name) {
    const value = this.#random.oneIn(2) ? this.#world.typical(name) : undefined
    if (value !== undefined) return value
    const any = this.any()
    if (name.endsWith('Ms') && typeof any === 'number' && any > SHORT_MS) return SHORT_MS
    // Calls may read and write only descriptors of the test.
    if (DESCRIPTORS.includes(name) && Number.isInteger(any) && any >= 0) return this.#world.typical('fd')
    // A name lookup may take seconds.
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

  /** Makes a view of fixed or tracking length, and resizes the memory under it. */
  #resized(length) {
    const random = this.#random
    const buffer = new ArrayBuffer(length, { maxByteLength: length + 64 })
    const view = random.oneIn(2) ? new Uint8Array(buffer) : new Uint8Array(buffer, length >> 1, length - (length >> 1))
    buffer.resize(random.below(length + 64))
    return view
  }

  /** Makes a Uint8Array whose own properties hide the real ones. */
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

  /** Makes an object that only looks like one of the library. */
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

  /** Makes options: a Proxy that has every option and learns the names, or getters for the names learnt so far. */
  options() {
    const random = this.#random
    // Some are plausible throughout. Otherwise calls that need several options would hardly ever accept them.
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

  /** Returns a reason for an abort. */
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

  /** Settles a thenable later. If it never settled, its object would stay in use forever. */
  #settle(resolve) {
    if (typeof resolve === 'function') setImmediate(resolve, this.any())
    return this.#wild()
  }

  /** Acts as user code inside a call: calls the library again, takes memory away, or throws. */
  #wild() {
    const random = this.#random
    if (random.oneIn(4)) throw new Hostility('thrown from within')
    if (random.oneIn(2)) this.#world.act()
    if (this.#views.length > 0 && random.oneIn(4)) this.mistreat()
    return this.any()
  }

  /** Mistreats a view of the library's memory in a way that is open to users. */
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
      // The runtime refuses detached views, and values that are not views.
      if (!(error instanceof TypeError || error instanceof DOMException || error instanceof Hostility)) throw error
    }
  }
}

/** Moves the library's memory to another ArrayBuffer if the runtime can; otherwise copies it. */
function transferred(view) {
  return view.buffer.transfer?.() ?? structuredClone(view.buffer, { transfer: [view.buffer] })
}

/** Detaches the memory of `view`. */
function detached(view) {
  structuredClone(view.buffer, { transfer: [view.buffer] })
  return view
}
