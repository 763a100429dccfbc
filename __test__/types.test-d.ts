import type { Socket, TcpSocketConnectOpts } from 'node:net'
import type { Duplex, Readable, ReadableOptions, Writable, WritableOptions } from 'node:stream'
import { assertType, describe, expectTypeOf, it } from 'vitest'
import {
  type AeadBuffer,
  type AllocateOptions,
  adopt,
  type BuddyBuffer,
  BuddyPool,
  type BuddyPoolOptions,
  type BuddyPoolStats,
  type BudgetAllocation,
  BudgetPool,
  type BudgetPoolStats,
  type BufferSize,
  ByteRing,
  type Consumer,
  type DelimitedOptions,
  type ErrorCode,
  type FramedBatch,
  FramePoolError,
  FrameReader,
  type FrameWriter,
  type HeaderOptions,
  type InspectedObject,
  inspect,
  type LengthDelimitedOptions,
  MemoryBudget,
  type ObjectKind,
  type Buffer as PoolBuffer,
  type PoolMode,
  type Producer,
  type Reservation,
  type RingHalf,
  type RingReadableOptions,
  type RingWritableOptions,
  relaySockets,
  Slice,
  SliceChannel,
  type SliceReceiver,
  type SliceSender,
  SlotPool,
  type SlotPoolStats,
  SystemMemoryBuffer,
  type Ticket,
  type WaitOptions,
  type Write,
} from '../index.js'
import type { Sv2Session } from '../src/sv2/index.js'
import {
  dispatcher,
  messages,
  NewMiningJob,
  SetupConnection,
  SetupConnectionError,
  SubmitSharesStandard,
  type SubmitSharesStandardFields,
  SubmitSharesSuccess,
} from '../src/sv2/messages/index.js'

describe('interfaces', () => {
  it('Write', () => {
    expectTypeOf<Write>().toEqualTypeOf<{
      write(source: Uint8Array): number
      writeAll(source: Uint8Array): void
    }>()
  })

  it('Buffer', () => {
    expectTypeOf<PoolBuffer>().toExtend<Write>()
    expectTypeOf<Omit<PoolBuffer, keyof Write>>().toEqualTypeOf<{
      getWritable(length: number): Uint8Array
      getDataOwned(): Slice
      getDataByRef(length: number): Uint8Array
      readonly length: number
      readonly isEmpty: boolean
      readonly isDroppable: boolean
      dangerSetStart(index: number): void
    }>()
  })

  it('AeadBuffer', () => {
    expectTypeOf<AeadBuffer>().toEqualTypeOf<{
      readonly bytes: Uint8Array
      extendFromSlice(source: Uint8Array): void
      truncate(length: number): void
    }>()
  })

  it('SlotPoolStats', () => {
    expectTypeOf<PoolMode>().toEqualTypeOf<'back' | 'front' | 'alloc'>()
    expectTypeOf<SlotPoolStats>().toEqualTypeOf<{
      mode: PoolMode
      capacity: number
      slots: string
      liveSlices: number
      heapFallbacks: number
      resets: number
      modeChanges: number
      outOfSlots: number
      outOfBytes: number
      tooLong: number
      heapRefusals: number
    }>()
  })

  it('WaitOptions', () => {
    expectTypeOf<WaitOptions>().toEqualTypeOf<{ signal?: AbortSignal; timeoutMs?: number }>()
  })
})

describe('SlotPool', () => {
  it('is a Buffer, an AeadBuffer and Disposable', () => {
    expectTypeOf<SlotPool>().toExtend<PoolBuffer & AeadBuffer & Disposable>()
  })

  it('is made with a capacity, and optional options', () => {
    expectTypeOf(SlotPool).constructorParameters.toEqualTypeOf<
      [capacity: number, options?: { slots?: number; heapLimit?: number | MemoryBudget; debug?: boolean } | undefined]
    >()
    // @ts-expect-error: there is no default capacity.
    new SlotPool()
    // @ts-expect-error: capacities are numbers.
    new SlotPool('8')
  })

  it('has its own members', () => {
    expectTypeOf<typeof SlotPool.SLOTS>().toEqualTypeOf<8>()
    expectTypeOf<Pick<SlotPool, 'capacity' | 'mode' | 'stats' | 'toString' | 'close'>>().toEqualTypeOf<{
      readonly capacity: number
      readonly mode: PoolMode
      stats(): SlotPoolStats
      toString(): string
      close(): void
    }>()
  })

  it('has read-only properties', () => {
    const pool = new SlotPool(8)
    // @ts-expect-error: the property is set once.
    pool.capacity = 9
    // @ts-expect-error: the property follows from use.
    pool.length = 9
  })
})

