/**
 * The one file that talks to the native module.
 *
 * A per-message call is a bound function without arguments: what it needs is written into the control block first, and
 * what it gives is read from there after. Only calls that carry bytes take an argument. `Word` names the words; its
 * order is that of `crates/framepool-node/src/control.rs`.
 */
import { createRequire } from 'node:module'
import { runInNewContext } from 'node:vm'
import { threadId } from 'node:worker_threads'
import { errorOf, type FramePoolError, systemErrorInfo } from '../support/errors.js'
import { loadFailure } from './load-failure.js'

type Native = typeof import('./binding.cjs')

/** What `openBoundary()` gives. */
type Bound = { control: ArrayBuffer; facade: number } & Record<
  | 'slotWritable'
  | 'slotTake'
  | 'slotSettle'
  | 'slotTruncate'
  | 'slotDiscard'
  | 'slotConceal'
  | 'slotClose'
  | 'slotRevoke'
  | 'systemWritable'
  | 'systemTake'
  | 'systemTruncate'
  | 'heapRelease'
  | 'sessionForward'
  | 'outputForget'
  | 'outputConsume'
  | 'sessionClose'
  | 'linkJoin'
  | 'linkStep'
  | 'linkTryComing'
  | 'linkTryReplacing'
  | 'linkRelease'
  | 'linkEnd'
  | 'budgetTry'
  | 'budgetAllocateSync'
  | 'budgetRelease'
  | 'buddyTry'
  | 'buddyRelease'
  | 'ringAdvance'
  | 'ringWaitSync'
  | 'ringEnd'
  | 'ringRelease'
  | 'ringTransfer'
  | 'ringTransferEnd'
  | 'outputWrite'
  | 'channelAsk'
  | 'channelSend'
  | 'channelEnd'
  | 'channelReleaseSender'
  | 'channelReceive'
  | 'channelWaitForObjectSync'
  | 'channelReleaseReceiver'
  | 'regionForget'
  | 'waitCancel',
  () => void
> &
  Record<'heapFrom' | 'sessionReceive' | 'sessionSend', (bytes: Uint8Array) => void> &
  Record<
    | 'linkWait'
    | 'budgetAllocate'
    | 'budgetClose'
    | 'buddyAllocate'
    | 'buddyWatch'
    | 'buddyClose'
    | 'regionWatch'
    | 'ringWait'
    | 'ringTransferLater'
    | 'channelWaitForRoom'
    | 'channelWaitForObject'
    | 'outputWriteLater'
    | 'pumpStart',
    (settled: () => void) => void
  > &
  Record<
    | 'slotRegion'
    | 'slotHeap'
    | 'systemView'
    | 'heapView'
    | 'outputRegion'
    | 'budgetView'
    | 'buddyView'
    | 'buddyBuffer'
    | 'ringView'
    | 'regionView',
    () => ArrayBuffer
  > & { ticketMake(): string; ticketAdopt(nonce: string): void }

const native = load()
const bound = guarded(() => native.openBoundary(threadId, intrinsicTransfer()) as Bound)

/** Names an object of this isolate in the native tables. */
export interface Handle {
  readonly index: number
  readonly generation: number
}

/** The words of the control block. Constant, so that the compiler puts numbers where they are used: every call uses some. */
export const enum Word {
  Status,
  Handle,
  Generation,
  Pool,
  PoolGeneration,
  Target,
  TargetGeneration,
  Length,
  Offset,
  Before,
  CameAndWent,
  LastLength,
  Alone,
  Taken,
  TakenSlot,
  TakenStart,
  After,
  Slot,
  NextSlot,
  LastSlot,
  Next,
  Room,
  Heap,
  HeapGeneration,
  Table,
  Frames,
  First,
  Abandoned,
  State,
  Available,
  Pending,
  Over,
  Extension,
  MessageType,
  Wait,
  Zero,
  Timeout,
  Block,
  Ended,
  Descriptor,
  Sink,
  Blocked,
  Returned,
  Kind,
  Region,
  RegionGeneration,
  Size,
  Low,
  High,
  RingGeneration,
  RingSize,
  Facade,
  Own,
  Link,
  LinkGeneration,
  Direction,
  Drained,
  Granted,
  Quota,
  Moved,
}

