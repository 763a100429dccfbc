import {
  type BuddyBuffer,
  checkBuddyBuffer,
  departBuddyBuffer,
  isBuddyBuffer,
  makeBuddyBuffer,
} from '../buddy/buddy-buffer.js'
import { arrivedBuddyLease } from '../buddy/buddy-memories.js'
import {
  type BudgetAllocation,
  checkAllocation,
  departAllocation,
  isAllocation,
  makeAllocation,
} from '../budget/budget-allocation.js'
import {
  checkFramedBatch,
  departFramedBatch,
  type FramedBatch,
  isFramedBatch,
  makeFramedBatch,
} from '../framing/framed-batch.js'
import type { ArrivedAllocation, ArrivedBuddyBuffer, ArrivedMovable, ArrivedSlice, Carrier } from '../native/travel.js'
import { departTagged } from '../native/travel.js'
import { borrowedMemory } from '../slice/borrowed-memory.js'
import { heapMemory } from '../slice/heap-memory.js'
import { checkSlice, departSlice, isSlice, makeSlice, type Slice } from '../slice/slice.js'
import type { SliceMemory } from '../slice/slice-memory.js'
import { invalidArgType } from '../support/errors.js'

/** Bytes with one owner, which can move to another isolate. */
export type Movable = Slice | BuddyBuffer | BudgetAllocation | FramedBatch

/** Returns `value` as something movable, or throws the documented error. */
export function movableArgument<T extends Movable>(value: T, name: string): T {
  // Most objects are slices. What they need is kept short, and all else apart, so that V8 can inline it into its callers.
  if (typeof value !== 'object' || value === null || !(isSlice(value) || isOtherMovable(value))) refuse(name)
  return value
}

function isOtherMovable(value: object): boolean {
  return isFramedBatch(value) || isBuddyBuffer(value) || isAllocation(value)
}

function refuse(name: string): never {
  throw invalidArgType(`${name} must be a Slice, a BuddyBuffer, a BudgetAllocation or a FramedBatch`)
}

/** Throws `ERR_RELEASED` if `item` was released. */
export function checkMovable(item: Movable): void {
  if (isSlice(item)) checkSlice(item)
  else if (isFramedBatch(item)) checkFramedBatch(item)
  else if (isBuddyBuffer(item)) checkBuddyBuffer(item)
  else checkAllocation(item)
}

/** Sends `item` out of this isolate by `carrier`. If that throws, the item stays. */
export function departMovable(item: Movable, carrier: Carrier): void {
  if (isSlice(item)) departSlice(item, carrier)
  else departOther(item, carrier)
}

function departOther(item: Exclude<Movable, Slice>, carrier: Carrier): void {
  if (isFramedBatch(item)) departFramedBatch(item, carrier)
  else if (isBuddyBuffer(item)) departBuddyBuffer(item, carrier)
  else departAllocation(item, carrier)
}

/** Sends `item` out of this isolate by `carrier`, with a number that the object has as its `tag` when it arrives. */
export function departMovableTagged(item: Movable, tag: number, carrier: Carrier): void {
  if (isFramedBatch(item)) {
    const before = item.tag
    item.tag = tag
    try {
      departFramedBatch(item, carrier)
    } catch (error) {
      item.tag = before
      throw error
    }
  } else {
    departTagged(tag, () => departMovable(item, carrier))
  }
}

/**
 * Makes the object that has arrived in this isolate. All of the record is read first: code of the user that runs in between may receive the
 * next object into it.
 */
export function arrivedMovable(arrived: ArrivedMovable): Movable {
  // This is kept short for slices, too.
  if (arrived.kind !== 'slice' || arrived.batch !== null || arrived.tag !== undefined) return arrivedOther(arrived)
  const { offset, length, slot } = arrived
  return makeSlice(memoryOf(arrived), offset, length, slot, null)
}

function arrivedOther(arrived: ArrivedMovable): Movable {
  const { tag } = arrived
  const item = objectOf(arrived)
  if (tag !== undefined && !isFramedBatch(item)) item.tag = tag
  return item
}

function objectOf(arrived: ArrivedMovable): Movable {
  switch (arrived.kind) {
    case 'slice':
      return sliceOf(arrived)
    case 'allocation':
      return allocationOf(arrived)
    case 'buddy-buffer':
      return buddyBufferOf(arrived)
  }
}

function sliceOf(arrived: ArrivedSlice): Slice | FramedBatch {
  const { slot, offset, length, batch, tag } = arrived
  const memory = memoryOf(arrived)
  if (batch !== null) return makeFramedBatch({ memory, slot, offset }, batch, false, tag)
  return makeSlice(memory, offset, length, slot, null)
}

function memoryOf({ handle, region, onHeap, slot }: ArrivedSlice): SliceMemory {
  return onHeap ? heapMemory({ ...handle }) : borrowedMemory(region, slot, handle)
}

function allocationOf({ handle, bytes, bufferSize }: ArrivedAllocation): BudgetAllocation {
  return makeAllocation(handle, bytes / bufferSize, bufferSize)
}

function buddyBufferOf({ pool, grant, length }: ArrivedBuddyBuffer): BuddyBuffer {
  const { memory, lease } = arrivedBuddyLease(pool, { ...grant })
  return makeBuddyBuffer(memory, lease, length)
}
