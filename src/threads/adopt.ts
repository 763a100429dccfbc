import { arrivedBuddyPool } from '../buddy/buddy-pool.js'
import { arrivedBudgetPool } from '../budget/budget-pool.js'
import { arrivedMemoryBudget } from '../memory/memory-budget.js'
import { type Arrived, adoptTicket } from '../native/travel.js'
import { makeConsumer } from '../ring/consumer.js'
import { HalfCore } from '../ring/half.js'
import { makeProducer } from '../ring/producer.js'
import { objectArgument } from '../support/arguments.js'
import { FramePoolError } from '../support/errors.js'
import type { Ticket } from '../support/ticket.js'
import { arrivedMovable } from './movable.js'
import { makeReceiver } from './slice-receiver.js'
import { makeSender } from './slice-sender.js'

/**
 * Returns the object that a ticket stands for. From here on it is this isolate's.
 *
 * Throws `ERR_TICKET` if the ticket was used before, was revoked (its sender has ended, or its pool was closed), is malformed, or comes
 * from another process. Throws `ERR_INVALID_ARG_TYPE` unless `ticket` is an object, and `ERR_NO_MEMORY` when the system has no memory: the
 * ticket can then be adopted later.
 */
export function adopt<T>(ticket: Ticket<T>): T {
  const text: unknown = objectArgument(ticket, 'ticket').framepool
  if (typeof text !== 'string') throw new FramePoolError('ERR_TICKET', 'no ticket: it has no text')
  return objectOf(adoptTicket(text)) as T
}

function objectOf(arrived: Arrived): unknown {
  switch (arrived.kind) {
    case 'producer':
      return makeProducer(HalfCore.arrived(arrived))
    case 'consumer':
      return makeConsumer(HalfCore.arrived(arrived))
    case 'budget-pool':
      return arrivedBudgetPool(arrived.handle, arrived.bufferSize, arrived.maxMemory)
    case 'memory-budget':
      return arrivedMemoryBudget(arrived.handle, arrived.maxMemory)
    case 'buddy-pool':
      return arrivedBuddyPool(arrived.handle)
    case 'slice-sender':
      return makeSender(arrived.handle)
    case 'slice-receiver':
      return makeReceiver(arrived.handle)
    default:
      return arrivedMovable(arrived)
  }
}
