import type { BuddyPoolOptions, Ticket } from './api.js'
import { objectArgument } from './arguments.js'
import { adoptTicket, Kind, reply, replyHandle, replyHeapHandle, replyPool, replyWide, Word } from './boundary.js'
import { BuddyBuffer, buddyKey } from './buddy-buffer.js'
import { BuddyMemory } from './buddy-memory.js'
import { BuddyPool } from './buddy-pool.js'
import { allocationKey, BudgetAllocation, shownAllocation } from './budget-allocation.js'
import { BudgetPool, SharedBudget } from './budget-pool.js'
import { Consumer } from './consumer.js'
import { FramePoolError } from './errors.js'
import { ForeignMemory } from './foreign-memory.js'
import { arrivedOnHeap } from './heap-memory.js'
import { Producer } from './producer.js'
import { RingHalf } from './ring-half.js'
import { ringKey } from './ring-source.js'
import { Slice, sliceKey } from './slice.js'

/**
 * What a ticket stands for, which this isolate has from here on. Once: a ticket that was used or revoked (its sender has ended,
 * or its pool was closed), that is malformed, or that comes from another process, is `ERR_TICKET`.
 */
export function adopt<T>(ticket: Ticket<T>): T {
  const text: unknown = objectArgument(ticket, 'ticket').framepool
  if (typeof text !== 'string') throw new FramePoolError('ERR_TICKET', 'no ticket: it has no text')
  adoptTicket(text)
  return arrived() as T
}

/** The object that the last call has taken into this isolate. */
export function arrived(): unknown {
  const kind: Kind = reply(Word.Kind)
  switch (kind) {
    case Kind.Slice:
      return arrivedSlice()
    case Kind.Allocation:
      return arrivedAllocation()
    case Kind.BuddyBuffer: {
      const length = reply(Word.Size)
      const { memory, lease } = BuddyMemory.arrivedWith(replyPool())
      return new BuddyBuffer(buddyKey, memory, lease, length)
    }
    case Kind.Producer:
      return new Producer(ringKey, RingHalf.arrived(kind))
    case Kind.Consumer:
      return new Consumer(ringKey, RingHalf.arrived(kind))
    case Kind.BudgetPool:
      return new BudgetPool(new SharedBudget(replyHandle(), reply(Word.Size), replyWide()))
    case Kind.BuddyPool:
      return new BuddyPool(BuddyMemory.arrived(replyPool()) as BuddyPoolOptions)
  }
}

function arrivedSlice(): Slice {
  const [slot, offset, length] = [reply(Word.Slot), reply(Word.Offset), reply(Word.Length)]
  const handle = replyHeapHandle()
  const memory = reply(Word.Own) === 1 ? arrivedOnHeap(handle, taken()) : new ForeignMemory(handle)
  return new Slice(sliceKey, memory, offset, length, slot)
}

function arrivedAllocation(): BudgetAllocation {
  const [handle, size] = [replyHandle(), reply(Word.Size)]
  return new BudgetAllocation(allocationKey, handle, reply(Word.Length) / size, size, shownAllocation(handle, taken()))
}

/** The isolate that the object has left may still see its memory. */
function taken(): boolean {
  return reply(Word.Hidden) === 0
}
