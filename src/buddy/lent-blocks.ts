import { types } from 'node:util'
import { ShownMemory } from '../native/shown-memory.js'
import { bufferOf, lengthOf, offsetOf } from '../support/arguments.js'
import { FramePoolError, invalidArgType, invalidArgValue } from '../support/errors.js'
import { BLOCK_SIZE } from './sizes.js'

/** Memory of a block that a {@link BlockBackend} gives: all of a buffer, or the part of one that a Uint8Array shows. */
export type BlockMemory = ArrayBuffer | SharedArrayBuffer | Uint8Array

/**
 * Memory of your own for the blocks of a buddy pool. framepool calls both methods on the thread of the pool, from within a call of the
 * pool, and never reads or writes the memory itself.
 */
export interface BlockBackend {
  /**
   * Returns a block of `bytes` bytes: 64 MiB, aligned to 16 bytes, of a fixed length, not detached, and in no other pool. `tryAllocate()`,
   * `allocateSync()` and `allocate()` of the pool call it when they need a block. They throw, or reject with, its error, and
   * `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE` for anything else than such a block; it stays yours then.
   */
  allocate(bytes: number): BlockMemory
  /**
   * Takes a block back, once: when the pool is closed and nothing of it is in use, or at once if the pool does not need the block any more
   * when `allocate()` returns. The call throws the error that this throws, or `close()` rejects with it; the other blocks are given back all
   * the same.
   */
  release(block: BlockMemory): void
}

/** The intrinsic getters of buffers: a script may have given one others. A getter is missing where Node has no such buffers. */
const [lengthOfPlain, isResizable] = gettersOf(ArrayBuffer.prototype, 'resizable')
const [lengthOfShared, isGrowable] = gettersOf(SharedArrayBuffer.prototype, 'growable')

type Getter<T> = (this: unknown) => T

function gettersOf(prototype: object, flag: string): [Getter<number>, Getter<boolean> | undefined] {
  const getter = (name: string): unknown => Object.getOwnPropertyDescriptor(prototype, name)?.get
  return [getter('byteLength') as Getter<number>, getter(flag) as Getter<boolean> | undefined]
}

/** The blocks of a pool whose memory a script lends. */
export class LentBlocks {
  readonly #backend: BlockBackend
  readonly #allocate: BlockBackend['allocate']
  readonly #release: BlockBackend['release']
  readonly #blocks: BlockMemory[] = []
  /** Whether `allocate()` of the backend is running. */
  #asking = false

  /** `backend` is the object that the methods are called on. */
  constructor(backend: BlockBackend, allocate: BlockBackend['allocate'], release: BlockBackend['release']) {
    this.#backend = backend
    this.#allocate = allocate
    this.#release = release
  }

  /**
   * Asks the backend for a block. `lend` grows the pool by its bytes, and returns false if the pool needs none: the backend may have used
   * the pool, or closed it. If this throws, nothing has changed.
   */
  grow(lend: (bytes: Uint8Array) => boolean): void {
    if (this.#asking) throw new FramePoolError('ERR_BUSY', "the pool is in the middle of its backend's allocate()")
    let block: BlockMemory
    this.#asking = true
    try {
      block = this.#allocate.call(this.#backend, BLOCK_SIZE)
    } finally {
      this.#asking = false
    }
    const bytes = bytesOfBlock(block)
    // Before anything else is looked at: what cannot be a block is never released, also if the pool was closed meanwhile.
    const length = lengthOf(bytes)
    if (length !== BLOCK_SIZE) throw invalidArgValue(`a block has ${BLOCK_SIZE} bytes, not ${length}`)
    let lent = false
    try {
      lent = lend(bytes)
    } catch (error) {
      // Memory that cannot be a block stays the backend's.
      if ((error as { code?: unknown }).code !== 'ERR_INVALID_ARG_VALUE') this.#release.call(this.#backend, block)
      throw error
    }
    if (lent) this.#blocks.push(block)
    else this.#release.call(this.#backend, block)
  }

  /** Returns the memory of a block, and where the block begins in it. */
  show(index: number): { memory: ShownMemory; start: number } {
    const block = this.#blocks[index]!
    const whole = types.isUint8Array(block) ? bufferOf(block) : block
    const memory = new ShownMemory(() => {
      if (byteLengthOf(whole) > 0) return whole as ArrayBuffer
      throw new FramePoolError('ERR_INVALID_STATE', 'the memory of the block was detached')
    })
    return { memory, start: whole === block ? 0 : offsetOf(block as Uint8Array) }
  }

  /** Gives all blocks back. Throws the first error of the backend, after the last block. */
  giveBack(): void {
    const errors: unknown[] = []
    for (const block of this.#blocks.splice(0)) {
      try {
        this.#release.call(this.#backend, block)
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
  }
}

function byteLengthOf(buffer: ArrayBufferLike): number {
  return types.isSharedArrayBuffer(buffer) ? lengthOfShared.call(buffer) : lengthOfPlain.call(buffer)
}

/** Returns the bytes of what a backend gave. Native code checks their number and their place. */
function bytesOfBlock(block: unknown): Uint8Array {
  if (!types.isUint8Array(block) && !types.isAnyArrayBuffer(block)) {
    throw invalidArgType('allocate() of a backend must return an ArrayBuffer, a SharedArrayBuffer or a Uint8Array')
  }
  const whole = types.isUint8Array(block) ? bufferOf(block) : block
  const changes = types.isSharedArrayBuffer(whole) ? isGrowable : isResizable
  if (changes?.call(whole) === true) throw invalidArgValue('a block must have a fixed length')
  if (types.isUint8Array(block)) return block
  return byteLengthOf(whole) === 0 ? new Uint8Array(0) : new Uint8Array(whole as ArrayBuffer)
}
