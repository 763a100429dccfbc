/// <reference types="node" preserve="true" />
/**
 * Buffer pools, byte rings, framed protocols, memory budgets, and channels between threads.
 *
 * @module framepool
 */
export { BuddyBuffer } from './src/buddy/buddy-buffer.js'
export type { BuddyPoolOptions, BuddyPoolStats } from './src/buddy/buddy-pool.js'
export { BuddyPool } from './src/buddy/buddy-pool.js'
export type { BlockBackend, BlockMemory } from './src/buddy/lent-blocks.js'
export { BudgetAllocation } from './src/budget/budget-allocation.js'
export type { BudgetPoolStats, BufferSize } from './src/budget/budget-pool.js'
export { BudgetPool } from './src/budget/budget-pool.js'
export type { AttachOptions } from './src/framing/attachment.js'
export { FrameReader } from './src/framing/frame-reader.js'
export { FrameWriter, type WriterOptions } from './src/framing/frame-writer.js'
export type { FramedBatch } from './src/framing/framed-batch.js'
export type {
  DelimitedOptions,
  HeaderOptions,
  LengthDelimitedOptions,
  ReaderOptions,
} from './src/framing/layout.js'
export { type InspectedObject, inspect, type ObjectKind } from './src/inspect.js'
export { MemoryBudget, type MemoryBudgetStats } from './src/memory/memory-budget.js'
export { Reservation } from './src/memory/reservation.js'
export { checkMemory } from './src/native/check-memory.js'
export { performanceMarks } from './src/performance-marks.js'
export { ByteRing } from './src/ring/byte-ring.js'
export { Consumer } from './src/ring/consumer.js'
export { Producer } from './src/ring/producer.js'
export type { PumpOptions } from './src/ring/pump.js'
export { pump } from './src/ring/pump.js'
export type { RingHalf } from './src/ring/ring-half.js'
export { relaySockets } from './src/ring/sockets/relay-sockets.js'
export type { RingReadableOptions, RingWritableOptions } from './src/ring/streams/options.js'
export { Slice } from './src/slice/slice.js'
export type { AeadBuffer, Buffer, Write } from './src/slot/buffer.js'
export type { PoolMode, SlotPoolOptions, SlotPoolStats } from './src/slot/slot-pool.js'
export { SlotPool } from './src/slot/slot-pool.js'
export { SystemMemoryBuffer } from './src/slot/system-memory-buffer.js'
export type { AllocateOptions } from './src/support/allocate.js'
export { type ErrorCode, FramePoolError, type SystemError } from './src/support/errors.js'
export type {
  BatchEvent,
  BytesEvent,
  EventMessages,
  EventName,
  EventSource,
  ReaderEndEvent,
  WaitEndEvent,
} from './src/support/events.js'
export type { Ticket } from './src/support/ticket.js'
export type { WaitOptions } from './src/support/wait.js'
export { adopt } from './src/threads/adopt.js'
export type { Movable } from './src/threads/movable.js'
export { SliceChannel } from './src/threads/slice-channel.js'
export { SliceReceiver } from './src/threads/slice-receiver.js'
export { SliceSender } from './src/threads/slice-sender.js'
