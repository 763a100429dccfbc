import { arrivedBuddyPool } from '../buddy/buddy-pool.js'
import { arrivedBudgetPool } from '../budget/budget-pool.js'
import { reply, replyHandle, replyWide } from '../native/call.js'
import { adoptTicket, replyPool } from '../native/transfer.js'
import { Kind, Word } from '../native/words.js'
import { Consumer } from '../ring/consumer.js'
import { HalfCore } from '../ring/half.js'
import { Producer } from '../ring/producer.js'
import { ringKey } from '../ring/source.js'
import { objectArgument } from '../support/arguments.js'
import { FramePoolError } from '../support/errors.js'
import { arrivedMovable } from './movable.js'
import { channelKey, SliceReceiver } from './slice-receiver.js'
import { SliceSender } from './slice-sender.js'
import type { Ticket } from './ticket.js'

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
function arrived(): unknown {
  const kind: Kind = reply(Word.Kind)
  switch (kind) {
    case Kind.Producer:
      return new Producer(ringKey, HalfCore.arrived(kind))
    case Kind.Consumer:
      return new Consumer(ringKey, HalfCore.arrived(kind))
    case Kind.BudgetPool:
      return arrivedBudgetPool(replyHandle(), reply(Word.Size), replyWide())
    case Kind.BuddyPool:
      return arrivedBuddyPool(replyPool())
    case Kind.Sender:
      return new SliceSender(channelKey, replyHandle())
    case Kind.Receiver:
      return new SliceReceiver(channelKey, replyHandle())
    default:
      return arrivedMovable()
  }
}
