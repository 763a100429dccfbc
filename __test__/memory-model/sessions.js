import { GrowingPool } from './growing.js'
import { bytesOf, copied, joined, lengthOf, part, same } from './intrinsics.js'
import { size } from './sources.js'
import { Subject } from './subject.js'

let keys

/** Two sessions after their handshake. One may receive into a pool that other operations use. */
export class Sessions extends Subject {
  static make(world) {
    const { generateAuthorityKeypair, Sv2Session } = world.framepool
    keys ??= generateAuthorityKeypair()
    const { publicKey: authorityPublicKey, secretKey: authoritySecretKey } = keys
    const pool = world.random.below(4) > 0 ? world.one(GrowingPool) : undefined
    const options = { outputSize: 2 ** (9 + world.random.below(6)), maxFrameSize: 2 ** 20, pool: pool?.buffer }
    const client = Sv2Session.initiator({ ...options, pool: undefined, authorityPublicKey })
    const server = Sv2Session.responder({ ...options, authorityPublicKey, authoritySecretKey })
    const all = ({ output }) => {
      const wire = new Uint8Array(output.available)
      output.read(wire)
      return wire
    }
    if (pool) world.run(pool, 'makeRoom')
    try {
      server.receive(all(client))
      client.receive(all(server))
    } catch (error) {
      client.close()
      server.close()
      throw error
    }
    return new Sessions(world, client, server, pool)
  }

  #ends
  #batches = []
  /** Pool that the server receives into, if not the shared one. */
  #pool

  constructor(world, client, server, pool) {
    super(world)
    this.#pool = pool
    const end = (session) => ({ session, wire: new Uint8Array(0), sent: [] })
    this.#ends = [end(client), end(server)]
  }

  get operations() {
    return [
      ...[
        'send',
        'send',
        'burst',
        'exchange',
        'exchange',
        'receive',
        'receive',
        'drain',
        'drain',
        'drainLater',
        'forward',
        'look',
        'look',
      ],
      ...['letGo', 'letGo', 'verify', 'tamper', 'take', 'mark', 'close'],
    ]
  }

  get later() {
    return ['drainLater']
  }

  send() {
    this.#send(size(this.world.random, 3000))
  }

  /** Sends enough for the output's ring to grow. */
  burst() {
    for (let times = 0; times < 3; times++) this.#send(this.world.random.below(60_000))
  }

  #send(length) {
    const from = this.#ends[this.world.random.below(2)]
    const payload = bytesOf(length, this.world.random.below(256))
    from.session.send(this.world.options({ messageType: this.world.random.below(256) }), payload)
    from.sent.push(payload)
  }

  /** Sends a frame from one end to the other at once. */
  exchange() {
    this.send()
    for (const [index, end] of this.#ends.entries()) {
      this.#drain(end, true)
      if (lengthOf(end.wire) > 0) this.#receive(end, this.#ends[1 - index], true)
    }
  }

  drain() {
    this.#drain(this.#ends[this.world.random.below(2)], this.world.random.oneIn(2))
  }

  #drain(from, all) {
    const { output } = from.session
    let taken = new Uint8Array(0)
    output.ioSlices((views) => {
      const bytes = joined(views.map((view) => copied(this.saw(view))))
      if (this.world.random.oneIn(3)) this.world.act()
      const length = lengthOf(bytes)
      taken = part(bytes, 0, all ? length : this.world.random.below(length + 1))
      return lengthOf(taken)
    })
    from.wire = joined([from.wire, taken])
  }

  /** Drains while other operations run. They may replace the output's ring. */
  async drainLater() {
    const from = this.#ends[this.world.random.below(2)]
    let taken = new Uint8Array(0)
    const done = from.session.output.ioSlicesAsync(async (views) => {
      const before = views.map((view) => copied(this.saw(view)))
      await null
      const after = views.map((view) => copied(view))
      // Views that were taken away in the meantime are empty.
      this.world.check(
        this.disturbed || before.every((bytes, index) => lengthOf(after[index]) === 0 || same(bytes, after[index])),
        'lent output has changed',
      )
      taken = joined(before)
      return lengthOf(taken)
    })
    const payload = bytesOf(this.world.random.below(60_000), 1)
    from.session.send({ messageType: 1 }, payload)
    from.sent.push(payload)
    await done
    from.wire = joined([from.wire, taken])
  }

  receive() {
    const from = this.world.random.below(2)
    this.#receive(this.#ends[from], this.#ends[1 - from], this.world.random.oneIn(2))
  }

  #receive(from, to, all) {
    const { random } = this.world
    if (to === this.#ends[1] && this.#pool && random.below(4) > 0) this.world.run(this.#pool, 'makeRoom')
    const length = lengthOf(from.wire)
    const chunk = copied(part(from.wire, 0, all ? length : random.below(length + 1)))
    const batch = to.session.receive(chunk)
    from.wire = part(from.wire, lengthOf(chunk))
    for (const frame of batch) {
      const expected = from.sent.shift()
      const payload = this.saw(frame.payload)
      if (!this.disturbed) this.world.check(expected && same(payload, expected), 'another payload arrived')
    }
    if (batch.length === 0) return
    const payloads = Array.from(batch, ({ payload }) => copied(payload))
    if (random.oneIn(2)) batch.retain()
    this.#batches.push({ batch, payloads })
    if (this.#batches.length > 4) this.letGo()
  }

  look() {
    const kept = this.#anyBatch()
    if (kept === undefined) return
    try {
      for (const [index, { payload }] of Array.from(kept.batch).entries()) {
        this.saw(payload)
        this.world.check(same(payload, kept.payloads[index]), 'a batch has changed')
      }
    } catch (error) {
      if (error?.code !== 'ERR_RELEASED') throw error
      this.#batches.splice(this.#batches.indexOf(kept), 1)
    }
  }

  show() {
    this.look()
    for (const { session } of this.#ends) {
      session.output.ioSlices((views) => {
        for (const view of views) this.saw(view)
        return 0
      })
    }
  }

  forward() {
    const kept = this.#anyBatch()
    if (kept === undefined) return
    const { session, sent } = this.world.random.pick(this.#ends)
    session.forward(kept.batch, session)
    sent.push(...kept.payloads)
  }

  #anyBatch() {
    return this.#batches.length === 0 ? undefined : this.world.random.pick(this.#batches)
  }

  letGo() {
    const kept = this.#anyBatch()
    if (kept === undefined) return
    this.#batches.splice(this.#batches.indexOf(kept), 1)
    kept.batch.release()
  }

  /** Ends the sessions, because the bytes in transit are unknown. */
  resync() {
    this.#end()
  }

  verify() {
    // After an error the session may be closed.
    if (this.#pool?.gone || this.#ends.some(({ session }) => session.state === 'closed')) this.#end()
  }

  close() {
    if (this.world.random.oneIn(6)) this.#end()
  }

  #end() {
    this.world.drop(this)
    for (const { session } of this.#ends) session.close()
    for (const { batch } of this.#batches.splice(0)) batch.release()
  }
}
