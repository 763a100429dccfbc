import { describe, expect, it } from 'vitest'
import { adopt, type FramePoolError, type Slice, SlotPool, type SlotPoolStats } from '../../index.js'
import { DEBUG } from '../support/debug-mode.js'
import { detachByStream } from '../support/detach.js'
import { Random } from '../support/random.js'

const PROGRAMS = 5000

/** One call on a pool. `part` is a fraction of the available bytes or slices, which depend on the calls before. */
type Step =
  | { readonly op: 'getWritable' | 'write' | 'extendFromSlice'; readonly length: number }
  | { readonly op: 'writeOwn' | 'truncate' | 'dangerSetStart' | 'release' | 'move'; readonly part: number }
  | { readonly op: 'getDataOwned' | 'detach' }

interface Program {
  readonly capacity: number
  /** Most bytes of its messages on the heap. Calls that need more are refused. */
  readonly heapLimit: number | undefined
  readonly steps: readonly Step[]
}

function randomProgram(random: Random): Program {
  const pick = <T>(...items: T[]): T => items[random.below(items.length)]!
  const capacity = pick(0, 1, 7, 8, 40, 64, 100, 1000)
  // Some programs run out of slots first, others of bytes. Some have messages that never fit.
  const longest = Math.ceil((capacity + 4) * pick(0.1, 0.2, 0.5, 1.2))
  const steps = Array.from({ length: 10 + random.below(60) }, (): Step => {
    const length = random.below(longest + 1)
    const part = random.below(1000) / 1000
    const roll = random.below(100)
    if (roll < 20) return { op: 'getWritable', length }
    if (roll < 27) return { op: 'write', length }
    if (roll < 30) return { op: 'extendFromSlice', length }
    if (roll < 31) return { op: 'writeOwn', part }
    if (roll < 35) return { op: 'truncate', part: pick(0, part) }
    if (roll < 38) return { op: 'dangerSetStart', part }
    if (roll < 40) return { op: 'detach' }
    if (roll < 42) return { op: 'move', part }
    return roll < 70 ? { op: 'getDataOwned' } : { op: 'release', part }
  })
  return { capacity, heapLimit: pick(undefined, undefined, 1, longest, 3 * longest), steps }
}

/** A slice and its expected bytes. */
interface Held {
  readonly slice: Slice
  /** True if the slice has left the pool and come back as if from another isolate. */
  readonly moved: boolean
  readonly bytes: Uint8Array
}

/** A pool and its expected contents. */
class Run {
  /** Where each call put its bytes, for comparison of runs. */
  readonly places: string[] = []
  readonly #pool: SlotPool
  readonly #capacity: number
  readonly #limited: boolean
  readonly #alive: Held[] = []
  #lastReleased: Slice | null = null
  #pending: number[] = []
  #hidden = 0
  #closed = false
  #left = false
  /** True until the current message has asked for a byte. */
  #fresh = true
  /** True if the last step began a message in an empty pool with room for it. */
  #beganAnew = false
  #nextByte = 0

  constructor({ capacity, heapLimit }: Program) {
    this.#capacity = capacity
    this.#limited = heapLimit !== undefined
    this.#pool = new SlotPool(capacity, heapLimit === undefined ? {} : { heapLimit })
  }