/** What kind of object leaves this isolate, or has arrived. */
export const enum Kind {
  Slot,
  Slice,
  Allocation,
  BuddyBuffer,
  Producer,
  Consumer,
  BudgetPool,
  BuddyPool,
  Sender,
  Receiver,
}

const control = new Uint32Array(bound.control)
/** Of a slot pool. */
export const SLOTS = 8
/** The first of the control block's last words, one a slot: the bytes of each slice that was taken. */
const TAKEN_LENGTHS = control.length - SLOTS
const {
  slotWritable,
  slotTake,
  slotSettle,
  slotTruncate,
  slotRegion,
  slotHeap,
  slotDiscard,
  slotConceal,
  slotClose,
  slotRevoke,
  systemWritable,
  systemTake,
  systemTruncate,
  systemView,
  heapFrom,
  heapView,
  heapRelease,
  sessionReceive,
  sessionSend,
  sessionForward,
  outputRegion,
  outputForget,
  outputConsume,
  sessionClose,
  linkJoin,
  linkStep,
  linkTryComing,
  linkTryReplacing,
  linkWait,
  linkRelease,
  linkEnd,
  budgetTry,
  budgetAllocate,
  budgetAllocateSync,
  budgetClose,
  budgetView,
  budgetRelease,
  buddyTry,
  buddyAllocate,
  buddyRelease,
  buddyBuffer,
  buddyView,
  buddyWatch,
  buddyClose,
  ringAdvance,
  ringWait,
  ringWaitSync,
  ringView,
  ringEnd,
  ringRelease,
  ringTransfer,
  ringTransferLater,
  ringTransferEnd,
  outputWrite,
  outputWriteLater,
  pumpStart,
  channelAsk,
  channelSend,
  channelWaitForRoom,
  channelEnd,
  channelReleaseSender,
  channelReceive,
  channelWaitForObject,
  channelWaitForObjectSync,
  channelReleaseReceiver,
  ticketMake,
  ticketAdopt,
  regionView,
  regionWatch,
  regionForget,
  waitCancel,
} = bound

/** A word that the last call gave. */
export function reply(word: Word): number {
  return control[word]!
}

/** What the last call failed with, if it did: for calls that report something even then. */
export function lastFailure(): Error | null {
  if (control[Word.Status] === 0) return null
  const { code, message, syscall, errno } = native.lastFault()
  return errorOf(code, message, syscall === undefined ? undefined : systemErrorInfo(syscall, errno ?? 0))
}

/** The object that the last call gave. */
export function replyHandle(): Handle {
  return { index: control[Word.Handle]!, generation: control[Word.Generation]! }
}

/** A number of at most 53 bits that the last call gave. */
export function replyWide(): number {
  return control[Word.High]! * 2 ** 32 + control[Word.Low]!
}

/** A position of 64 bits that the last call gave. */
export function replyPosition(): bigint {
  return (BigInt(control[Word.High]!) << 32n) | BigInt(control[Word.Low]!)
}

/** Throws it. */
export { check as checkLastCall }

function check(): void {
  if (control[Word.Status] === 0) return
  throw lastFailure()
}

// ── Slot pools ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** What native code must catch up with before it acts: see `SlotMemory`. */
export interface SlotBacklog {
  readonly handle: Handle
  released: number
  cameAndWent: number
  lastLength: number
  alone: number
  taken: number
  takenSlot: number
  takenStart: number
  readonly takenLengths: readonly number[]
  releasedLater: number
  start: number
  written: number
}

function writeBacklog(pool: SlotBacklog): void {
  control[Word.Handle] = pool.handle.index
  control[Word.Generation] = pool.handle.generation
  control[Word.Before] = pool.released
  control[Word.CameAndWent] = pool.cameAndWent
  control[Word.LastLength] = pool.lastLength
  control[Word.Alone] = pool.alone
  const { taken } = pool
  control[Word.Taken] = taken
  if (taken !== 0) {
    control[Word.TakenSlot] = pool.takenSlot
    control[Word.TakenStart] = pool.takenStart
    for (let index = 0; index < taken; index++) control[TAKEN_LENGTHS + index] = pool.takenLengths[index]!
  }
  control[Word.After] = pool.releasedLater
  control[Word.Offset] = pool.start
  control[Word.Pending] = pool.written
  control[Word.Returned] = 0
}

