import { readFileSync } from 'node:fs'
import { MessageChannel, markAsUntransferable } from 'node:worker_threads'
import { Hostility } from '../hostile/values.js'
import { bufferOf, lengthOf, sizeOf } from './intrinsics.js'
import { withHook, withoutHook } from './patches.js'

/** Calls within calls. */
const MOST_DEPTH = 3
/** Node 24 and 26 end the process themselves at its exit if a live external ArrayBuffer has been marked. */
const CAN_MARK = !/^v2[46]\./.test(process.version)
/** What scripts throw. */
const THROWN = [() => new Hostility('thrown'), () => null, () => undefined, () => 'a string', () => 0]
const OWN = [
  'byteLength',
  'length',
  'buffer',
  'byteOffset',
  'constructor',
  'detached',
  'slice',
  'transfer',
  'set',
  'subarray',
]

const documented = new Set(['ERR_INVALID_ARG_TYPE', 'ERR_OUT_OF_RANGE'])
const errors = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
for (const [, code] of errors.matchAll(/^\| `(ERR_\w+)`/gm)) documented.add(code)
documented.delete('ERR_INTERNAL')

/** A bug of framepool's, or of this model. */
class Finding extends Error {}

/** What operations have in common: what there is, what may go wrong, and in which circumstances they run. */
export class World {
  framepool
  random
  witness
  subjects = []
  /** By message. */
  findings = new Map()
  /** How often each operation succeeded. */
  succeeded
  #native
  #trace
  #without
  #depth = 0
  #step = ''
  /** A script interferes with what is called: it may fail in any way, and what it says of itself may be wrong. */
  #interfered
  #failing = false

  /**
   * `deceived`: framepool itself may have been told lies from the start on, so that only what memory it shows counts.
   * `native`: the addon, if it is one that can make allocations fail. `without` matches operations and circumstances to leave out.
   */
  constructor({ deceived, framepool, native, random, succeeded, trace, witness, without }) {
    this.succeeded = succeeded
    this.#interfered = deceived
    this.framepool = framepool
    this.random = random
    this.witness = witness
    this.#native = native
    this.#trace = trace
    this.#without = without
  }

  get interfered() {
    return this.#interfered
  }

  add(subject) {
    this.subjects.push(subject)
    return subject
  }

  /** One of that kind, or undefined. */
  one(Kind) {
    const those = this.subjects.filter((subject) => subject instanceof Kind)
    return those.length === 0 ? undefined : this.random.pick(those)
  }

  count(Kind) {
    return this.subjects.filter((subject) => subject instanceof Kind).length
  }

  drop(subject) {
    const index = this.subjects.indexOf(subject)
    if (index >= 0) this.subjects.splice(index, 1)
    subject.gone = true
  }

  has(name) {
    return !this.#without.test(name)
  }

  note(step) {
    this.#step = step
    this.#trace.add(step, this.#depth)
  }

