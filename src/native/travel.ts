import { type BuddyGrant, readBuddyGrant } from './buddy.js'
import { check, control, facade, replyHandle, replyPosition, replyWide } from './call.js'
import type { Handle } from './handle.js'
import { bound } from './load.js'
import { readBacklog, type SlotBacklog, writeBacklog } from './slot.js'
import { Kind, Word } from './words.js'

const { ticketMake, ticketAdopt, regionView, regionWatch, regionForget } = bound

/**
 * Takes the object that the control block names out of this isolate, for example into a ticket. If a carrier throws, nothing
 * has left.
 */
export type Carrier = () => void

/** Returns the text of a new ticket for the object that `depart` has its carrier take out. */
export function makeTicket(depart: (carrier: Carrier) => void): string {
  let text = ''
  depart(() => {
    text = ticketMake()
    check()
  })
  return text
}

/** Sends away a slice in a slot of a pool. The call reports the place of the pool's next slice. */
export function departSlot(pool: SlotBacklog, slot: number, carrier: Carrier): void {
  writeBacklog(pool)
  control[Word.Kind] = Kind.Slot
  control[Word.Slot] = slot
  carrier()
  readBacklog(pool)
}

/** Sends away the object that a handle names. `size` is the length of a buddy buffer in bytes. */
function depart(kind: Kind, handle: Handle, carrier: Carrier, size = 0): void {
  control[Word.Kind] = kind
  control[Word.Handle] = handle.index
  control[Word.Generation] = handle.generation
  control[Word.Size] = size
  carrier()
}

/** Sends away a slice that has a handle. It lies on the heap, or in a slot of a pool of another isolate. */
export function departSliceHandle(slice: Handle, carrier: Carrier): void {
  depart(Kind.Slice, slice, carrier)
}

/** Sends an allocation of a budget pool away. */
export function departBudgetAllocation(allocation: Handle, carrier: Carrier): void {
  depart(Kind.Allocation, allocation, carrier)
}

/** Sends away a buffer of a buddy pool. Its logical length is `length` bytes. */
export function departBuddyHandle(buffer: Handle, length: number, carrier: Carrier): void {
  depart(Kind.BuddyBuffer, buffer, carrier, length)
}

/** Shares a budget pool with another isolate. */
export function departBudgetPool(pool: Handle, carrier: Carrier): void {
  depart(Kind.BudgetPool, pool, carrier)
}

/** Shares a memory budget with another isolate. */
export function departMemoryBudget(budget: Handle, carrier: Carrier): void {
  depart(Kind.MemoryBudget, budget, carrier)
}

/** The shape of a batch of frames, besides its slice. */
export interface BatchShape {
  /** Offset of the table in the slice, in bytes. */
  readonly table: number
  /** Number of frames. */
  readonly frames: number
  /** Bytes before the payload of each frame. */
  readonly header: number
  /** Bytes after the payload of each frame. */
  readonly trailer: number
}

const tagNumber = new Float64Array(1)
const tagWords = new Uint32Array(tagNumber.buffer)

/** Calls `depart`, which sends an object away, so that a number goes along. */
export function departTagged(tag: number, depart: () => void): void {
  tagNumber[0] = tag
  control[Word.Tagged] = 1
  control[Word.TagLow] = tagWords[0]!
  control[Word.TagHigh] = tagWords[1]!
  try {
    depart()
  } finally {
    control[Word.Tagged] = 0
  }
}

/** Calls `depart`, which sends a slice away, so that it goes as a batch of frames. */
export function departBatch(shape: BatchShape, tag: number, depart: () => void): void {
  control[Word.Table] = shape.table
  control[Word.Frames] = shape.frames
  control[Word.Header] = shape.header
  control[Word.Trailer] = shape.trailer
  control[Word.Batch] = 1
  try {
    departTagged(tag, depart)
  } finally {
    control[Word.Batch] = 0
  }
}

/** Shares a buddy pool with another isolate. */
export function departBuddyPool(pool: Handle, carrier: Carrier): void {
  depart(Kind.BuddyPool, pool, carrier)
}

/** Sends one half of a byte ring away. */
export function departRingHalf(side: ArrivedHalf['kind'], half: Handle, carrier: Carrier): void {
  depart(side === 'producer' ? Kind.Producer : Kind.Consumer, half, carrier)
}

/** Sends the sending end of a channel away. */
export function departSender(sender: Handle, carrier: Carrier): void {
  depart(Kind.Sender, sender, carrier)
}