/** `debug`: its slices come as heap slices that have memory of their own. */
export function createSlotPool(capacity: number, debug: boolean): Handle {
  return guarded(() => native.slotPoolCreate(capacity, debug))
}

/** Out: Slot (0: on the heap), Offset; on the heap Moved. */
export function writableSlot(pool: SlotBacklog, length: number): void {
  writeBacklog(pool)
  control[Word.Length] = length
  slotWritable()
  check()
}

/** Out: Slot, Offset, Length, and for the heap Heap; NextSlot, LastSlot, Next, Room. */
export function takeSlot(pool: SlotBacklog): void {
  writeBacklog(pool)
  slotTake()
  check()
}

/** Out: NextSlot, LastSlot, Next, Room. */
export function settleSlots(pool: SlotBacklog): void {
  writeBacklog(pool)
  slotSettle()
  check()
}

export function truncateSlot(pool: SlotBacklog, hidden: number, length: number): void {
  control[Word.Handle] = pool.handle.index
  control[Word.Generation] = pool.handle.generation
  control[Word.Offset] = hidden
  control[Word.Length] = length
  slotTruncate()
  check()
}

export function slotPoolRegion(handle: Handle): ArrayBuffer {
  return showing(handle, slotRegion)
}

export function slotPoolHeap(handle: Handle): ArrayBuffer {
  return showing(handle, slotHeap)
}

/** Drops what is written. */
export function discardSlot(handle: Handle): void {
  showing(handle, slotDiscard)
}

/** Ends the views of the region. */
export function concealSlotPool(handle: Handle): void {
  showing(handle, slotConceal)
}

/** `abandoned`, here as elsewhere: nobody is there any more who would have released it, but views may be in use. */
export function closeSlotPool(handle: Handle, abandoned = false): void {
  control[Word.Abandoned] = abandoned ? 1 : 0
  showing(handle, slotClose)
}

/** Drops the slices of the pool that have left this isolate and not arrived in another. */
export function revokeSlots(handle: Handle): void {
  showing(handle, slotRevoke)
}

export function slotPoolReport(handle: Handle): import('./binding.cjs').SlotPoolReport {
  return guarded(() => native.slotPoolReport(handle))
}

function showing<T>(handle: Handle, call: () => T): T {
  control[Word.Handle] = handle.index
  control[Word.Generation] = handle.generation
  const value = call()
  check()
  return value
}

// ── System memory ────────────────────────────────────────────────────────────────────────────────────────────────────

const NEW: Handle = { index: 0xffff_ffff, generation: 0 }

/** Makes `length` more bytes writable, in new memory when `handle` is null. Returns the memory's handle. Out: Offset, Moved. */
export function writableSystemMemory(handle: Handle | null, length: number): Handle {
  control[Word.Length] = length
  showing(handle ?? NEW, systemWritable)
  return handle ?? replyHandle()
}

/** Ends the memory. Out: Heap, Length. */
export function takeSystemMemory(handle: Handle): void {
  showing(handle, systemTake)
}

export function truncateSystemMemory(handle: Handle, hidden: number, length: number): void {
  control[Word.Offset] = hidden
  control[Word.Length] = length
  showing(handle, systemTruncate)
}

export function systemMemoryView(handle: Handle): ArrayBuffer {
  return showing(handle, systemView)
}

// ── Heap slices ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** The heap slice that the last call gave. */
export function replyHeapHandle(): Handle {
  return { index: control[Word.Heap]!, generation: control[Word.HeapGeneration]! }
}

/** The same into `handle`, which may be used again. */
export function replyHeapHandleInto(handle: { index: number; generation: number }): void {
  handle.index = control[Word.Heap]!
  handle.generation = control[Word.HeapGeneration]!
}

export function copyToHeap(bytes: Uint8Array): Handle {
  heapFrom(bytes)
  check()
  return replyHeapHandle()
}

export function heapSliceView(handle: Handle): ArrayBuffer {
  control[Word.Heap] = handle.index
  control[Word.HeapGeneration] = handle.generation
  const view = heapView()
  check()
  return view
}