  /** Runs one step, then checks every byte that is held. The checks report nothing to the pool. */
  do(step: Step): void {
    const pool = this.#pool
    this.#beganAnew = false
    switch (step.op) {
      case 'getWritable': {
        const { length } = step
        // The pool may learn late that a slice which left it was released.
        const empty = this.#inSlots().length === 0 && !this.#left
        const fits = length > 0 && length <= this.#capacity
        this.#append(this.#newBytes(length), (bytes) => {
          const view = pool.getWritable(length)
          this.#beganAnew = this.#fresh && empty && fits
          must(view.length === length, 'the view is as long as asked')
          must(!this.#beganAnew || view.byteOffset === 0, 'with nothing alive the pool begins at 0')
          view.set(bytes)
          if (length > 0) this.places.push(`view ${view.byteOffset}`)
        })
        break
      }
      case 'write':
        this.#append(this.#newBytes(step.length), (bytes) => {
          must(pool.write(bytes) === step.length, 'all of it is written')
        })
        break
      case 'extendFromSlice':
        this.#append(this.#newBytes(step.length), (bytes) => {
          pool.extendFromSlice(bytes)
        })
        break
      case 'writeOwn': {
        const count = share(step.part, this.#pending.length)
        this.#append(Uint8Array.from(this.#pending.slice(0, count)), () => {
          pool.writeAll(pool.getDataByRef(count))
        })
        break
      }
      case 'truncate': {
        const kept = share(step.part, this.#pending.length - this.#hidden)
        pool.truncate(kept)
        this.#pending.length = this.#hidden + kept
        break
      }
      case 'dangerSetStart':
        this.#hidden = share(step.part, this.#pending.length)
        pool.dangerSetStart(this.#hidden)
        break
      case 'detach':
        if (this.#pending.length > 0) detachByStream(pool.getDataByRef(1))
        break
      case 'getDataOwned': {
        const slice = pool.getDataOwned()
        this.#alive.push({ slice, moved: false, bytes: Uint8Array.from(this.#pending) })
        this.places.push(`slot ${slice.slot} at ${slice.bytes.byteOffset}, ${slice.length}`)
        this.#pending = []
        this.#hidden = 0
        this.#fresh = true
        break
      }
      case 'move': {
        const [held] = this.#inSlots().splice(share(step.part, this.#inSlots().length - 1), 1)
        if (held === undefined) break
        this.#left = true
        const moved = { slice: adopt(held.slice.move()), moved: true, bytes: held.bytes }
        this.#alive.splice(this.#alive.indexOf(held), 1, moved)
        break
      }
      case 'release':
        this.#release(step.part)
    }
    this.#checkSlices()
    must(pool.length === this.#pending.length, 'the length of what is written')
    must(same(pool.getDataByRef(pool.length), this.#pending), 'what is written')
    must(same(pool.bytes, this.#pending.slice(this.#hidden)), 'what is written and not hidden')
  }

  /** Checks the reports of the pool against the model. Asking reports all predicted slices to the pool. */
  report(): SlotPoolStats & { line: string } {
    this.#checkDroppable()
    const stats = this.#pool.stats()
    const line = this.#pool.toString()
    const taken = this.#inSlots().map(({ slice }) => slice.slot)
    const shown = [...stats.slots]
      .map((digit, index) => (digit === '-' ? null : index + 1))
      .filter((slot) => slot !== null)
    must(shown.join() === taken.join(), 'the slots shown are those taken')
    must(stats.liveSlices === this.#counted(), 'live slices')
    must(line === `${stats.slots}  ${stats.mode.toUpperCase()} MODE`, 'the line shows the stats')
    must(!this.#beganAnew || stats.mode === 'back', 'with nothing alive the pool begins in back mode')
    return { ...stats, line }
  }

  /** Closes the pool, then releases the live slices. Each stays readable until its release. */
  close(random: Random): void {
    const stayed = this.#inSlots().filter(({ moved }) => !moved)
    const views = stayed.map(({ slice }) => slice.bytes)
    this.#pool.close()
    this.#closed = true
    while (this.#alive.length > 0) {
      this.#checkSlices()
      this.#checkDroppable()
      this.#release(random.below(1000) / 1000)
    }
    must(this.#pool.isDroppable, 'nothing is alive')
    const unreachable = views.every((view) => view.length === 0)
    must(unreachable, 'views of the memory are detached')
  }

  #newBytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#nextByte++)
  }

  /** Has `call` append bytes. If the heap's limit refuses them, nothing may have changed. */
  #append(bytes: Uint8Array, call: (bytes: Uint8Array) => void): void {
    try {
      call(bytes)
    } catch (error) {
      if (!this.#limited || (error as FramePoolError).code !== 'ERR_MEMORY_LIMIT') throw error
      this.places.push('refused')
      return
    }
    this.#pending.push(...bytes)
    this.#fresh &&= bytes.length === 0
  }

  /** Returns the slices in the pool's memory, by slot. */
  #inSlots(): Held[] {
    return this.#alive.filter(({ slice }) => slice.slot !== null).sort((a, b) => a.slice.slot! - b.slice.slot!)
  }

  #release(part: number): void {
    const [held] = this.#alive.splice(share(part, this.#alive.length - 1), 1)
    if (held === undefined) return
    must(held.slice.release(), 'it was alive')
    this.#lastReleased = held.slice
  }

  /** Counts the slices of the pool. Moved slices leave a pool that is closed or in debug mode. */
  #counted(): number {
    const all = this.#alive
    return this.#closed || DEBUG ? all.filter(({ moved }) => !moved).length : all.length
  }

  #checkDroppable(): void {
    must(this.#pool.isDroppable === (this.#counted() === 0), 'droppable when nothing is alive')
  }

  #checkSlices(): void {
    for (const { slice, bytes } of this.#alive) must(same(slice.bytes, bytes), 'a live slice keeps its bytes')
    let [slot, end] = [0, 0]
    for (const { slice } of this.#inSlots()) {
      // In debug mode the slice has its own memory.
      const offset = DEBUG ? end : slice.bytes.byteOffset
      must(slice.slot! > slot && offset >= end, 'slots and their bytes lie apart and in order')
      slot = slice.slot!
      end = offset + slice.length
    }
    must(slot <= SlotPool.SLOTS && end <= this.#capacity, 'slots and their bytes lie within the pool')
    // Once a slice has left, this asks the pool, which reports all predicted slices to it.
    if (!this.#left) this.#checkDroppable()
    must(this.#lastReleased?.release() !== true, 'what was released stays released')
  }
}

function share(part: number, of: number): number {
  return Math.floor(part * (of + 1))
}

function same(actual: Uint8Array, expected: ArrayLike<number>): boolean {
  return actual.length === expected.length && actual.every((byte, index) => byte === expected[index])
}

/** Compares bytes. `expect` would be too slow for millions of comparisons. */
function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`violated: ${what}`)
}

describe('SlotPool under random programs', () => {
  const random = new Random()
  const programs = Array.from({ length: PROGRAMS }, () => randomProgram(random))

  it('keeps every byte that is held, and reports its true state', () => {
    const modes = { back: 0, front: 0, alloc: 0 }
    for (const program of programs) {
      const run = new Run(program)
      for (const step of program.steps) {
        run.do(step)
        if (random.below(4) === 0) modes[run.report().mode]++
      }
      run.close(random)
    }
    // The programs prove something only if they reach every mode.
    expect(Math.min(...Object.values(modes))).toBeGreaterThan(PROGRAMS / 20)
  })

  it('does the same with and without predictions', () => {
    for (const program of programs) {
      // A pool learns of returned slices when it is called, so steps that move a slice are left out.
      const steps = program.steps.filter(({ op }) => op !== 'move')
      const predicting = new Run(program)
      const asking = new Run(program)
      const glimpsing = new Run(program)
      const glimpse = random.below(steps.length)
      for (const [index, step] of steps.entries()) {
        predicting.do(step)
        asking.do(step)
        const report = asking.report()
        if (index <= glimpse) glimpsing.do(step)
        if (index === glimpse) expect(glimpsing.report()).toEqual(report)
      }
      expect(predicting.places).toEqual(asking.places)
      expect(predicting.report()).toEqual(asking.report())
      for (const run of [predicting, asking, glimpsing]) run.close(random)
    }
  })
})
