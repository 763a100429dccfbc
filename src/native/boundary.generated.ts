// Written by `npm run build` from the declarations in crates/framepool-node. Do not edit.

/** The words of the control block. "In" is what JavaScript writes before a call, "out" what the call leaves. */
export const enum Word {
  /** Out: 0, or 1 when the call failed. `lastFault()` says how. */
  Status,
  /** In and out: the handle of the object that the call is about. */
  Handle,
  /** The generation of `Handle`. */
  Generation,
  /** In: the slot pool that a session decrypts into. Out: the buddy pool of a buffer that has arrived. */
  Pool,
  /** The generation of `Pool`. */
  PoolGeneration,
  /** In: the session that frames are forwarded to, or the sender that an object is sent with. */
  Target,
  /** The generation of `Target`. */
  TargetGeneration,
  /** In and out: a number of bytes, or the number of buffers that a budget pool is asked for. */
  Length,
  /** In and out: the offset of bytes, in the region or in the heap buffer. */
  Offset,
  /** In: the slots released before the pending bytes were begun, one bit a slot. */
  Before,
  /** In: the number of slices that came and went since the last call, each of them alone. */
  CameAndWent,
  /** In: the length of the last slice that came and went alone, in bytes. */
  LastLength,
  /** In: the length of a slice that came alone and is still there, in bytes, or 0. */
  Alone,
  /** In: the number of slices taken since the last call, one behind another. Their lengths are the block's last words. */
  Taken,
  /** In: the slot of the first slice taken. */
  TakenSlot,
  /** In: the offset of the first slice taken in the region. */
  TakenStart,
  /** In: the slots released since the slices were taken or the pending bytes were begun, one bit a slot. */
  After,
  /** In and out: a slot, 1 to 32, or 0 for the heap. */
  Slot,
  /** Out: the slot of the next message. */
  NextSlot,
  /** Out: the last slot that the messages after the next may have. */
  LastSlot,
  /** Out: the offset of the next message in the region, if it fits into `Room` bytes. */
  Next,
  /** Out: the number of bytes from `Next` on. */
  Room,
  /** In and out: a slice that has a handle: one on the heap, or one of another isolate's slot pool. */
  Heap,
  /** The generation of `Heap`. */
  HeapGeneration,
  /** In and out: the offset of a batch's table of frames in its slice. */
  Table,
  /** In and out: the number of frames that a batch describes. */
  Frames,
  /** In and out: the index of the first frame to forward, or to be looked at; 1 to take back announced lengths. */
  First,
  /** In: 1 when views of the memory that the call gives up may still be in use, as after a garbage collection. */
  Abandoned,
  /** Out: the state of a session, a `Phase`. */
  State,
  /**
   * Out: how many bytes a session's output ring holds, how many a ring half can write or read, or how many objects a
   * sender can send.
   */
  Available,
  /** In: how many bytes JavaScript has written at `Offset` without a call. Out: how many wait in a session's output. */
  Pending,
  /** Out: 1 when a session's output is over its high-water mark. */
  Over,
  /** In: the extension type of a frame header. */
  Extension,
  /** In: the message type of a frame header. */
  MessageType,
  /** Out: the number of the wait that has begun, or 0 when there is nothing to wait for. In: the wait to cancel. */
  Wait,
  /** In: 1 when the memory is to be cleared. */
  Zero,
  /** In: a timeout, in milliseconds. */
  Timeout,
  /** In and out: the index of a buddy pool's block, or the number of blocks that are known. */
  Block,
  /** Out: 1 when the other half of a ring has ended, or when a channel or a pool is gone. */
  Ended,
  /** In: a file descriptor; for a pump, the one that it reads. */
  Descriptor,
  /** In: the file descriptor that a pump writes to. */
  Sink,
  /** Out: 1 when nothing could be moved or received without waiting. */
  Blocked,
  /** Out: the slots whose slices other isolates have given back, one bit a slot. JavaScript clears it. */
  Returned,
  /** In and out: the `Kind` of the object that leaves this isolate, or has arrived. Out: what a relay's record is. */
  Kind,
  /** In and out: the memory of another isolate's slot pool. */
  Region,
  /** The generation of `Region`. */
  RegionGeneration,
  /** In and out: the logical length of a buddy buffer. Out: the size of a ring, or of one buffer of a budget pool, in bytes. */
  Size,
  /**
   * The lower half of a 64-bit number. Out: the position of a ring half, or the limit of a budget pool in bytes. In and out: the
   * number of a relay's link.
   */
  Low,
  /** Out: the upper half of the number in `Low`. */
  High,
  /** Out: how often a session's output ring was replaced by a larger or smaller one. */
  RingGeneration,
  /** Out: the present size of a session's output ring, in bytes. */
  RingSize,
  /** In: the number of the copy of the facade that calls. Each copy shows memory by itself. */
  Facade,
  /** Out: 1 when a slice owns its memory. */
  Own,
  /** In and out: the direction of a link's frames, a `Way`. */
  Direction,
  /** Out: 1 when memory was granted, else 0. */
  Granted,
  /** Out: 1 when the heap buffer of a message, or the memory of an unfinished frame, lies elsewhere than before the call. */
  Moved,
  /** Out: the length of a reader's unfinished frame, in bytes, or 0 while that is unknown. */
  Awaited,
  /** In: 1 when the slice that leaves is a batch of frames, which `Table` and `Frames` describe. */
  Batch,
  /** In and out: the number of bytes before the payload of each frame of a batch. */
  Header,
  /** In and out: the number of bytes after the payload of each frame of a batch. */
  Trailer,
  /** In: 1 when a number goes with the object that leaves. */
  Tagged,
  /** Out: what came with the object that has arrived: 1 for a batch of frames, plus 2 for a number. */
  Came,
  /** In and out: the lower half of that number, which is a double. */
  TagLow,
  /** In and out: the upper half of that number. */
  TagHigh,
  /** In: the reservation that pays for the slices that a reader gives, or `Fixed.NoReservation`. */
  Purse,
  /** The generation of `Purse`. */
  PurseGeneration,
}