/** Out: Ended. */
export function releaseHeapSlice(handle: Handle, abandoned = false): void {
  control[Word.Heap] = handle.index
  control[Word.HeapGeneration] = handle.generation
  control[Word.Abandoned] = abandoned ? 1 : 0
  heapRelease()
  check()
}

// ── Sv2 sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────

export interface SessionSizes {
  maxFrameSize: number
  outputSize: number
}

export function createResponder(sizes: SessionSizes, publicKey: string, secretKey: string, validity: number): Handle {
  return guarded(() => native.sessionResponder(sizes, publicKey, secretKey, validity))
}

export function createInitiator(sizes: SessionSizes, authority: string | undefined): Handle {
  return guarded(() => native.sessionInitiator(sizes, authority))
}

/** Out: Frames, and with any the slice (as from `takeSlot`) and Table; Next, Room; the session's words, also on failure. */
export function receiveIntoSlot(session: Handle, pool: SlotBacklog, chunk: Uint8Array): void {
  writeBacklog(pool)
  control[Word.Handle] = session.index
  control[Word.Generation] = session.generation
  control[Word.Pool] = pool.handle.index
  control[Word.PoolGeneration] = pool.handle.generation
  sessionReceive(chunk)
}

/** Out: the session's words, also on failure. */
export function sendFrame(session: Handle, extensionType: number, messageType: number, payload: Uint8Array): void {
  control[Word.Handle] = session.index
  control[Word.Generation] = session.generation
  control[Word.Extension] = extensionType
  control[Word.MessageType] = messageType
  sessionSend(payload)
}

/** Where a batch lies: in a slot of a pool, or (slot 0) in a heap slice. */
export interface BatchPlace {
  readonly slot: number
  readonly owner: Handle
  readonly table: number
}

/** Out: the target's words, also on failure. */
export function forwardFrames(target: Handle, batch: BatchPlace, first: number, frames: number): void {
  control[Word.Target] = target.index
  control[Word.TargetGeneration] = target.generation
  control[Word.Slot] = batch.slot
  const owner = batch.slot === 0 ? Word.Heap : Word.Pool
  control[owner] = batch.owner.index
  control[owner + 1] = batch.owner.generation
  control[Word.Table] = batch.table
  control[Word.First] = first
  control[Word.Frames] = frames
  sessionForward()
}

export function sessionOutputRegion(session: Handle): ArrayBuffer {
  return showing(session, outputRegion)
}

/** Nobody works with views of the rings any more that the session has replaced. */
export function forgetReplacedOutput(session: Handle): void {
  showing(session, outputForget)
}

/** Out: the session's words. */
export function consumeOutput(session: Handle, length: number): void {
  control[Word.Length] = length
  showing(session, outputConsume)
}

export function sessionReport(session: Handle): import('./binding.cjs').SessionReport {
  return guarded(() => native.sessionReport(session))
}

/** Gives back memory that recent traffic needed. Out: the session's words. */
export function shrinkSession(session: Handle): void {
  guarded(() => native.sessionShrink(session))
}

/** Lets the system have what `bytes` that were freed have left, if they are worth it. */
export function trimAfter(bytes: number): void {
  guarded(() => native.trimAfter(bytes))
}

/** Why a session closed by itself. */
export function sessionError(session: Handle): FramePoolError | null {
  const fault = guarded(() => native.sessionError(session))
  return fault ? (errorOf(fault.code, fault.message) as FramePoolError) : null
}

export function closeSession(session: Handle, abandoned = false): void {
  control[Word.Abandoned] = abandoned ? 1 : 0
  showing(session, sessionClose)
}

export function authorityKeypair(): { publicKey: string; secretKey: string } {
  return guarded(() => native.generateAuthorityKeypair())
}

// ── Memory of relays ─────────────────────────────────────────────────────────────────────────────────────────────────

export function createRelayMemory(limit: number, mostLinks: number | undefined): Handle {
  return guarded(() => native.relayMemoryCreate(limit, mostLinks))
}

export function relayMemoryReport(memory: Handle): import('./binding.cjs').RelayMemoryReport {
  return guarded(() => native.relayMemoryReport(memory))
}

export function endRelayMemory(memory: Handle): void {
  guarded(() => native.relayMemoryEnd(memory))
}

/** What a new link of two connections needs; null if the budget has no room for it. */
export function createLink(memory: Handle): Handle | null {
  return guarded(() => native.linkCreate(memory))
}

