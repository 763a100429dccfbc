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
export { BuddyBuffer } from './src/buddy-buffer.js'
export { BuddyPool } from './src/buddy-pool.js'
export { BudgetAllocation } from './src/budget-allocation.js'
export { BudgetPool } from './src/budget-pool.js'
export { ByteRing } from './src/byte-ring.js'
export { Consumer } from './src/consumer.js'
export { type ErrorCode, FramePoolError, type SystemErrorInfo } from './src/errors.js'
export { type InspectedObject, inspect } from './src/inspect.js'
export type { Movable } from './src/movable.js'
export { Producer } from './src/producer.js'
export { pump } from './src/pump.js'
export { relaySockets } from './src/relay-sockets.js'
export { Slice } from './src/slice.js'
export { SliceChannel } from './src/slice-channel.js'
export { SliceReceiver } from './src/slice-receiver.js'
export { SliceSender } from './src/slice-sender.js'
export { SlotPool } from './src/slot-pool.js'
export { SystemMemoryBuffer } from './src/system-memory-buffer.js'
export { adopt } from './src/threads.js'
