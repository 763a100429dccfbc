import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { DEBUG } from '../../support/debug-mode.js'
import { eventually, PATIENCE_MS } from '../../support/network.js'
import { pattern } from '../../support/pattern.js'
import { Random } from '../../support/random.js'
import { ACT_1, drain, pair, receiveInPieces, wireLength } from '../../support/sessions.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
/** The largest output, in bytes. */
const SIZE = 65_536

describe('an output that grows', () => {
  it('is small until there is traffic, and reports its largest size', () => {
    const { initiator } = pair({ outputSize: SIZE })
    expect(initiator.stats().memoryBytes).toBeLessThan(2048)
    expect(initiator.output.size).toBe(SIZE)
    initiator.send({ messageType: 1 }, pattern(10_000))
    expect(initiator.stats().memoryBytes).toBeLessThan(20_000)
    expect(initiator.output.size).toBe(SIZE)
  })

  it('counts all its possible room, and resolves waits for it', async () => {
    const { initiator } = pair({ outputSize: SIZE })
    const [some, all] = [initiator.output.readable(5000), initiator.output.readable(SIZE)]
    for (let sent = 0; sent < SIZE; sent += wireLength(100)) initiator.send({ messageType: 1 }, pattern(100))
    expect([initiator.output.available, await some, await all]).toEqual([SIZE, 37 * wireLength(100), SIZE])
  })

  it('continues where it was', () => {
    const { initiator, responder } = pair({ outputSize: SIZE })
    const { output } = initiator
    const wire: Buffer[] = []
    const take = (count: number): void => {
      output.ioSlices(([first, second]) => {
        wire.push(Buffer.concat([first, second]).subarray(0, count))
        return count
      })
    }
    initiator.send({ messageType: 0 }, pattern(900, 0))
    take(800)
    // The bytes wrap in the first ring and move to the next.
    initiator.send({ messageType: 1 }, pattern(500, 1))
    initiator.send({ messageType: 2 }, pattern(5000, 2))
    expect(output.position).toBe(BigInt(ACT_1 + 800))
    take(1000)
    initiator.send({ messageType: 3 }, pattern(50_000, 3))
    expect(output.position).toBe(BigInt(ACT_1 + 1800))
    wire.push(drain(initiator))
    const frames = receiveInPieces(responder, Buffer.concat(wire), () => 7000)
    expect(frames).toEqual(
      [900, 500, 5000, 50_000].map((length, index) => ({ messageType: index, payload: pattern(length, index) })),
    )
  })

  it('keeps only views that are lent', async () => {
    const { initiator, responder } = pair({ outputSize: SIZE })
    initiator.send({ messageType: 1 }, pattern(100))
    let left: Uint8Array = new Uint8Array()
    initiator.output.ioSlices(([first]) => {
      left = first
      return 0
    })
    initiator.send({ messageType: 2 }, pattern(10_000))
    expect(left.length).toBe(0)

    let wire = Buffer.alloc(0)
    const lending = initiator.output.ioSlicesAsync(async ([first], length) => {
      initiator.send({ messageType: 3 }, pattern(40_000))
      await new Promise(setImmediate)
      wire = Buffer.from(first)
      return length
    })
    expect(await lending).toBe(wireLength(100) + wireLength(10_000))
    const frames = receiveInPieces(responder, Buffer.concat([wire, drain(initiator)]), () => 9000)
    expect(frames.map(({ payload }) => payload)).toEqual([pattern(100), pattern(10_000), pattern(40_000)])
  })

  it('loses and changes nothing under any order of sends and drains', () => {
    const random = new Random()
    for (let program = 0; program < 30; program++) {
      const { initiator, responder } = pair({ outputSize: 2 ** (6 + random.below(12)) })
      const sent: Buffer[] = []
      const received: Buffer[] = []
      const pass = (wire: Uint8Array): void => {
        for (const { payload } of receiveInPieces(responder, wire, () => 1 + random.below(5000))) received.push(payload)
      }
      let position = initiator.output.position
      for (let step = 0; step < 60; step++) {
        const { output } = initiator
        const action = random.below(4)
        if (action < 2) {
          sent.push(pattern(random.below(random.below(10) === 0 ? 100_000 : 600), step))
          initiator.send({ messageType: 1 }, sent.at(-1)!)
        } else if (action === 2) {
          const wire = Buffer.alloc(random.below(4000))
          const read = output.read(wire)
          position += BigInt(read)
          pass(wire.subarray(0, read))
        } else {
          output.ioSlices((views, length) => {
            const count = random.below(length + 1)
            const wire = Buffer.concat(views).subarray(0, count)
            if (random.below(4) === 0) {
              sent.push(pattern(random.below(3000), step))
              initiator.send({ messageType: 1 }, sent.at(-1)!)
              expect(Buffer.concat(views).subarray(0, count), random.origin).toEqual(wire)
            }
            position += BigInt(count)
            pass(wire)
            return count
          })
        }
        expect(output.position, random.origin).toBe(position)
      }
      pass(drain(initiator))
      expect(received.length, random.origin).toBe(sent.length)
      expect(
        received.every((payload, index) => payload.equals(sent[index]!)),
        random.origin,
      ).toBe(true)
    }
  })
})