function writeLink(link: Handle): void {
  control[Word.Link] = link.index
  control[Word.LinkGeneration] = link.generation
}

export function joinLink(link: Handle, session: Handle): void {
  writeLink(link)
  showing(session, linkJoin)
}

/** One way through a link: the frames that `from` receives go out through `to`. */
export interface LinkDirection {
  readonly link: Handle
  /** 0 upstream, 1 downstream. */
  readonly direction: number
  readonly from: Handle
  readonly to: Handle
}

function writeDirection({ link, direction, to }: LinkDirection): void {
  writeLink(link)
  control[Word.Direction] = direction
  control[Word.Target] = to.index
  control[Word.TargetGeneration] = to.generation
}

/** What must happen before more is read. Out: Drained, Granted (0: nothing), Quota. */
export function nextStep(way: LinkDirection): void {
  writeDirection(way)
  showing(way.from, linkStep)
}

/** Memory for a frame that comes, now; false if there is not enough. */
export function tryComing(way: LinkDirection, payload: number): boolean {
  return tryGrant(way, payload, linkTryComing)
}

/** The same for one that goes out in place of another. */
export function tryReplacing(way: LinkDirection, payload: number): boolean {
  return tryGrant(way, payload, linkTryReplacing)
}

function tryGrant(way: LinkDirection, payload: number, call: () => void): boolean {
  writeDirection(way)
  control[Word.Length] = payload
  call()
  check()
  return control[Word.Granted] === 1
}

/** Memory for a frame that comes, in turn. The wait that has begun, at whose end `settled` is called. */
export function waitForGrant(way: LinkDirection, payload: number, settled: () => void): number {
  writeDirection(way)
  control[Word.Length] = payload
  linkWait(settled)
  check()
  return control[Word.Wait]!
}

/** Gives back what was granted, once the output is empty. Out: the words of the session that writes. */
export function releaseGrants(way: LinkDirection): void {
  writeDirection(way)
  linkRelease()
  check()
}

export function endLink(link: Handle): void {
  writeLink(link)
  linkEnd()
  check()
}

// ── Budget pools ─────────────────────────────────────────────────────────────────────────────────────────────────────

type BudgetPoolReport = import('./binding.cjs').BudgetPoolReport

export function createBudgetPool(bufferSize: number, maxMemory: number): Handle {
  return guarded(() => native.budgetPoolCreate(bufferSize, maxMemory))
}

function writeRequest(pool: Handle, count: number, zero: boolean): void {
  control[Word.Handle] = pool.index
  control[Word.Generation] = pool.generation
  control[Word.Length] = count
  control[Word.Zero] = zero ? 1 : 0
}

/** False when the budget does not allow it now. Out: the allocation. */
export function tryAllocateBudget(pool: Handle, count: number, zero: boolean): boolean {
  writeRequest(pool, count, zero)
  budgetTry()
  check()
  return control[Word.Length] !== 0
}

/** The wait that has begun, at whose end `settled` is called; or 0. Out, then: the allocation. */
export function allocateBudget(pool: Handle, count: number, zero: boolean, settled: () => void): number {
  writeRequest(pool, count, zero)
  budgetAllocate(settled)
  check()
  return control[Word.Wait]!
}

/** Blocks this thread. Out: the allocation. */
export function allocateBudgetSync(pool: Handle, count: number, zero: boolean, timeoutMs: number): void {
  blocking(timeoutMs, () => {
    writeRequest(pool, count, zero)
    budgetAllocateSync()
  })
}

/** The wait that has begun, at whose end, when nothing is allocated any more, `settled` is called. */
export function closeBudgetPool(pool: Handle, settled: () => void): number {
  showing(pool, () => budgetClose(settled))
  return control[Word.Wait]!
}

export function budgetPoolReport(pool: Handle): BudgetPoolReport {
  return guarded(() => native.budgetPoolReport(pool))
}

/** Forgets a pool that is closed and empty; its last report. */
export function endBudgetPool(pool: Handle): BudgetPoolReport {
  return guarded(() => native.budgetPoolEnd(pool))
}

export function budgetAllocationView(allocation: Handle): ArrayBuffer {
  return showing(allocation, budgetView)
}