  see(view) {
    return this.witness.see(view, this.#step)
  }

  /** What a script has interfered with may be as that says. */
  check(holds, what) {
    if (!holds && !this.#interfered) throw new Finding(what)
  }

  /** One step of a run. */
  async step() {
    const { random } = this
    if (this.subjects.length > 0) {
      const subject = random.pick(this.subjects)
      const name = random.pick(subject.operations)
      if (subject.later.includes(name)) await this.#runLater(subject, name)
      else this.#inCircumstances(() => this.#run(subject, name))
    }
    // What streams and messages bring comes between two steps.
    await null
    this.witness.sweep()
  }

  /** What user code does within a call. */
  act() {
    if (this.#depth >= MOST_DEPTH || this.subjects.length === 0) return
    const subject = this.random.pick(this.subjects)
    const names = subject.operations.filter((name) => !subject.later.includes(name))
    if (names.length > 0) this.#run(subject, this.random.pick(names))
  }

  #run(subject, name) {
    const label = `${subject.constructor.name}.${name}`
    if (!this.has(label) || (this.#failing && !this.has(`failing ${label}`))) return
    this.note(label)
    this.#begin(subject)
    let failed = false
    try {
      subject[name]()
    } catch (error) {
      failed = true
      this.judge(error, label)
    }
    this.#end(subject, failed, label)
  }

  async #runLater(subject, name) {
    const label = `${subject.constructor.name}.${name}`
    if (!this.has(label)) return
    this.note(label)
    this.#begin(subject)
    let failed = false
    try {
      // What runs by itself meanwhile counts as within.
      await subject[name]()
    } catch (error) {
      failed = true
      this.judge(error, label)
    }
    this.#end(subject, failed, label)
  }

  #begin(subject) {
    if (subject.busy > 0) subject.disturbed = true
    subject.busy++
    this.#depth++
  }

  #end(subject, failed, label) {
    this.#depth--
    subject.busy--
    if (this.#interfered) subject.excused = true
    if (!failed) this.succeeded[label] = (this.succeeded[label] ?? 0) + 1
    if (subject.busy > 0 || subject.gone) return
    try {
      if (subject.disturbed || this.#interfered) withoutHook(() => subject.resync())
      else if (failed) subject.verify()
    } catch (error) {
      this.judge(error, `${label}, then`)
    }
    subject.disturbed = false
  }

  #inCircumstances(call) {
    const { random } = this
    switch (random.below(8)) {
      case 0:
      case 1:
        if (this.#native && this.has('failing')) return this.#whileFailing(call)
        break
      case 2:
        if (this.has('hooked')) return this.#whileHooked(call)
        break
      case 3:
        if (this.has('stacks')) return this.#whileStacksAct(call)
        break
      default:
    }
    call()
  }

  /** Lets one of the next allocations fail. */
  #whileFailing(call) {
    const { random } = this
    const after = this.has('failing later') ? random.below(4) : 0
    const atLeast = random.pick(FAILING_FROM)
    this.note(`(allocation ${after} of ${atLeast} B or more fails)`)
    this.#failing = true
    this.#native.failAllocation(after, atLeast)
    try {
      call()
    } finally {
      this.#native.failAllocation(-1, 0)
      this.#failing = false
    }
  }

  /** What is replaced in the language acts, throws and lies. */
  #whileHooked(call) {
    this.note('(replaced functions act)')
    const use = (name, original, isGetter) => {
      this.interfere()
      const value = isGetter && this.random.oneIn(4) ? this.random.pick([0, 1, 2 ** 31, undefined, true]) : original()
      // It says that it did what it did not do.
      if (name === 'transfer' && this.random.oneIn(4)) return new ArrayBuffer(0)
      return value
    }
    this.#interfering(() => withHook(use, call))
  }

  #whileStacksAct(call) {
    const before = Error.prepareStackTrace
    this.note('(stack traces act)')
    Error.prepareStackTrace = () => {
      Error.prepareStackTrace = before
      try {
        this.act()
      } finally {
        Error.prepareStackTrace = before
      }
      return 'a trace'
    }
    this.#interfering(() => {
      try {
        call()
      } finally {
        Error.prepareStackTrace = before
      }
    })
  }

  #interfering(call) {
    const before = this.#interfered
    this.#interfered = true
    try {
      call()
    } finally {
      this.#interfered = before
    }
  }

  /** Even when no memory is left for it, a ticket is good for another time. */
  adopt(ticket) {
    const { adopt } = this.framepool
    try {
      return adopt(ticket)
    } catch (error) {
      this.judge(error, 'adopt')
      return withoutHook(() => adopt(ticket))
    }
  }

  /** Options that may do something as they are read. */
  options(values) {
    if (this.random.below(4) > 0) return values
    return new Proxy(values, {
      get: (_, name) => {
        this.interfere()
        return values[name]
      },
    })
  }

  /** What code of a script does where it should only answer. */
  interfere() {
    const { random } = this
    if (random.oneIn(2)) withoutHook(() => this.act())
    if (random.oneIn(12)) throw random.pick(THROWN)()
  }

  /** Fails unless the error is documented, or what hostile code threw itself. */
  judge(error, label) {
    if (error instanceof Hostility || error === null || typeof error !== 'object') return
    const { code } = error
    if (documented.has(code) && (code !== 'ERR_NO_MEMORY' || this.#failing)) return
    // Of the language itself, where a script's own answers were wrong.
    if (this.#interfered && !(error instanceof Finding) && code === undefined) return
    this.find(`${label}: ${code ?? error.name}: ${error.message}`, error)
  }

  find(what, error = new Finding(what)) {
    if (this.findings.has(what)) return
    this.findings.set(what, error.stack)
    this.note(`FOUND ${what}`)
  }

  // ── What a script can do to memory that it is shown ────────────────────────────────────────────────────────────────

  /** Puts a property of its own in front of a real one. `show` shows the memory under the view anew. */
  tamper(view, show) {
    const { random } = this
    const target = random.oneIn(2) ? view : bufferOf(view)
    const name = random.pick(OWN)
    const prototype = Object.getPrototypeOf(target)
    let times = 3
    const get = () => {
      if (times-- > 0) {
        if (random.oneIn(2)) this.#quietly(show)
        else this.interfere()
      }
      return random.oneIn(6) ? random.pick([0, 1, undefined]) : Reflect.get(prototype, name, target)
    }
    this.note(`(own ${name})`)
    Object.defineProperty(target, name, { get, configurable: true })
  }

  #quietly(call) {
    if (this.#depth >= MOST_DEPTH) return
    this.#depth++
    try {
      withoutHook(call)
    } catch (error) {
      this.judge(error, 'shown anew')
    } finally {
      this.#depth--
    }
  }

  /** Takes the memory under a view to an ArrayBuffer that framepool does not know. */
  take(view) {
    const { random } = this
    const buffer = bufferOf(view)
    const taken = (value) => {
      // Some ways copy, or give what has no bytes.
      if (value instanceof ArrayBuffer) this.see(new Uint8Array(value))
      else if (value) this.see(value)
    }
    // What is not detached is copied.
    const way = sizeOf(buffer) > LARGE ? random.pick(canTransfer ? [0, 1, 2, 5] : [5]) : random.below(6)
    try {
      switch (way) {
        case 0:
          return taken(transfer(buffer, 'transfer'))
        case 1:
          return taken(transfer(buffer, 'transferToFixedLength'))
        case 2:
          // A copy of another length: the original is gone at once.
          return taken(transfer(buffer, 'transfer', Math.min(sizeOf(buffer) + 1, 2 ** 16)))
        case 3:
          return taken(structuredClone(buffer, { transfer: [buffer] }))
        case 4: {
          const { port1, port2 } = new MessageChannel()
          port1.postMessage(view, [buffer])
          port1.close()
          return port2.close()
        }
        default: {
          const stream = new ReadableStream({ type: 'bytes', start: (controller) => controller.enqueue(view) })
          const reader = stream.getReader()
          reader.read().then(({ value }) => taken(value))
        }
      }
    } catch (error) {
      // What is detached, empty or external the runtime may refuse.
      if (!(error instanceof TypeError || error instanceof DOMException || error instanceof RangeError)) throw error
    }
  }

  /** False where it cannot be done. */
  mark(view) {
    if (!CAN_MARK || lengthOf(view) === 0) return false
    markAsUntransferable(bufferOf(view))
    return true
  }
}

/** In bytes. */
const LARGE = 2 ** 20
const FAILING_FROM = [256, 512, 2048, 2 ** 14]

// Node 20 has none.
const canTransfer = ArrayBuffer.prototype.transfer !== undefined

function transfer(buffer, method, ...args) {
  const { [method]: call } = ArrayBuffer.prototype
  return call ? Reflect.apply(call, buffer, args) : structuredClone(buffer, { transfer: [buffer] })
}