/** The kind of an object that leaves this isolate, or has arrived. */
export const enum Kind {
  /** A slice that this isolate names by its pool and slot. It arrives as a `Slice`. */
  Slot,
  /** A slice that has a handle. */
  Slice,
  /** An allocation of a budget pool. */
  Allocation,
  /** A buffer of a buddy pool. */
  BuddyBuffer,
  /** The half of a ring that writes. */
  Producer,
  /** The half of a ring that reads. */
  Consumer,
  /** A share of a budget pool. */
  BudgetPool,
  /** A share of a buddy pool. */
  BuddyPool,
  /** A share of a memory budget. */
  MemoryBudget,
  /** The end of a channel that sends. */
  Sender,
  /** The end of a channel that receives. */
  Receiver,
}

/** The phase of a session. */
export const enum Phase {
  /** Waits for the peer's handshake message. */
  Handshake,
  /** Frames can go in both directions. */
  Transport,
  /** Ended, in order or by an error. */
  Closed,
}

/** The direction of frames through a relay. */
export const enum Way {
  /** To the mining pool. */
  Upstream,
  /** To the miner. */
  Downstream,
}

/** The record that a call has taken from a relay. */
export const enum RecordKind {
  /** There was none. */
  Nothing,
  /** Frames that wait for verdicts. */
  Frames,
  /** Anything else: `relayEvent()` returns it. */
  Event,
}

/** Numbers that native code has, too. */
export const enum Fixed {
  /** Slots of a slot pool that is not given another number. */
  Slots = 8,
  /** The most slots of a slot pool. */
  MaxSlots = 32,
  /** The most objects that a channel can hold. */
  MaxCapacity = 65536,
  /** The longest frame of a frame reader, in bytes. */
  MaxFrame = 1073741824,
  /** The longest header of a frame, in bytes. */
  MaxHeader = 65536,
  /** The longest delimiter, in bytes. */
  MaxDelimiter = 16,
  /** Bytes of an entry in the table of a `FramedBatch`: u32 end of the frame. */
  FramedEntry = 4,
  /** Bytes of an entry in the table of a session's batch: u32 offset, u32 length, u16 extension, u8 type, u8 0; little-endian. */
  BatchEntry = 12,
  /** Stands in the control block for no reservation. */
  NoReservation = 4294967295,
}

