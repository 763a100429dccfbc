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
import type {
  ArrivedAllocation,
  ArrivedBuddyBuffer,
  ArrivedMovable,
  ArrivedSlice,
  Carrier,
} from '../native/transfer.js'
import { borrowedMemory } from '../slice/borrowed-memory.js'
import { heapMemory } from '../slice/heap-memory.js'
import { checkSlice, departSlice, isSlice, makeSlice, type Slice } from '../slice/slice.js'
import { invalidArgType } from '../support/errors.js'

/** Bytes with one owner, which can move to another isolate. */
export type Movable = Slice | BuddyBuffer | BudgetAllocation

/** Returns `value` as something movable, or throws the documented error. */
export function movableArgument<T extends Movable>(value: T, name: string): T {
  if (typeof value === 'object' && value !== null && (isSlice(value) || isBuddyBuffer(value) || isAllocation(value))) {
    return value
  }
  throw invalidArgType(`${name} must be a Slice, a BuddyBuffer or a BudgetAllocation`)
}

/** Throws `ERR_RELEASED` if `item` was released. */
export function checkMovable(item: Movable): void {
  if (isSlice(item)) checkSlice(item)
  else if (isBuddyBuffer(item)) checkBuddyBuffer(item)
  else checkAllocation(item)
}

/** Sends `item` out of this isolate by `carrier`. If that throws, the item stays. */
export function departMovable(item: Movable, carrier: Carrier): void {
  if (isSlice(item)) departSlice(item, carrier)
  else if (isBuddyBuffer(item)) departBuddyBuffer(item, carrier)
  else departAllocation(item, carrier)
}

/** Makes the object that has arrived in this isolate. */
export function arrivedMovable(arrived: ArrivedMovable): Movable {
  switch (arrived.kind) {
    case 'slice':
      return sliceOf(arrived)
    case 'allocation':
      return allocationOf(arrived)
    case 'buddy-buffer':
      return buddyBufferOf(arrived)
  }
}

function sliceOf({ handle, region, onHeap, slot, offset, length }: ArrivedSlice): Slice {
  const { index, generation } = handle
  const memory = onHeap ? heapMemory({ index, generation }) : borrowedMemory(region, slot, handle)
  return makeSlice(memory, offset, length, slot)
}

function allocationOf({ handle, bytes, bufferSize }: ArrivedAllocation): BudgetAllocation {
  return makeAllocation(handle, bytes / bufferSize, bufferSize)
}

function buddyBufferOf({ pool, grant, length }: ArrivedBuddyBuffer): BuddyBuffer {
  const { memory, lease } = arrivedBuddyLease(pool, grant)
  return makeBuddyBuffer(memory, lease, length)
}