/** Sends the receiving end of a channel away. */
export function departReceiver(receiver: Handle, carrier: Carrier): void {
  depart(Kind.Receiver, receiver, carrier)
}

/** A slice that has arrived, on the heap or in a slot of a pool of another isolate. */
export interface ArrivedSlice {
  readonly kind: 'slice'
  /** The slice itself. */
  readonly handle: Handle
  /** Whether the slice has memory of its own, on the heap. Otherwise it lies in `slot` of `region`. */
  readonly onHeap: boolean
  /** Slot of the pool, 1 to 32; 0 for a slice that never was in one. */
  readonly slot: number
  /** Memory of the pool; it says nothing of a slice on the heap. */
  readonly region: Handle
  /** Offset of the slice in its memory, in bytes. */
  readonly offset: number
  /** Length in bytes. */
  readonly length: number
  /** The shape of the batch, if the slice is a batch of frames. */
  readonly batch: BatchShape | null
  /** The number that was sent with the slice. */
  readonly tag: number | undefined
}

/** An allocation of a budget pool that has arrived. */
export interface ArrivedAllocation {
  readonly kind: 'allocation'
  readonly handle: Handle
  /** Size of one buffer, in bytes. */
  readonly bufferSize: number
  /** Bytes of all its buffers. */
  readonly bytes: number
  /** The number that was sent with the allocation. */
  readonly tag: number | undefined
}

/** A buffer of a buddy pool that has arrived. */
export interface ArrivedBuddyBuffer {
  readonly kind: 'buddy-buffer'
  readonly pool: Handle
  readonly grant: BuddyGrant
  /** Logical length, in bytes. */
  readonly length: number
  /** The number that was sent with the buffer. */
  readonly tag: number | undefined
}

/** An object that a channel can carry, as it has arrived. */
export type ArrivedMovable = ArrivedSlice | ArrivedAllocation | ArrivedBuddyBuffer

/** One half of a byte ring that has arrived. */
export interface ArrivedHalf {
  readonly kind: 'producer' | 'consumer'
  readonly handle: Handle
  /** Size of the ring, in bytes. */
  readonly size: number
  /** Bytes that can be written or read. */
  readonly available: number
  /** Bytes ever written or read, modulo 2^64. */
  readonly position: bigint
  /** Whether this half has ended. */
  readonly ended: boolean
}

/** An object that has arrived in this isolate. */
export type Arrived =
  | ArrivedMovable
  | ArrivedHalf
  | { readonly kind: 'budget-pool'; readonly handle: Handle; readonly bufferSize: number; readonly maxMemory: number }
  | { readonly kind: 'buddy-pool'; readonly handle: Handle }
  | { readonly kind: 'memory-budget'; readonly handle: Handle; readonly maxMemory: number }
  | { readonly kind: 'slice-sender' | 'slice-receiver'; readonly handle: Handle }

/** Takes in the object that a ticket stands for. */
export function adoptTicket(text: string): Arrived {
  control[Word.Facade] = facade
  ticketAdopt(text)
  check()
  return readArrived()
}

function readArrived(): Arrived {
  const kind: Kind = control[Word.Kind]!
  switch (kind) {
    case Kind.Producer:
      return readHalf('producer')
    case Kind.Consumer:
      return readHalf('consumer')
    case Kind.BudgetPool:
      return { kind: 'budget-pool', handle: replyHandle(), bufferSize: control[Word.Size]!, maxMemory: replyWide() }
    case Kind.BuddyPool:
      return { kind: 'buddy-pool', handle: replyPool() }
    case Kind.MemoryBudget:
      return { kind: 'memory-budget', handle: replyHandle(), maxMemory: replyWide() }
    case Kind.Sender:
      return { kind: 'slice-sender', handle: replyHandle() }
    case Kind.Receiver:
      return { kind: 'slice-receiver', handle: replyHandle() }
    default:
      return readArrivedMovable(makeArrivals())
  }
}

function readHalf(kind: ArrivedHalf['kind']): ArrivedHalf {
  return {
    kind,
    handle: replyHandle(),
    size: control[Word.Size]!,
    available: control[Word.Available]!,
    position: replyPosition(),
    ended: control[Word.Ended] === 1,
  }
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }
interface MutableHandle {
  index: number
  generation: number
}

/** A record of each kind of movable object, which the next arrival overwrites. */
export interface Arrivals {
  readonly slice: ArrivedSlice
  readonly allocation: ArrivedAllocation
  readonly buddyBuffer: ArrivedBuddyBuffer
}