describe('SystemMemoryBuffer', () => {
  it('is a Buffer and an AeadBuffer, with an optional capacity', () => {
    expectTypeOf<SystemMemoryBuffer>().toExtend<PoolBuffer & AeadBuffer>()
    expectTypeOf(SystemMemoryBuffer).constructorParameters.toEqualTypeOf<[initialCapacity?: number | undefined]>()
  })
})

describe('Slice', () => {
  it('has the members of the contract', () => {
    expectTypeOf(Slice.from).toEqualTypeOf<(bytes: Uint8Array) => Slice>()
    expectTypeOf<Slice>().toExtend<Disposable>()
    expectTypeOf<Omit<Slice, typeof Symbol.dispose>>().toEqualTypeOf<{
      tag?: number
      readonly bytes: Uint8Array
      readonly length: number
      readonly isEmpty: boolean
      readonly slot: number | null
      copy(): Uint8Array
      release(): boolean
      move(): Ticket<Slice>
    }>()
  })

  it('takes Node Buffers', () => {
    assertType<Slice>(Slice.from(Buffer.from('abc')))
  })

  it('can be used with `using`', () => {
    using pool = new SlotPool(8)
    using slice = pool.getDataOwned()
    assertType<Uint8Array>(slice.bytes)
  })
})

describe('BudgetPool', () => {
  it('has the members of the contract', () => {
    expectTypeOf(BudgetPool).constructorParameters.toEqualTypeOf<
      [config: { bufferSize: BufferSize; maxMemory: number }]
    >()
    expectTypeOf<BudgetPool>().toExtend<AsyncDisposable>()
    expectTypeOf<Omit<BudgetPool, typeof Symbol.asyncDispose>>().toEqualTypeOf<{
      readonly bufferSize: BufferSize
      readonly maxMemory: number
      tryAllocate(count: number, options?: AllocateOptions): BudgetAllocation | null
      allocate(count: number, options?: WaitOptions & AllocateOptions): Promise<BudgetAllocation>
      allocateSync(count: number, options: { timeoutMs: number } & AllocateOptions): BudgetAllocation
      stats(): BudgetPoolStats
      share(): Ticket<BudgetPool>
      close(): Promise<void>
    }>()
    expectTypeOf<BudgetPoolStats>().toEqualTypeOf<{
      allocatedBytes: number
      liveAllocations: number
      waiting: number
      peakBytes: number
    }>()
  })

  it('accepts the sizes of the crate', () => {
    // @ts-expect-error: not a power of two.
    new BudgetPool({ bufferSize: 1000, maxMemory: 4096 })
    // @ts-expect-error: blocking needs a timeout.
    new BudgetPool({ bufferSize: 1024, maxMemory: 4096 }).allocateSync(1, {})
  })
})

describe('BudgetAllocation', () => {
  it('has the members of the contract', () => {
    expectTypeOf<BudgetAllocation>().toExtend<Disposable & Iterable<Uint8Array>>()
    expectTypeOf<Omit<BudgetAllocation, typeof Symbol.dispose | typeof Symbol.iterator>>().toEqualTypeOf<{
      tag?: number
      readonly length: number
      readonly allocatedBytes: number
      readonly bytes: Uint8Array
      first(): Uint8Array
      at(index: number): Uint8Array | undefined
      release(): boolean
      move(): Ticket<BudgetAllocation>
    }>()
  })
})

