/** Texts of framepool's objects in `console.log` and `util.inspect`. */
import { BuddyBuffer, checkBuddyBuffer } from './buddy/buddy-buffer.js'
import { BuddyPool } from './buddy/buddy-pool.js'
import { BudgetAllocation, checkAllocation } from './budget/budget-allocation.js'
import { BudgetPool } from './budget/budget-pool.js'
import { FrameReader } from './framing/frame-reader.js'
import { FrameWriter, pendingOf } from './framing/frame-writer.js'
import { checkFramedBatch, FramedBatch } from './framing/framed-batch.js'
import { MemoryBudget } from './memory/memory-budget.js'
import { Reservation } from './memory/reservation.js'
import { ByteRing } from './ring/byte-ring.js'
import { Consumer } from './ring/consumer.js'
import { Producer } from './ring/producer.js'
import { checkSlice, Slice } from './slice/slice.js'
import { SlotPool } from './slot/slot-pool.js'
import { SystemMemoryBuffer } from './slot/system-memory-buffer.js'
import { inspectable } from './support/inspectable.js'
import { SliceReceiver } from './threads/slice-receiver.js'
import { SliceSender } from './threads/slice-sender.js'

/** Returns `shown`, or a text for an object on which `check` throws. */
function alive(check: () => void, gone: string, shown: () => object): object | string {
  try {
    check()
  } catch {
    return gone
  }
  return shown()
}

const RELEASED = 'released'

inspectable(Slice, (slice) =>
  alive(
    () => checkSlice(slice),
    `${RELEASED}, length: ${slice.length}`,
    () => ({ length: slice.length, slot: slice.slot, ...(slice.tag === undefined ? {} : { tag: slice.tag }) }),
  ),
)
inspectable(BudgetAllocation, (allocation) =>
  alive(
    () => checkAllocation(allocation),
    `${RELEASED}, length: ${allocation.length}`,
    () => ({ length: allocation.length, allocatedBytes: allocation.allocatedBytes }),
  ),
)
inspectable(BuddyBuffer, (buffer) =>
  alive(
    () => checkBuddyBuffer(buffer),
    `${RELEASED}, length: ${buffer.length}`,
    () => ({ length: buffer.length, capacity: buffer.capacity }),
  ),
)
inspectable(FramedBatch, (batch) =>
  alive(
    () => checkFramedBatch(batch),
    `${RELEASED}, length: ${batch.length}`,
    () => ({ length: batch.length, tag: batch.tag }),
  ),
)
inspectable(SlotPool, (pool) => {
  const { capacity } = pool
  return alive(
    () => pool.mode,
    `closed, capacity: ${capacity}`,
    () => {
      const { liveSlices, heapFallbacks } = pool.stats()
      return Object.assign([`${pool}`], { capacity, liveSlices, heapFallbacks, length: 1 })
    },
  )
})
inspectable(SystemMemoryBuffer, ({ length, isDroppable }) => ({ length, isDroppable }))
inspectable(BudgetPool, (pool) => ({ bufferSize: pool.bufferSize, maxMemory: pool.maxMemory, ...pool.stats() }))
inspectable(BuddyPool, (pool) => {
  const { allocatedMemory, maxMemory, blocks, liveBuffers, waiting } = pool.stats()
  return { allocatedMemory, maxMemory, blocks, liveBuffers, waiting }
})
inspectable(MemoryBudget, (budget) => ({ maxMemory: budget.maxMemory, ...budget.stats() }))
inspectable(Reservation, ({ bytes }) => ({ bytes }))
inspectable(FrameReader, ({ pending }) => ({ pending }))
inspectable(FrameWriter, (writer) => ({ pending: pendingOf(writer) }))
for (const half of [Producer, Consumer]) {
  inspectable<Producer | Consumer>(half, (side) =>
    alive(
      () => side.available,
      RELEASED,
      () => ({ size: side.size, available: side.available, position: side.position }),
    ),
  )
}
inspectable(ByteRing, ({ size }) => ({ size }))
inspectable(SliceSender, () => ({}))
inspectable(SliceReceiver, () => ({}))
