// Objects that no hostile call receives. Their contents must not change.
import { equal } from 'node:assert/strict'

const BYTES = 1000
const RING_BYTE = 0xee

export class Guards {
  #Sv2Session
  #keys
  #pool
  #holders
  #releases
  #reader

  constructor({ BuddyPool, BudgetPool, ByteRing, SlotPool, Sv2Session }, keys) {
    const pool = new SlotPool(8 * BYTES)
    const buddies = new BuddyPool({ maxMemory: 2 ** 26 })
    const budget = new BudgetPool({ bufferSize: 1024, maxMemory: 2 ** 20 })
    const slices = [0, 1, 2].map(() => {
      pool.getWritable(BYTES)
      return pool.getDataOwned()
    })
    this.#holders = [...slices, buddies.allocateSync(2 ** 14), budget.tryAllocate(4)]
    this.#releases = [pool, buddies, budget]
    const { producer, consumer } = new ByteRing(1024).intoParts()
    producer.writeAll(new Uint8Array(BYTES).fill(RING_BYTE))
    this.#reader = consumer
    for (const [index, { bytes }] of this.#holders.entries()) bytes.fill(index + 1)
    this.#pool = pool
    this.#Sv2Session = Sv2Session
    this.#keys = keys
  }

  /** Fails if something has changed. */
  check() {
    for (const [index, { bytes }] of this.#holders.entries()) {
      equal(bytes.length >= BYTES && holdsOnly(bytes, index + 1), true, `guard ${index} was written to`)
    }
    equal(this.#pool.toString(), '123-----  BACK MODE')
    this.#reader.ioSlices(([bytes], length) => {
      equal(length, BYTES)
      equal(holdsOnly(bytes, RING_BYTE), true, 'the ring was written to')
      return 0
    })
  }

  /** Returns two sessions after their handshake, and a batch that one of them received. */
  connection() {
    const { publicKey: authorityPublicKey, secretKey: authoritySecretKey } = this.#keys
    const client = this.#Sv2Session.initiator({ authorityPublicKey })
    const server = this.#Sv2Session.responder({ authorityPublicKey, authoritySecretKey })
    carry(client, server)
    carry(server, client)
    for (let type = 0; type < 3; type++)
      client.send({ messageType: type, channelMessage: true }, new Uint8Array(type * 50))
    const batch = carry(client, server)
    equal(batch.length, 3)
    return [client, server, batch.retain(), ...batch]
  }

  release() {
    for (const holder of this.#holders) equal(holder.release(), true)
    for (const pool of this.#releases) pool.close()
  }
}

function holdsOnly(bytes, byte) {
  return Buffer.compare(bytes, Buffer.alloc(bytes.length, byte)) === 0
}

function carry(from, to) {
  const wire = new Uint8Array(from.output.available)
  from.output.read(wire)
  return to.receive(wire)
}