describe('BuddyPool', () => {
  it('has the members of the contract', () => {
    expectTypeOf(BuddyPool).constructorParameters.toEqualTypeOf<[options?: BuddyPoolOptions | undefined]>()
    expectTypeOf(BuddyPool.capacityFor).toEqualTypeOf<(size: number) => number>()
    expectTypeOf<BuddyPool>().toExtend<AsyncDisposable>()
    expectTypeOf<Omit<BuddyPool, typeof Symbol.asyncDispose>>().toEqualTypeOf<{
      tryAllocate(size: number, options?: { zero?: boolean }): BuddyBuffer | null
      allocateSync(size: number, options?: { zero?: boolean }): BuddyBuffer
      allocate(size: number, options?: WaitOptions & { zero?: boolean }): Promise<BuddyBuffer>
      stats(): BuddyPoolStats
      share(): Ticket<BuddyPool>
      close(): Promise<void>
    }>()
  })

  it('returns buffers', () => {
    expectTypeOf<BuddyBuffer>().toExtend<Disposable>()
    expectTypeOf<Omit<BuddyBuffer, typeof Symbol.dispose>>().toEqualTypeOf<{
      tag?: number
      readonly bytes: Uint8Array
      readonly length: number
      readonly capacity: number
      setLength(length: number): void
      extendFromSlice(source: Uint8Array): void
      release(): boolean
      move(): Ticket<BuddyBuffer>
    }>()
  })
})

describe('framed protocols', () => {
  it('have the types of the contract', () => {
    expectTypeOf(FrameReader.lengthDelimited).toEqualTypeOf<(options: LengthDelimitedOptions) => FrameReader>()
    expectTypeOf(FrameReader.delimited).toEqualTypeOf<(options: DelimitedOptions) => FrameReader>()
    expectTypeOf(FrameReader.withHeader).toEqualTypeOf<(options: HeaderOptions) => FrameReader>()
    expectTypeOf<FrameReader>().toExtend<Disposable>()
    expectTypeOf<Omit<FrameReader, typeof Symbol.dispose>>().toEqualTypeOf<{
      receive(chunk: Uint8Array): FramedBatch
      readonly pending: number
      attach(
        socket: Socket | Duplex,
        onBatch: (batch: FramedBatch) => unknown,
        options?: { signal?: AbortSignal; idleTimeoutMs?: number },
      ): Promise<void>
    }>()
    expectTypeOf<FramedBatch>().toExtend<Iterable<Uint8Array> & Disposable>()
    expectTypeOf<
      Pick<FramedBatch, 'length' | 'tag' | 'payload' | 'header' | 'frame' | 'release' | 'move'>
    >().toEqualTypeOf<{
      readonly length: number
      tag: number
      payload(index: number): Uint8Array
      header(index: number): Uint8Array
      frame(index: number): Uint8Array
      release(): boolean
      move(): Ticket<FramedBatch>
    }>()
    expectTypeOf<Omit<FrameWriter, typeof Symbol.dispose>>().toEqualTypeOf<{
      write(payload: Uint8Array | Slice | BuddyBuffer | BudgetAllocation): boolean
      forward(batch: FramedBatch, from?: number, to?: number): boolean
      drained(options?: WaitOptions): Promise<void>
      end(): Promise<void>
    }>()
    // @ts-expect-error: there is no default for the longest frame.
    FrameReader.delimited({})
  })

  it('have a budget', () => {
    expectTypeOf(MemoryBudget).constructorParameters.toEqualTypeOf<[maxMemory: number]>()
    expectTypeOf<MemoryBudget>().toEqualTypeOf<MemoryBudget>()
    expectTypeOf<Pick<MemoryBudget, 'tryReserve' | 'reserve' | 'share' | 'stats'>>().toEqualTypeOf<{
      tryReserve(bytes: number): Reservation | null
      reserve(bytes: number, options?: WaitOptions): Promise<Reservation>
      share(): Ticket<MemoryBudget>
      stats(): { reservedBytes: number; waiting: number; peakBytes: number }
    }>()
    expectTypeOf<Omit<Reservation, typeof Symbol.dispose>>().toEqualTypeOf<{
      readonly bytes: number
      release(): boolean
    }>()
  })
})

describe('SliceChannel', () => {
  it('carries the items of its type, or any movable object', () => {
    type Movable = Slice | BuddyBuffer | BudgetAllocation | FramedBatch
    expectTypeOf(SliceChannel.create()).toEqualTypeOf<{
      sender: SliceSender<Movable>
      receiver: SliceReceiver<Movable>
    }>()
    const { sender, receiver } = SliceChannel.create<Slice>(8)
    expectTypeOf(sender.send).toEqualTypeOf<(item: Slice, tag?: number) => boolean>()
    expectTypeOf(sender.sendAsync).toEqualTypeOf<
      (item: Slice, options?: WaitOptions & { tag?: number }) => Promise<void>
    >()
    expectTypeOf(receiver.tryReceive).toEqualTypeOf<() => Slice | null>()
    expectTypeOf(receiver.receiveSync).toEqualTypeOf<(options: { timeoutMs: number }) => Slice | null>()
    expectTypeOf(receiver).toExtend<AsyncIterable<Slice>>()
    expectTypeOf(adopt(receiver.move())).toEqualTypeOf<SliceReceiver<Slice>>()
    // @ts-expect-error: only objects with one owner can be sent.
    SliceChannel.create<SlotPool>()
  })
})