export function releaseBudgetAllocation(allocation: Handle, abandoned = false): void {
  control[Word.Abandoned] = abandoned ? 1 : 0
  showing(allocation, budgetRelease)
}

// ── Buddy pools ──────────────────────────────────────────────────────────────────────────────────────────────────────

export type BuddyPoolSettings = import('./binding.cjs').BuddyPoolSettings
export type BuddyPoolReport = import('./binding.cjs').BuddyPoolReport

export function createBuddyPool(settings: BuddyPoolSettings): Handle {
  control[Word.Facade] = bound.facade
  return guarded(() => native.buddyPoolCreate(settings))
}

/** False at the limit. Out: the buffer. */
export function tryAllocateBuddy(pool: Handle, size: number): boolean {
  control[Word.Length] = size
  showing(pool, buddyTry)
  return control[Word.Length] !== 0
}

/** The wait that has begun, at whose end `settled` is called; or 0. Out, then: the buffer. */
export function allocateBuddy(pool: Handle, size: number, settled: () => void): number {
  control[Word.Length] = size
  showing(pool, () => buddyAllocate(settled))
  return control[Word.Wait]!
}

/** All of a buffer alone. */
export function buddyBufferView(buffer: Handle): ArrayBuffer {
  return showing(buffer, buddyBuffer)
}

export function releaseBuddyBuffer(buffer: Handle, abandoned = false): void {
  control[Word.Abandoned] = abandoned ? 1 : 0
  showing(buffer, buddyRelease)
}

export function buddyBlockView(pool: Handle, block: number): ArrayBuffer {
  control[Word.Block] = block
  return showing(pool, buddyView)
}

/**
 * Of a pool that others use as well: has `changed` called when there are more blocks than `known`, or when the pool is closed
 * and drained. Out: Wait, 0 if that is so already; then Block, how many there are, and Ended.
 */
export function watchBuddyPool(pool: Handle, known: number, changed: () => void): void {
  control[Word.Block] = known
  showing(pool, () => buddyWatch(changed))
}

/** The wait that has begun, at whose end, when nothing is in use any more, `settled` is called; or 0 if that is so. */
export function closeBuddyPool(pool: Handle, settled: () => void): number {
  showing(pool, () => buddyClose(settled))
  return control[Word.Wait]!
}

export function buddyPoolReport(pool: Handle): BuddyPoolReport {
  return guarded(() => native.buddyPoolReport(pool))
}

/** Forgets a pool that is closed and drained. */
export function endBuddyPool(pool: Handle): void {
  guarded(() => native.buddyPoolEnd(pool))
}

// ── Byte rings ───────────────────────────────────────────────────────────────────────────────────────────────────────

export function createRing(size: number, align: number): { producer: Handle; consumer: Handle } {
  return guarded(() => native.ringCreate(size, align))
}

/** `count` bytes were written, or read; 0 only asks. Out: Available, Ended. */
export function advanceRing(half: Handle, count: number): void {
  control[Word.Handle] = half.index
  control[Word.Generation] = half.generation
  control[Word.Length] = count
  ringAdvance()
  check()
}

/** The wait that has begun, at whose end `settled` is called; or 0. Out, then: Available, Ended. */
export function waitForRing(half: Handle, bytes: number, settled: () => void): number {
  control[Word.Length] = bytes
  showing(half, () => ringWait(settled))
  return control[Word.Wait]!
}

/** Blocks this thread. Out: Available, Ended. */
export function waitForRingSync(half: Handle, bytes: number, timeoutMs: number): void {
  blocking(timeoutMs, () => {
    control[Word.Length] = bytes
    showing(half, ringWaitSync)
  })
}

export function ringHalfView(half: Handle): ArrayBuffer {
  return showing(half, ringView)
}

export function endRingHalf(half: Handle): void {
  showing(half, ringEnd)
}

export function releaseRingHalf(half: Handle, abandoned = false): void {
  control[Word.Abandoned] = abandoned ? 1 : 0
  showing(half, ringRelease)
}

// ── File descriptors: not on Windows ─────────────────────────────────────────────────────────────────────────────────

/** Out: Length, Blocked, Available. */
export function transferNow(half: Handle, fd: number): void {
  control[Word.Descriptor] = fd
  showing(half, ringTransfer)
}

