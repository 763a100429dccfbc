import { BuddyBuffer, buddyKey, checkBuddyBuffer, departBuddyBuffer, isBuddyBuffer } from '../buddy/buddy-buffer.js'
import { arrivedBuddyLease } from '../buddy/buddy-memories.js'
import {
  allocationKey,
  BudgetAllocation,
  checkAllocation,
  departAllocation,
  isAllocation,
} from '../budget/budget-allocation.js'
import { type BuddyGrant, readBuddyGrant } from '../native/buddy.js'
import { reply, replyHandle } from '../native/call.js'
import { replyHeapHandle } from '../native/heap.js'
import { type Carrier, replyPool, replyRegion } from '../native/transfer.js'
import { Kind, Word } from '../native/words.js'
import { borrowedMemory } from '../slice/borrowed-memory.js'
import { heapMemory } from '../slice/heap-memory.js'
import { checkSlice, departSlice, isSlice, Slice, sliceKey } from '../slice/slice.js'
import { invalidArgType } from '../support/errors.js'

/** Bytes with one owner, that can become another isolate's. */
export type Movable = Slice | BuddyBuffer | BudgetAllocation

/** `value` as something movable, or the documented error. */
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

/** `item` leaves this isolate by `carrier`. If that throws, it has not. */
export function departMovable(item: Movable, carrier: Carrier): void {
  if (isSlice(item)) departSlice(item, carrier)
  else if (isBuddyBuffer(item)) departBuddyBuffer(item, carrier)
  else departAllocation(item, carrier)
}

/** What the last call has taken into this isolate. */
export function arrivedMovable(): Movable {
  const kind: Kind = reply(Word.Kind)
  if (kind === Kind.Slice) return arrivedSlice()
  if (kind === Kind.Allocation) return arrivedAllocation()
  const length = reply(Word.Size)
  const grant: BuddyGrant = { index: 0, generation: 0, block: 0, offset: 0, capacity: 0 }
  readBuddyGrant(grant)
  const { memory, lease } = arrivedBuddyLease(replyPool(), grant)
  return new BuddyBuffer(buddyKey, memory, lease, length)
}

function arrivedSlice(): Slice {
  const slot = reply(Word.Slot)
  const offset = reply(Word.Offset)
  const length = reply(Word.Length)
  const slice = replyHeapHandle()
  const memory = reply(Word.Own) === 1 ? heapMemory(slice) : borrowedMemory(replyRegion(), slot, slice)
  return new Slice(sliceKey, memory, offset, length, slot)
}

function arrivedAllocation(): BudgetAllocation {
  const handle = replyHandle()
  const size = reply(Word.Size)
  return new BudgetAllocation(allocationKey, handle, reply(Word.Length) / size, size)
}