describe('an output that falls silent', { timeout: PATIENCE_MS }, () => {
  it('gives back the memory of its traffic, and continues', async () => {
    const [{ initiator, responder }, other] = [pair(), pair()]
    const idle = initiator.stats().memoryBytes
    for (let round = 0; round < 2; round++) {
      initiator.send({ messageType: 1 }, pattern(30_000))
      const { position } = initiator.output
      other.initiator.send({ messageType: 1 }, pattern(30_000))
      expect(initiator.stats().memoryBytes).toBeGreaterThan(30_000)
      expect(responder.receive(drain(initiator)).length).toBe(1)
      await eventually(() => expect(initiator.stats().memoryBytes).toBe(idle))
      expect(initiator.output.position).toBe(position + BigInt(wireLength(30_000)))
      // The ring does not shrink while it holds bytes.
      expect(other.initiator.output.available).toBe((round + 1) * wireLength(30_000))
    }
    const payloads = [...other.responder.receive(drain(other.initiator))].map(({ payload }) => Buffer.from(payload))
    expect(payloads).toEqual([pattern(30_000), pattern(30_000)])
  })

  // In debug mode the memory is in quarantine.
  it.skipIf(DEBUG)('returns it to the system', async () => {
    const initiators = Array.from({ length: 1000 }, () => pair().initiator)
    const payload = pattern(60_000)
    const before = process.memoryUsage.rss()
    for (const initiator of initiators) initiator.send({ messageType: 1 }, payload)
    expect(process.memoryUsage.rss() - before).toBeGreaterThan(50_000_000)
    for (const { output } of initiators) output.ioSlices((_, length) => length)
    await eventually(() => expect(process.memoryUsage.rss() - before).toBeLessThan(15_000_000))
    for (const initiator of initiators) initiator.close()
  })

  it('does not keep the process alive', () => {
    const program = `
      import { Sv2Session, generateAuthorityKeypair } from './dist/src/sv2/index.js'
      const { publicKey: authorityPublicKey, secretKey: authoritySecretKey } = generateAuthorityKeypair()
      const one = Sv2Session.initiator()
      const other = Sv2Session.responder({ authorityPublicKey, authoritySecretKey })
      for (const [from, to] of [[one, other], [other, one]]) {
        from.output.ioSlices(([bytes], length) => (to.receive(bytes), length))
      }
      one.send({ messageType: 1 }, Buffer.alloc(30_000))
      console.log(one.stats().memoryBytes > 30_000)`
    const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      cwd: root,
      encoding: 'utf8',
      timeout: PATIENCE_MS,
    })
    expect([stdout, status]).toEqual(['true\n', 0])
  })
})
