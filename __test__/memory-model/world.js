import { readFileSync } from 'node:fs'
import { MessageChannel, markAsUntransferable } from 'node:worker_threads'
import { Hostility } from '../hostile/values.js'
import { bufferOf, lengthOf, sizeOf } from './intrinsics.js'
import { withHook, withoutHook } from './patches.js'

/** A line of a stack trace in framepool. */
const OWN_CODE = /\/dist\/src\//
/** Most calls inside each other. */
const MOST_DEPTH = 3
/** Messages and slices above this many bytes come from lengths that scripts invent. Copies of them would take all memory. */
export const HUGE = 2 ** 27
/** False on Node 24 and 26, which crash at exit if a live external ArrayBuffer was marked. */
const CAN_MARK = !/^v2[46]\./.test(process.version)
/** Makers of the values that scripts throw. */
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

/** A bug of framepool or of this model. */
class Finding extends Error {}

/** State that all operations share: the subjects, the findings, and the circumstances of a call. */
export class World {
  framepool
  random
  witness
  subjects = []
  /** Stacks of the findings, by message. */
  findings = new Map()
  /** Number of successes of each operation. */
  succeeded
  #native
  #trace
  #without
  #depth = 0
  #step = ''
  /** True while a script interferes with calls. They may then fail in any way, and report wrong values. */
  #interfered
  #deceived
  #failing = false

  /**
   * With `deceived`, scripts may have lied to framepool from the start, and only the memory that it shows is checked.
   * `native` is the addon, if it can make allocations fail. `without` matches operations and circumstances to leave
   * out.
   */
  constructor({ deceived, framepool, native, random, succeeded, trace, witness, without }) {
    this.succeeded = succeeded
    this.#interfered = deceived
    this.#deceived = deceived
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

  /** Returns a random subject of the kind, or undefined. */
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

  /** Throws a finding unless `holds` is true or a script interferes. */
  check(holds, what) {
    if (!holds && !this.#interfered) throw new Finding(what)
  }

  /** Runs one step. */
  async step() {
    const { random } = this
    if (this.subjects.length > 0) {
      const subject = random.pick(this.subjects)
      const name = random.pick(subject.operations)
      if (subject.later.includes(name)) await this.#runLater(subject, name)
      else this.#inCircumstances(() => this.run(subject, name))
    }
    // Streams and messages deliver between two steps.
    await null
    this.witness.sweep()
  }

  /** Runs an operation as user code inside a call would. */
  act() {
    if (this.#depth >= MOST_DEPTH || this.subjects.length === 0) return
    const subject = this.random.pick(this.subjects)
    const names = subject.operations.filter((name) => !subject.later.includes(name))
    if (names.length > 0) this.run(subject, this.random.pick(names))
  }

  /** Runs an operation, also within another one. */
  run(subject, name) {
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
      // An operation that runs before this one settles counts as running inside it.
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

  /** Runs `call` with one of its allocations failing. */
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

  /** Runs `call` while the replaced parts of the language act, throw and lie. */
  #whileHooked(call) {
    this.note('(replaced functions act)')
    const use = (name, original, isGetter, caller) => {
      // What a script has replaced could throw while framepool is half done.
      if (!this.#deceived && OWN_CODE.test(caller)) this.find(`framepool calls a replaced ${name} ${caller.trim()}`)
      this.interfere()
      const value = isGetter && this.random.oneIn(4) ? this.random.pick([0, 1, 2 ** 31, undefined, true]) : original()
      // This replacement claims a transfer that it did not make.
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

  /** Adopts a ticket. If memory runs out, the ticket stays valid, so tries again. */
  adopt(ticket) {
    const { adopt } = this.framepool
    try {
      return adopt(ticket)
    } catch (error) {
      this.judge(error, 'adopt')
      return withoutHook(() => adopt(ticket))
    }
  }

  /** Returns options that may run code when they are read. */
  options(values) {
    if (this.random.below(4) > 0) return values
    return new Proxy(values, {
      get: (_, name) => {
        this.interfere()
        return values[name]
      },
    })
  }

  /** Runs an operation or throws, in place of a getter that should only return a value. */
  interfere() {
    const { random } = this
    if (random.oneIn(2)) withoutHook(() => this.act())
    if (random.oneIn(12)) throw random.pick(THROWN)()
  }

  /** Records a finding unless the error is documented or hostile code threw it. */
  judge(error, label) {
    if (error instanceof Hostility || error === null || typeof error !== 'object') return
    const { code } = error
    if (documented.has(code) && (code !== 'ERR_NO_MEMORY' || this.#failing)) return
    // The language itself threw, because a script gave it wrong values.
    if (this.#interfered && !(error instanceof Finding) && code === undefined) return
    this.find(`${label}: ${code ?? error.name}: ${error.message}`, error)
  }

  find(what, error = new Finding(what)) {
    if (this.findings.has(what)) return
    this.findings.set(what, error.stack)
    this.note(`FOUND ${what}`)
  }

  // ── Interference with shown memory ─────────────────────────────────────────────────────────────────────────────────

  /** Hides a real property of the view or its ArrayBuffer. `show` shows the memory under the view again. */
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

  /** Moves the memory under a view to an ArrayBuffer that framepool does not know. */
  take(view) {
    const { random } = this
    const buffer = bufferOf(view)
    // Shared memory stays where it is.
    if (buffer instanceof SharedArrayBuffer) return
    const taken = (value) => {
      // Some ways copy the memory or return no bytes.
      if (value instanceof ArrayBuffer) this.see(new Uint8Array(value))
      else if (value) this.see(value)
    }
    // Some ways copy memory that cannot be detached, which is slow for large buffers.
    const way = sizeOf(buffer) > LARGE ? random.pick(canTransfer ? [0, 1, 2, 5] : [5]) : random.below(6)
    try {
      switch (way) {
        case 0:
          return taken(transfer(buffer, 'transfer'))
        case 1:
          return taken(transfer(buffer, 'transferToFixedLength'))
        case 2:
          // Another length makes a copy, and detaches the original at once.
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
      // The runtime may refuse detached, empty or external memory.
      if (!(error instanceof TypeError || error instanceof DOMException || error instanceof RangeError)) throw error
    }
  }

  /** Marks the ArrayBuffer as untransferable. Returns false if it cannot be marked. */
  mark(view) {
    if (!CAN_MARK || lengthOf(view) === 0) return false
    markAsUntransferable(bufferOf(view))
    return true
  }
}

/** Buffers above this many bytes are not copied. */
const LARGE = 2 ** 20
const FAILING_FROM = [256, 512, 2048, 2 ** 14]

// Node 20 has no `transfer()`.
const canTransfer = ArrayBuffer.prototype.transfer !== undefined

function transfer(buffer, method, ...args) {
  const { [method]: call } = ArrayBuffer.prototype
  return call ? Reflect.apply(call, buffer, args) : structuredClone(buffer, { transfer: [buffer] })
}