/** Makes the records for arrivals at one place. They are used again and again, so that an arrival makes no garbage. */
export function makeArrivals(): Arrivals {
  return {
    slice: makeArrivedSlice(),
    allocation: { kind: 'allocation', handle: noHandle(), bufferSize: 0, bytes: 0, tag: undefined },
    buddyBuffer: {
      kind: 'buddy-buffer',
      pool: noHandle(),
      grant: { index: 0, generation: 0, block: 0, offset: 0, capacity: 0 },
      length: 0,
      tag: undefined,
    },
  }
}

/** Makes the record for slices that arrive at one place. */
export function makeArrivedSlice(): ArrivedSlice {
  const handles = { handle: noHandle(), region: noHandle() }
  return { kind: 'slice', ...handles, onHeap: false, slot: 0, offset: 0, length: 0, batch: null, tag: undefined }
}

const noHandle = (): Handle => ({ index: 0, generation: 0 })

/** Reads into a record what the last call reports of a slice that it has taken into this isolate. */
export function readArrivedSlice(into: Mutable<ArrivedSlice>): void {
  const handle: MutableHandle = into.handle
  handle.index = control[Word.Heap]!
  handle.generation = control[Word.HeapGeneration]!
  into.onHeap = control[Word.Own] === 1
  if (!into.onHeap) {
    const region: MutableHandle = into.region
    region.index = control[Word.Region]!
    region.generation = control[Word.RegionGeneration]!
  }
  into.slot = control[Word.Slot]!
  into.offset = control[Word.Offset]!
  into.length = control[Word.Length]!
}

/** Reads what the last call has taken into this isolate. Returns the one of the records that it has filled. */
export function readArrivedMovable(into: Arrivals): ArrivedMovable {
  if (control[Word.Kind] !== Kind.Slice || control[Word.Came] !== 0) return readOther(into)
  const slice: Mutable<ArrivedSlice> = into.slice
  readArrivedSlice(slice)
  slice.batch = null
  slice.tag = undefined
  return slice
}

/** Reads what has come if it is anything but a slice alone. */
function readOther(into: Arrivals): ArrivedMovable {
  const kind: Kind = control[Word.Kind]!
  const came = control[Word.Came]!
  const tag = (came & 2) === 0 ? undefined : readTag()
  if (kind === Kind.Slice) {
    const slice: Mutable<ArrivedSlice> = into.slice
    readArrivedSlice(slice)
    slice.batch = (came & 1) === 0 ? null : readShape()
    slice.tag = tag
    return slice
  }
  if (kind === Kind.Allocation) {
    const allocation: Mutable<ArrivedAllocation> = into.allocation
    allocation.handle = replyHandle()
    allocation.bufferSize = control[Word.Size]!
    allocation.bytes = control[Word.Length]!
    allocation.tag = tag
    return allocation
  }
  const buffer: Mutable<ArrivedBuddyBuffer> = into.buddyBuffer
  buffer.pool = replyPool()
  readBuddyGrant(buffer.grant)
  buffer.length = control[Word.Size]!
  buffer.tag = tag
  return buffer
}

function readTag(): number {
  tagWords[0] = control[Word.TagLow]!
  tagWords[1] = control[Word.TagHigh]!
  return tagNumber[0]!
}

function readShape(): BatchShape {
  return {
    table: control[Word.Table]!,
    frames: control[Word.Frames]!,
    header: control[Word.Header]!,
    trailer: control[Word.Trailer]!,
  }
}

function replyPool(): Handle {
  return { index: control[Word.Pool]!, generation: control[Word.PoolGeneration]! }
}

function writeRegion(region: Handle): void {
  control[Word.Region] = region.index
  control[Word.RegionGeneration] = region.generation
}

/** Returns an ArrayBuffer over the memory of another isolate's pool. */
export function foreignRegionView(region: Handle): ArrayBuffer {
  writeRegion(region)
  const view = regionView()
  check()
  return view
}

/** Calls `closed` when the region's pool is gone. Returns false, and calls nothing, if the pool is gone already. */
export function watchRegion(region: Handle, closed: () => void): boolean {
  writeRegion(region)
  regionWatch(closed)
  check()
  return control[Word.Wait] !== 0
}

/** Gives up this isolate's share of the region. */
export function forgetRegion(region: Handle): void {
  writeRegion(region)
  regionForget()
  check()
}