/** The wait that has begun, at whose end `settled` is called. Out, then: as from `transferNow`. */
export function transferLater(half: Handle, fd: number, settled: () => void): number {
  control[Word.Descriptor] = fd
  showing(half, () => ringTransferLater(settled))
  return control[Word.Wait]!
}

/** Asks for the end of what `transferLater` began: if nothing was moved by then, it ends with Blocked. */
export function endTransfer(half: Handle): void {
  showing(half, ringTransferEnd)
}

/** Out: Length, Blocked, the session's words. */
export function writeOutput(session: Handle, fd: number): void {
  control[Word.Descriptor] = fd
  showing(session, outputWrite)
}

/** The wait that has begun, at whose end `settled` is called; or 0. Out, then: as from `writeOutput`. */
export function writeOutputLater(session: Handle, fd: number, settled: () => void): number {
  control[Word.Descriptor] = fd
  showing(session, () => outputWriteLater(settled))
  return control[Word.Wait]!
}

/** Starts a pump, at whose end `settled` is called. */
export function startPump(from: number, to: number, size: number, settled: () => void): Handle {
  control[Word.Descriptor] = from
  control[Word.Sink] = to
  control[Word.Length] = size
  pumpStart(settled)
  check()
  return replyHandle()
}

/** Bytes that it has written so far. */
export function pumpMoved(pump: Handle): bigint {
  return guarded(() => native.pumpMoved(pump))
}

/** It reads no more; what was read is still written. */
export function stopPump(pump: Handle): void {
  guarded(() => native.pumpStop(pump))
}

/** Forgets a pump that is over; the bytes that it has written. */
export function endPump(pump: Handle): bigint {
  return guarded(() => native.pumpEnd(pump))
}

// ── Objects that change isolates ─────────────────────────────────────────────────────────────────────────────────────

/** Takes what the control block names out of this isolate: into a ticket, for example. If it throws, nothing has left. */
export type Carrier = () => void

/** A ticket's text for what `depart` has a carrier take out. */
export function makeTicket(depart: (carrier: Carrier) => void): string {
  let text = ''
  depart(() => {
    text = ticketMake()
    check()
  })
  return text
}

/** Takes in what a ticket stands for. Out: Kind, and what belongs to it. */
export function adoptTicket(text: string): void {
  control[Word.Facade] = bound.facade
  ticketAdopt(text)
  check()
}

/** A slice in a slot of a pool leaves. Out: NextSlot, LastSlot, Next, Room. */
export function departSlot(pool: SlotBacklog, slot: number, carrier: Carrier): void {
  writeBacklog(pool)
  control[Word.Kind] = Kind.Slot
  control[Word.Slot] = slot
  carrier()
}

/** What a handle names leaves. `size`: of a buddy buffer its length. */
export function depart(kind: Kind, handle: Handle, carrier: Carrier, size = 0): void {
  control[Word.Kind] = kind
  control[Word.Handle] = handle.index
  control[Word.Generation] = handle.generation
  control[Word.Size] = size
  carrier()
}

/** The pool that the last call gave. */
export function replyPool(): Handle {
  return { index: control[Word.Pool]!, generation: control[Word.PoolGeneration]! }
}

/** The memory of another isolate's pool that the last call gave. */
export function replyRegion(): Handle {
  return { index: control[Word.Region]!, generation: control[Word.RegionGeneration]! }
}

function writeRegion(region: Handle): void {
  control[Word.Region] = region.index
  control[Word.RegionGeneration] = region.generation
}

export function foreignRegionView(region: Handle): ArrayBuffer {
  writeRegion(region)
  const view = regionView()
  check()
  return view
}

/** Has `closed` called when the region's pool is gone. Out: Wait, 0 if it is. */
export function watchRegion(region: Handle, closed: () => void): void {
  writeRegion(region)
  regionWatch(closed)
  check()
}

/** Gives up this isolate's share of it. */
export function forgetRegion(region: Handle): void {
  writeRegion(region)
  regionForget()
  check()
}

// ── Channels ─────────────────────────────────────────────────────────────────────────────────────────────────────────

export function createChannel(capacity: number): { sender: Handle; receiver: Handle } {
  return guarded(() => native.channelCreate(capacity))
}

