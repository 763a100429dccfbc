export type {
  AeadBuffer,
  AllocateOptions,
  BuddyPoolOptions,
  BuddyPoolStats,
  BudgetPoolStats,
  Buffer,
  BufferSize,
  PoolMode,
  PumpOptions,
  RingHalf,
  RingReadableOptions,
  RingWritableOptions,
  SlotPoolStats,
  Ticket,
  WaitOptions,
  Write,
} from './src/api.js'
export { BuddyBuffer } from './src/buddy/buddy-buffer.js'
export { BuddyPool } from './src/buddy/buddy-pool.js'
export { BudgetAllocation } from './src/budget/budget-allocation.js'
export { BudgetPool } from './src/budget/budget-pool.js'
export { type InspectedObject, inspect } from './src/inspect.js'
export { ByteRing } from './src/ring/byte-ring.js'
export { Consumer } from './src/ring/consumer.js'
export { Producer } from './src/ring/producer.js'
export { pump } from './src/ring/pump.js'
export { relaySockets } from './src/ring/sockets/relay-sockets.js'
export { Slice } from './src/slice/slice.js'
export { SlotPool } from './src/slot/slot-pool.js'
export { SystemMemoryBuffer } from './src/slot/system-memory-buffer.js'
export { type ErrorCode, FramePoolError, type SystemErrorInfo } from './src/support/errors.js'
export { adopt } from './src/threads/adopt.js'
export type { Movable } from './src/threads/movable.js'
export { SliceChannel } from './src/threads/slice-channel.js'
export { SliceReceiver } from './src/threads/slice-receiver.js'
export { SliceSender } from './src/threads/slice-sender.js'
