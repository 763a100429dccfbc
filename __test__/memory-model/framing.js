import { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { GrowingPool } from './growing.js'
import { Holder } from './holders.js'
import { bytesOf, copied, joined, lengthOf, part, same } from './intrinsics.js'
import { Ledger } from './ledger.js'
import { size, source } from './sources.js'
import { Subject } from './subject.js'

const MOST = 2 ** 20
const DELIMITER = Uint8Array.of(0xff, 0xfe)

/** A socket that leads nowhere. It holds what is written until its user has seen it. */
class Wire extends Socket {
  #events

  constructor(events) {
    super()
    this.#events = events
  }

  _read() {}

  _write(chunk, encoding, done) {
    this.#events.write(chunk, encoding, done)
  }

  _writev(chunks, done) {
    this.#events.writev(chunks, done)
  }
}

/** A stream of frames from a writer to a reader. The reader may receive into a pool that other operations use. */
export class Frames extends Subject {
  static make(world) {
    const { random } = world
    const { FrameReader, FrameWriter } = world.framepool
    const pool = random.oneIn(2) ? world.one(GrowingPool) : undefined
    const budget = random.oneIn(3) ? world.one(Ledger)?.forReaders() : undefined
    const kind = random.pick(['lengthDelimited', 'delimited', 'withHeader'])
    const layout = kind === 'delimited' ? { delimiter: DELIMITER } : {}
    const header = {
      headerLength: 4,
      frameLength: (bytes) => {
        world.see(bytes)
        if (random.oneIn(20)) world.act()
        return 4 + ((bytes[0] << 24) | (bytes[1] << 16) | (bytes[2] << 8) | bytes[3])
      },
    }
    const options = { maxFrameLength: MOST, ...layout }
    if (pool) world.run(pool, 'makeRoom')
    const reader = FrameReader[kind]({
      ...options,
      ...(kind === 'withHeader' ? header : {}),
      ...(pool === undefined ? {} : { pool: pool.buffer }),
      ...(budget === undefined ? {} : { budget }),
    })
    const frames = new Frames(world, reader, pool)
    frames.#writer = FrameWriter[kind === 'delimited' ? kind : 'lengthDelimited'](frames.#socket, options)
    return frames
  }

  #reader
  #writer
  #pool
  /** What the writer has written and the socket has not taken, oldest first. */
  #taking = []
  #socket
  /** Whether the stream calls back before it has used the bytes. A socket never does, but other streams may. */
  #hasty
  /** Bytes that the socket has taken and the reader has not received. */
  #wire = new Uint8Array(0)
  /** Whether a script took memory whose bytes were on their way. What comes after them means nothing. */
  #robbed = false
  /** Payloads that were written and not received. */
  #sent = []
  #batches = []

  constructor(world, reader, pool) {
    super(world)
    this.#reader = reader
    this.#pool = pool
    this.#hasty = world.random.oneIn(3)
    const events = {
      read: () => {},
      write: (chunk, _, done) => this.#taking.push({ chunks: [chunk], done }),
      writev: (chunks, done) => this.#taking.push({ chunks: chunks.map(({ chunk }) => chunk), done }),
    }
    this.#socket = this.#hasty ? new Duplex(events) : new Wire(events)
    this.#socket.on('error', () => {})
  }

  get operations() {
    return [
      ...[
        'write',
        'write',
        'hand',
        'hand',
        'forward',
        'deliver',
        'deliver',
        'deliver',
        'receive',
        'receive',
        'receive',
      ],
      ...['look', 'look', 'change', 'moveBatch', 'loseBatch', 'letGo', 'letGo', 'verify', 'tamper', 'take', 'mark'],
      ...['close', 'destroy'],
    ]
  }

  get later() {
    return ['deliver']
  }

  write() {
    const { random } = this.world
    // A stream ends after bytes that cannot be predicted, so most are plain.
    const { bytes, honest } = random.oneIn(4)
      ? source(this.world, size(random))
      : { bytes: bytesOf(size(random, 100_000), random.below(128)), honest: true }
    const before = honest ? copied(bytes) : null
    if (!honest) this.disturbed = true
    this.#send(() => this.#writer.write(bytes), [before])
  }

  /** Hands an object over to the writer. */
  hand() {
    const holder = this.world.one(Holder)
    if (holder === undefined || holder.busy > 0) return
    const sends = () => {
      this.#writer.write(holder.object)
      this.world.drop(holder)
    }
    this.#send(sends, [holder.content === null ? null : copied(holder.content)])
  }

  forward() {
    const kept = this.#anyBatch()
    if (kept === undefined) return
    const from = this.world.random.below(kept.payloads.length)
    const to = from + this.world.random.below(kept.payloads.length - from + 1)
    const payloads = kept.payloads.slice(from, to).map((payload) => copied(payload))
    this.#send(() => this.#writer.forward(kept.batch, from, to), payloads)
    // The bytes must stay as they are until the socket has taken them.
    kept.forwarded = true
  }

  /** Notes the payloads that `send` writes. A writer that has lost bytes, because a script took their memory, sends no more. */
  #send(send, payloads) {
    try {
      send()
      this.#sent.push(...payloads)
    } catch (error) {
      if (error?.code === 'ERR_CLOSED') this.#end()
      throw error
    }
  }

  /** Has the socket take what was written. */
  async deliver() {
    await turn()
    while (this.#taking.length > 0 && !this.gone) {
      const { chunks, done } = this.#taking.shift()
      if (this.#hasty) {
        done()
        await turn()
      }
      if (chunks.some((chunk) => lengthOf(chunk) === 0)) this.#robbed = true
      this.#wire = joined([this.#wire, ...chunks.map((chunk) => copied(this.world.see(chunk)))])
      if (!this.#hasty) done()
      if (this.world.random.oneIn(2)) await turn()
    }
  }

  receive() {
    const { random } = this.world
    if (this.#pool && random.below(4) > 0) this.world.run(this.#pool, 'makeRoom')
    const length = lengthOf(this.#wire)
    const count = random.oneIn(2) ? length : random.below(length + 1)
    const chunk = copied(part(this.#wire, 0, count))
    const batch = this.#reader.receive(chunk)
    this.#wire = part(this.#wire, count)
    const payloads = []
    try {
      for (const view of batch) {
        const payload = copied(this.saw(view))
        payloads.push(payload)
        const expected = this.#sent.shift()
        if (this.disturbed || this.#robbed || expected === null) continue
        this.world.check(expected !== undefined && same(payload, expected), 'another payload arrived')
      }
    } catch (error) {
      // There was no memory for a view. The other payloads have arrived all the same.
      this.#sent.splice(0, batch.length - payloads.length)
      throw error
    }
    if (batch.length === 0) return
    for (let index = 0; index < batch.length; index++) {
      if (random.oneIn(4)) this.saw(random.oneIn(2) ? batch.header(index) : batch.frame(index))
    }
    if (random.oneIn(2)) batch.retain()
    this.#batches.push({ batch, payloads, forwarded: false })
    if (this.#batches.length > 4) this.letGo()
  }

  look() {
    const kept = this.#anyBatch()
    if (kept === undefined) return
    try {
      for (const [index, payload] of kept.payloads.entries()) {
        const view = this.saw(kept.batch.payload(index))
        this.world.check(this.disturbed || same(view, payload), 'a batch has changed')
      }
    } catch (error) {
      if (error?.code !== 'ERR_RELEASED') throw error
      this.#forget(kept)
    }
  }

  /** Changes a frame in place. */
  change() {
    const kept = this.#anyBatch()
    if (kept === undefined || kept.forwarded) return
    const index = this.world.random.below(kept.payloads.length)
    const view = this.saw(kept.batch.payload(index))
    if (this.disturbed || lengthOf(view) === 0) return
    const at = this.world.random.below(lengthOf(view))
    view[at] = kept.payloads[index][at] = 1
  }

  moveBatch() {
    const kept = this.#anyBatch()
    if (kept === undefined) return
    const tag = this.world.random.below(2 ** 32) / 3
    kept.batch.tag = tag
    const ticket = kept.batch.move()
    kept.batch = this.world.adopt(ticket)
    this.world.check(kept.batch.tag === tag, 'a batch has another tag')
  }

  loseBatch() {
    if (!this.world.random.oneIn(6)) return
    const kept = this.#anyBatch()
    if (kept === undefined) return
    kept.batch.move()
    this.#forget(kept)
  }

  show() {
    this.look()
  }

  #anyBatch() {
    return this.#batches.length === 0 ? undefined : this.world.random.pick(this.#batches)
  }

  #forget(kept) {
    const index = this.#batches.indexOf(kept)
    if (index >= 0) this.#batches.splice(index, 1)
  }

  letGo() {
    const kept = this.#anyBatch()
    if (kept === undefined) return
    this.#forget(kept)
    kept.batch.release()
  }

  /** Ends the stream, because the bytes in transit are unknown. */
  resync() {
    this.#end()
  }

  verify() {
    if (this.#pool?.gone || this.#socket.destroyed) this.#end()
  }

  close() {
    if (this.world.random.oneIn(8)) this.#end()
  }

  /** Breaks the connection: what the writer has goes back. */
  destroy() {
    if (this.world.random.oneIn(12)) this.#socket.destroy()
  }

  #end() {
    this.world.drop(this)
    this.#reader[Symbol.dispose]()
    this.#writer[Symbol.dispose]()
    this.#socket.destroy()
    for (const { batch } of this.#batches.splice(0)) batch.release()
  }
}