/**
 * Kind of an object in `inspect()`. A `system-memory-buffer` is one in which a message is being written. A `ticket` is an object that
 * has left one isolate and not arrived in another.
 */
export type ObjectKind =
  | 'slot-pool'
  | 'system-memory-buffer'
  | 'slice'
  | 'sv2-session'
  | 'memory-budget'
  | 'reservation'
  | 'frame-reader'
  | 'budget-pool'
  | 'allocation'
  | 'buddy-pool'
  | 'buddy-buffer'
  | 'producer'
  | 'consumer'
  | 'slice-sender'
  | 'slice-receiver'
  | 'pump'
  | 'ticket'

/** Result of `openBoundary()`: the control block, and the bound functions. */
export interface Bound {
  /** The memory of the control block. */
  control: ArrayBuffer
  /** The number of this copy of the facade in its isolate. */
  facade: number
  slotWritable(): void
  slotFind(): void
  slotTake(): void
  slotSettle(): void
  slotTruncate(): void
  slotRegion(): ArrayBuffer
  slotHeap(): ArrayBuffer
  slotDiscard(): void
  slotConceal(): void
  slotRevoke(): void
  slotClose(): void
  systemWritable(): void
  systemTake(): void
  systemTruncate(): void
  systemView(): ArrayBuffer
  heapFrom(bytes: Uint8Array): void
  heapView(): ArrayBuffer
  sliceRelease(): void
  regionView(): ArrayBuffer
  regionWatch(settled: () => void): void
  regionForget(): void
  budgetTry(): void
  budgetAllocate(settled: () => void): void
  budgetAllocateSync(): void
  budgetClose(settled: () => void): void
  budgetView(): ArrayBuffer
  budgetRelease(): void
  buddyTry(): void
  buddyAllocate(settled: () => void): void
  buddyView(): ArrayBuffer
  buddyLend(bytes: Uint8Array): void
  buddyWatch(settled: () => void): void
  buddyClose(settled: () => void): void
  buddyBuffer(): ArrayBuffer
  buddyRelease(): void
  ringAdvance(): void
  ringWait(settled: () => void): void
  ringWaitSync(): void
  ringView(): ArrayBuffer
  ringEnd(): void
  ringRelease(): void
  ringTransfer(): void
  ringTransferLater(settled: () => void): void
  ringTransferEnd(): void
  pumpStart(settled: () => void): void
  ticketMake(): string
  ticketAdopt(ticket: string): void
  channelAsk(): void
  channelSend(): void
  channelWaitForRoom(settled: () => void): void
  channelEnd(): void
  channelReleaseSender(): void
  channelReceive(): void
  channelWaitForObject(settled: () => void): void
  channelWaitForObjectSync(): void
  channelReleaseReceiver(): void
  framingReceive(bytes: Uint8Array): void
  framingAnnounce(): void
  framingRoom(): void
  framingView(): ArrayBuffer
  framingFilled(): void
  framingRelease(): void
  memoryTry(): void
  memoryReserve(settled: () => void): void
  memoryForget(): void
  reservationResize(): void
  reservationMerge(): void
  reservationRelease(): void
  sessionReceive(bytes: Uint8Array): void
  sessionSend(bytes: Uint8Array): void
  sessionForward(): void
  sessionClose(): void
  outputRegion(): ArrayBuffer
  outputForget(): void
  outputConsume(): void
  outputWrite(): void
  outputWriteLater(settled: () => void): void
  relayNext(): void
  relayWatch(settled: () => void): void
  relayForward(): void
  relayReplace(bytes: Uint8Array): void
  relayDone(): void
  relaySend(bytes: Uint8Array): void
  relayWatchOutput(): void
  relayClose(): void
  relayFlush(): void
  waitCancel(): void
}
