/** Texts of framepool's objects in `console.log` and `util.inspect`. */
import { BuddyBuffer, checkBuddyBuffer } from './buddy/buddy-buffer.js'
import { BuddyPool, isBuddyPoolClosed } from './buddy/buddy-pool.js'
import { BudgetAllocation, checkAllocation } from './budget/budget-allocation.js'
import { BudgetPool, isBudgetPoolClosed } from './budget/budget-pool.js'
import { FrameReader, isReaderClosed } from './framing/frame-reader.js'
import { FrameWriter, isWriterClosed, pendingOf } from './framing/frame-writer.js'
import { checkFramedBatch, FramedBatch } from './framing/framed-batch.js'
import { MemoryBudget } from './memory/memory-budget.js'
import { isReservationReleased, Reservation } from './memory/reservation.js'
import { ByteRing, isRingApart } from './ring/byte-ring.js'
import { Consumer } from './ring/consumer.js'
import { Producer } from './ring/producer.js'
import { checkSlice, Slice } from './slice/slice.js'
import { SlotPool } from './slot/slot-pool.js'
import { SystemMemoryBuffer } from './slot/system-memory-buffer.js'
import { inspectable, shownIf } from './support/inspectable.js'
import { checkReceiver, SliceReceiver } from './threads/slice-receiver.js'
import { checkSender, SliceSender } from './threads/slice-sender.js'

const [RELEASED, CLOSED] = ['released', 'closed']

inspectable(Slice, (slice) =>
  shownIf(
    () => checkSlice(slice),
    `${RELEASED}, length: ${slice.length}`,
    () => ({ length: slice.length, slot: slice.slot, ...(slice.tag === undefined ? {} : { tag: slice.tag }) }),
  ),
)
inspectable(BudgetAllocation, (allocation) =>
  shownIf(
    () => checkAllocation(allocation),
    `${RELEASED}, length: ${allocation.length}`,
    () => ({ length: allocation.length, allocatedBytes: allocation.allocatedBytes }),
  ),
)
inspectable(BuddyBuffer, (buffer) =>
  shownIf(
    () => checkBuddyBuffer(buffer),
    `${RELEASED}, length: ${buffer.length}`,
    () => ({ length: buffer.length, capacity: buffer.capacity }),
  ),
)
inspectable(FramedBatch, (batch) =>
  shownIf(
    () => checkFramedBatch(batch),
    `${RELEASED}, length: ${batch.length}`,
    () => ({ length: batch.length, tag: batch.tag }),
  ),
)
inspectable(SlotPool, (pool) => {
  const { capacity } = pool
  return shownIf(
    () => pool.mode,
    `closed, capacity: ${capacity}`,
    () => {
      const { liveSlices, heapFallbacks } = pool.stats()
      return Object.assign([`${pool}`], { capacity, liveSlices, heapFallbacks, length: 1 })
    },
  )
})
inspectable(SystemMemoryBuffer, ({ length, isDroppable }) => ({ length, isDroppable }))
inspectable(BudgetPool, (pool) => {
  const { bufferSize, maxMemory } = pool
  const { liveAllocations, ...stats } = pool.stats()
  if (isBudgetPoolClosed(pool)) return `${CLOSED}, maxMemory: ${maxMemory}, liveAllocations: ${liveAllocations}`
  return { bufferSize, maxMemory, liveAllocations, ...stats }
})
inspectable(BuddyPool, (pool) => {
  const { allocatedMemory, maxMemory, blocks, liveBuffers, waiting } = pool.stats()
  if (isBuddyPoolClosed(pool)) return `${CLOSED}, maxMemory: ${maxMemory}, liveBuffers: ${liveBuffers}`
  return { allocatedMemory, maxMemory, blocks, liveBuffers, waiting }
})
inspectable(MemoryBudget, (budget) => ({ maxMemory: budget.maxMemory, ...budget.stats() }))
inspectable(Reservation, (reservation) => {
  const { bytes } = reservation
  return isReservationReleased(reservation) ? `${RELEASED}, bytes: ${bytes}` : { bytes }
})
inspectable(FrameReader, (reader) => {
  const { pending } = reader
  return isReaderClosed(reader) ? `${CLOSED}, pending: ${pending}` : { pending }
})
inspectable(FrameWriter, (writer) => {
  const pending = pendingOf(writer)
  return isWriterClosed(writer) ? `${CLOSED}, pending: ${pending}` : { pending }
})
for (const half of [Producer, Consumer]) {
  inspectable<Producer | Consumer>(half, (side) =>
    shownIf(
      () => side.available,
      `${RELEASED}, size: ${side.size}`,
      () => ({ size: side.size, available: side.available, position: side.position }),
    ),
  )
}
inspectable(ByteRing, (ring) => (isRingApart(ring) ? `${RELEASED}, size: ${ring.size}` : { size: ring.size }))
inspectable(SliceSender, (sender) =>
  shownIf(
    () => checkSender(sender),
    RELEASED,
    () => ({}),
  ),
)
inspectable(SliceReceiver, (receiver) =>
  shownIf(
    () => checkReceiver(receiver),
    RELEASED,
    () => ({}),
  ),
)