function sending(sender: Handle, call: () => void): void {
  control[Word.Target] = sender.index
  control[Word.TargetGeneration] = sender.generation
  call()
  check()
}

/** How many objects can be sent now; throws if none can any more. */
export function askChannel(sender: Handle): number {
  sending(sender, channelAsk)
  return control[Word.Available]!
}

/** Takes what the control block names into the channel, which has room; how many more it has room for. */
export function sendIntoChannel(sender: Handle): number {
  sending(sender, channelSend)
  return control[Word.Available]!
}

/** The wait that has begun, at whose end `settled` is called; or 0. */
export function waitForRoom(sender: Handle, settled: () => void): number {
  sending(sender, () => channelWaitForRoom(settled))
  return control[Word.Wait]!
}

export function endChannel(sender: Handle): void {
  sending(sender, channelEnd)
}

export function releaseSender(sender: Handle): void {
  sending(sender, channelReleaseSender)
}

/** False when nothing is there. Out: what has arrived, as from `adoptTicket`; else Ended. */
export function receiveFromChannel(receiver: Handle): boolean {
  control[Word.Facade] = bound.facade
  showing(receiver, channelReceive)
  return control[Word.Blocked] === 0
}

/** The wait that has begun, at whose end `settled` is called; or 0. */
export function waitForObject(receiver: Handle, settled: () => void): number {
  showing(receiver, () => channelWaitForObject(settled))
  return control[Word.Wait]!
}

/** Blocks this thread. */
export function waitForObjectSync(receiver: Handle, timeoutMs: number): void {
  blocking(timeoutMs, () => showing(receiver, channelWaitForObjectSync))
}

export function releaseReceiver(receiver: Handle): void {
  showing(receiver, channelReleaseReceiver)
}

/**
 * Blocks this thread until native code says that the wait is over. It blocks for a moment at a time: only here, between two of
 * them, does an isolate notice that it is to end. Natively the wait goes on, with its place in a queue and its deadline.
 */
function blocking(timeoutMs: number, wait: () => void): void {
  let going = 0
  do {
    control[Word.Wait] = going
    control[Word.Timeout] = timeoutMs
    wait()
    check()
    going = 1
  } while (control[Word.Wait] !== 0)
}

// ── Waits ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Ends a wait if it is not over; what was granted to it and not yet delivered goes back. */
export function cancelWait(wait: number): void {
  control[Word.Wait] = wait
  waitCancel()
  check()
}

// ── Debug mode ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** From here on all that this isolate makes is in debug mode. */
export function debugEverything(): void {
  guarded(() => native.debugEverything())
}

/** What is kept of a stack, in characters: it can have any length. */
const MAX_STACK = 0x4000

/** Notes who acquired an object, for `inspectProcess` and `takeDisturbances`. */
export function traceObject(kind: string, handle: Handle, stack: string): void {
  guarded(() => native.trace(kind, handle, stack.slice(0, MAX_STACK)))
}

/** Memory that was found to have been written to after its release; with `all` what is still in quarantine is looked at, too. */
export function takeDisturbances(all: boolean): import('./binding.cjs').DisturbedMemory[] {
  return guarded(() => native.takeDisturbances(all))
}

/** What is alive in the process, as far as native code knows. */
export function inspectProcess(): import('./binding.cjs').InspectedObject[] {
  return guarded(() => native.inspect())
}

// ── Loading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The names of the control block's words as native code has them: for the test that compares them with `Word`. */
export function controlLayout(): string[] {
  return native.controlLayout()
}

/** The same for `Kind`. */
export function transferableKinds(): string[] {
  return native.transferableKinds()
}

/**
 * `ArrayBuffer.prototype.transfer`, with which native code detaches ArrayBuffers, from a realm of its own: in this one a
 * script may have replaced it by one that keeps the memory. Undefined where there is none.
 */
function intrinsicTransfer(): ((length: number) => ArrayBuffer) | undefined {
  return runInNewContext('ArrayBuffer.prototype.transfer')
}

/** Runs an ordinary native function; its errors become those of the contract. */
function guarded<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    throw code?.startsWith('ERR_') ? errorOf(code, message) : error
  }
}

function load(): Native {
  try {
    return createRequire(import.meta.url)('./binding.cjs') as Native
  } catch (cause) {
    throw loadFailure(cause)
  }
}
