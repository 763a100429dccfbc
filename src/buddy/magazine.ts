/** Something that a magazine keeps. */
export interface Kept {
  /** Index of its capacity. */
  readonly kind: number
}

/** The most buffers of one kind. */
const MAX_BUFFERS = 64
/** The most bytes of one kind. Larger buffers are not kept at all. */
const MAX_BYTES = 4 * 2 ** 20

/**
 * Recently released buffers, by kind. Native code does not know that they were released, so that acquiring one again takes an array
 * operation. It keeps at most 64 buffers and 4 MiB of each kind.
 */
export class Magazine<T extends Kept> {
  readonly #stacks: T[][]
  readonly #limits: number[]
  readonly #capacities: readonly number[]

  /** `capacities` are the bytes of one buffer of each kind. */
  constructor(capacities: readonly number[]) {
    this.#capacities = capacities
    this.#stacks = capacities.map(() => [])
    this.#limits = capacities.map((bytes) => Math.min(MAX_BUFFERS, Math.floor(MAX_BYTES / bytes)))
  }

  /** Takes out the buffer of a kind that was kept last. */
  take(kind: number): T | undefined {
    return this.#stacks[kind]!.pop()
  }

  /** Keeps `item`. Returns false if there is no room for it. */
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

  /** Returns the number of buffers that are kept, and their bytes. */
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
