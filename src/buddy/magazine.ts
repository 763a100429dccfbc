/** What a magazine keeps: something of one of a few capacities. */
export interface Kept {
  /** Which of the capacities. */
  readonly kind: number
}

/** At most this many of a kind, and this many bytes of it. What is larger is not kept. */
const MAX_BUFFERS = 64
const MAX_BYTES = 4 * 2 ** 20

/**
 * Recently released buffers, by kind, still acquired: acquiring one again is a matter of an array operation. Of each kind
 * at most 64 and at most 4 MiB.
 */
export class Magazine<T extends Kept> {
  readonly #stacks: T[][]
  readonly #limits: number[]
  readonly #capacities: readonly number[]

  /** Of each kind, the bytes of one. */
  constructor(capacities: readonly number[]) {
    this.#capacities = capacities
    this.#stacks = capacities.map(() => [])
    this.#limits = capacities.map((bytes) => Math.min(MAX_BUFFERS, Math.floor(MAX_BYTES / bytes)))
  }

  /** The one of that kind that was kept last. */
  take(kind: number): T | undefined {
    return this.#stacks[kind]!.pop()
  }

  /** False when there is no room for it. */
  keep(item: T): boolean {
    const { kind } = item
    const stack = this.#stacks[kind]!
    if (stack.length >= this.#limits[kind]!) return false
    stack.push(item)
    return true
  }

  /** Takes everything out. */
  empty(): T[] {
    return this.#stacks.flatMap((stack) => stack.splice(0))
  }

  stats(): { buffers: number; bytes: number } {
    let buffers = 0
    let bytes = 0
    this.#stacks.forEach((stack, kind) => {
      buffers += stack.length
      bytes += stack.length * this.#capacities[kind]!
    })
    return { buffers, bytes }
  }
}