describe('ByteRing', () => {
  type Bufs = [Uint8Array, Uint8Array]
  it('splits into two halves', () => {
    expectTypeOf(ByteRing).constructorParameters.toEqualTypeOf<[size: number, align?: number | undefined]>()
    expectTypeOf<Omit<ByteRing, never>>().toEqualTypeOf<{
      readonly size: number
      intoParts(): { producer: Producer; consumer: Consumer }
    }>()
    expectTypeOf<Producer>().toExtend<RingHalf & Write>()
    expectTypeOf<Consumer>().toExtend<RingHalf>()
    expectTypeOf<Consumer>().not.toExtend<Write>()
  })

  it('has halves that wait and lend', () => {
    assertType<(fill: (bufs: Bufs, length: number) => number) => number>({} as Producer['ioSlices'])
    expectTypeOf<Consumer['ioSlices']>().returns.toEqualTypeOf<number>()
    expectTypeOf<Consumer['ioSlicesAsync']>().parameter(0).returns.toEqualTypeOf<Promise<number>>()
    assertType<(bytes?: number, options?: WaitOptions) => Promise<number>>({} as Producer['writable'])
    expectTypeOf<Consumer['readableSync']>().toEqualTypeOf<(bytes: number, options: { timeoutMs: number }) => number>()
    expectTypeOf<Consumer['read']>().toEqualTypeOf<(target: Uint8Array) => number>()
    // @ts-expect-error: blocking needs a timeout.
    new ByteRing(64).intoParts().consumer.readableSync(1, {})
  })

  it('reads and writes sockets', () => {
    expectTypeOf<Producer['onread']>().returns.toExtend<NonNullable<TcpSocketConnectOpts['onread']>>()
    expectTypeOf<Consumer['pipeTo']>().toEqualTypeOf<
      (socket: Socket, options?: { signal?: AbortSignal; end?: boolean }) => Promise<void>
    >()
    expectTypeOf(relaySockets).toEqualTypeOf<
      (
        a: Socket,
        b: Socket,
        options?: { size?: number; idleTimeoutMs?: number; signal?: AbortSignal },
      ) => Promise<{ aToB: number; bToA: number }>
    >()
  })
})

describe('tickets', () => {
  it('are plain, and carry the type of their object', () => {
    expectTypeOf<Ticket<Slice>>().toEqualTypeOf<{ readonly framepool: string; readonly __type?: Slice }>()
    expectTypeOf(adopt<Slice>).toEqualTypeOf<(ticket: Ticket<Slice>) => Slice>()
    const { producer, consumer } = new ByteRing(64).intoParts()
    expectTypeOf(adopt(producer.move())).toEqualTypeOf<Producer>()
    expectTypeOf(adopt(consumer.move())).toEqualTypeOf<Consumer>()
    expectTypeOf(adopt(Slice.from(Buffer.from('abc')).move())).toEqualTypeOf<Slice>()
    // @ts-expect-error: the text alone is not a ticket.
    adopt('00000000000000000000000000000000')
  })
})

describe('streams of a ring', () => {
  it("are Node's and the web's", () => {
    expectTypeOf<Pick<Consumer, 'toReadable' | 'toReadableStream'>>().toEqualTypeOf<{
      toReadable(options?: RingReadableOptions): Readable
      toReadableStream(): ReadableStream<Uint8Array>
    }>()
    expectTypeOf<Pick<Producer, 'toWritable' | 'toWritableStream'>>().toEqualTypeOf<{
      toWritable(options?: RingWritableOptions): Writable
      toWritableStream(): WritableStream<Uint8Array>
    }>()
  })

  it("take the options of Node's streams that suit bytes", () => {
    expectTypeOf<ReadableOptions>().toExtend<RingReadableOptions>()
    expectTypeOf<WritableOptions>().toExtend<RingWritableOptions>()
    const { producer, consumer } = new ByteRing(16).intoParts()
    consumer.toReadable({
      highWaterMark: 1024,
      encoding: 'utf8',
      signal: new AbortController().signal,
      emitClose: true,
    })
    // @ts-expect-error: a ring holds bytes.
    consumer.toReadable({ objectMode: true })
    // @ts-expect-error: the ring writes.
    producer.toWritable({ write: () => {} })
  })
})

describe('FramePoolError', () => {
  it('has a code', () => {
    expectTypeOf<FramePoolError>().toExtend<Error>()
    expectTypeOf<FramePoolError['code']>().toEqualTypeOf<ErrorCode>()
    expectTypeOf<'ERR_RELEASED' | 'ERR_CLOSED' | 'ERR_WRITE_ZERO' | 'ERR_NO_MEMORY'>().toExtend<ErrorCode>()
    // @ts-expect-error: there is no such code.
    new FramePoolError('ERR_OTHER', '')
  })
})

it('inspect', () => {
  expectTypeOf<ObjectKind>().toEqualTypeOf<
    | 'frame-reader'
    | 'memory-budget'
    | 'reservation'
    | 'slot-pool'
    | 'system-memory-buffer'
    | 'slice'
    | 'sv2-session'
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
  >()
  expectTypeOf(inspect).toEqualTypeOf<() => InspectedObject[]>()
  expectTypeOf<InspectedObject>().toEqualTypeOf<{
    kind: ObjectKind
    owner: number
    bytes: number
    ageMs?: number
    stack?: string
  }>()
})

describe('the messages', () => {
  it('know their fields', () => {
    expectTypeOf(SubmitSharesStandard.decode).returns.toEqualTypeOf<SubmitSharesStandardFields>()
    expectTypeOf(SubmitSharesSuccess.get.newSharesSum).toEqualTypeOf<(payload: Uint8Array) => bigint>()
    expectTypeOf(NewMiningJob.get.minNtime).returns.toEqualTypeOf<number | null>()
    expectTypeOf(SetupConnection.raw.vendor).returns.toEqualTypeOf<Uint8Array>()
    expectTypeOf(messages).items.toHaveProperty('encode')
    expectTypeOf(messages[0].name).toEqualTypeOf<'SetupConnection'>()
    // @ts-expect-error: a number is no field of it.
    SetupConnection.raw.flags
    // @ts-expect-error: a string has no fixed size.
    SetupConnection.set.vendor
    // @ts-expect-error: there is no such field.
    SetupConnection.get.nonce
    // @ts-expect-error: there is no such field.
    assertType<Parameters<typeof SubmitSharesStandard.encode>[0]>({ ...({} as SubmitSharesStandardFields), user: 1 })
    // @ts-expect-error: strings and bytes alone.
    assertType<Parameters<typeof SetupConnection.encode>[0]['vendor']>(1)
  })

  it('are sent with their fields', () => {
    const session = {} as Sv2Session
    const success = { channelId: 1, lastSequenceNumber: 2, newSubmitsAcceptedCount: 3, newSharesSum: 4n }
    const send = () => {
      expectTypeOf(session.send(SubmitSharesSuccess, success)).toEqualTypeOf<boolean>()
      session.send(SetupConnectionError, { flags: 0, errorCode: Uint8Array.of(1) })
      // @ts-expect-error: a sum is a bigint.
      session.send(SubmitSharesSuccess, { ...success, newSharesSum: 4 })
      // @ts-expect-error: fields are missing.
      session.send(SubmitSharesSuccess, { channelId: 1 })
    }
    assertType<() => void>(send)
  })

  it('are dispatched with their fields', () => {
    const dispatch = dispatcher({
      SubmitSharesStandard: (fields, frame) => {
        expectTypeOf(fields).toEqualTypeOf<SubmitSharesStandardFields>()
        expectTypeOf(frame.payload).toEqualTypeOf<Uint8Array>()
      },
    })
    expectTypeOf(dispatch).returns.toBeUnknown()
    // @ts-expect-error: there is no such message.
    assertType<Parameters<typeof dispatcher>[0]>({ SubmitShares: () => {} })
    dispatcher({
      // @ts-expect-error: there is no such field.
      SetTarget: ({ target }) => target,
    })
  })
})
