/**
 * Compares the message codecs with JSON, with codecs on DataView written by hand, and with `binary_sv2`, the native codec
 * (`cargo bench -p message-vectors`), and counts the garbage that two reads in place leave.
 */
import { strict as assert } from 'node:assert'
import { PerformanceObserver } from 'node:perf_hooks'
import { generateAuthorityKeypair, Sv2Session } from '../src/sv2/index.js'
import { describe, NewExtendedMiningJob, SubmitSharesStandard, SubmitSharesSuccess } from '../src/sv2/messages/index.js'
import { compare } from './compare.js'
import { runBench } from './native.js'

/** Payloads that a run works on, side by side as in a batch. */
const WORK = 1_000
const LENGTH = 24
// Each with all of its fields at once: objects that are spread into one another are slow to read.
const shares = Array.from({ length: WORK }, (_, index) => ({
  channelId: index & 7,
  sequenceNumber: index,
  jobId: 9,
  nonce: 0xdead_0000 + index,
  ntime: 1_700_000_000,
  version: 0x2000_0000,
}))
const memory = new Uint8Array(WORK * LENGTH)
const payloads = shares.map((share, index) => {
  const payload = memory.subarray(index * LENGTH, (index + 1) * LENGTH)
  SubmitSharesStandard.encodeInto(payload, share)
  return payload
})
const texts = shares.map((share) => JSON.stringify(share))
const target = new Uint8Array(64)
const targetView = new DataView(target.buffer)
type Share = (typeof shares)[number]

function viewOf(payload: Uint8Array): DataView {
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
}

function decodeByHand(view: DataView, at: number): Share {
  return {
    channelId: view.getUint32(at, true),
    sequenceNumber: view.getUint32(at + 4, true),
    jobId: view.getUint32(at + 8, true),
    nonce: view.getUint32(at + 12, true),
    ntime: view.getUint32(at + 16, true),
    version: view.getUint32(at + 20, true),
  }
}

const native = runBench('message-vectors', 'share') as Record<'from_bytes' | 'to_bytes' | 'to_writer', number[]>

/** One view of all payloads, which a program has that keeps offsets instead of payloads: the fastest that DataView can be. */
const memoryView = new DataView(memory.buffer)

function encodeByHand(view: DataView, share: Share): number {
  view.setUint32(0, share.channelId, true)
  view.setUint32(4, share.sequenceNumber, true)
  view.setUint32(8, share.jobId, true)
  view.setUint32(12, share.nonce, true)
  view.setUint32(16, share.ntime, true)
  view.setUint32(20, share.version, true)
  return LENGTH
}

/** A case that adds up what `each` gives of every share. */
function over(name: string, each: (index: number) => number, wanted: number) {
  return {
    name,
    run: () => {
      let sum = 0
      for (let index = 0; index < WORK; index++) sum += each(index)
      assert.equal(sum, wanted)
    },
  }
}

const sequence = (WORK * (WORK - 1)) / 2
const ids = shares.reduce((sum, { channelId }) => sum + channelId, 0)
const { get } = SubmitSharesStandard
const payloadAt = (index: number): Uint8Array => payloads[index]!

await compare({
  title: 'SubmitSharesStandard: two fields of a payload',
  work: WORK,
  cases: [
    over('get', (at) => get.channelId(payloadAt(at)) + get.sequenceNumber(payloadAt(at)), ids + sequence),
    over(
      'a DataView of the batch, unchecked',
      (at) => memoryView.getUint32(at * LENGTH, true) + memoryView.getUint32(at * LENGTH + 4, true),
      ids + sequence,
    ),
    over(
      'a DataView for each, unchecked',
      (at) => {
        const view = viewOf(payloadAt(at))
        return view.getUint32(0, true) + view.getUint32(4, true)
      },
      ids + sequence,
    ),
  ],
})
await compare({
  title: 'SubmitSharesStandard: all fields of a payload',
  work: WORK,
  cases: [
    over('decode', (at) => SubmitSharesStandard.decode(payloadAt(at)).sequenceNumber, sequence),
    over('a DataView of the batch, unchecked', (at) => decodeByHand(memoryView, at * LENGTH).sequenceNumber, sequence),
    over('a DataView for each, unchecked', (at) => decodeByHand(viewOf(payloadAt(at)), 0).sequenceNumber, sequence),
    over('JSON.parse', (at) => (JSON.parse(texts[at]!) as Share).sequenceNumber, sequence),
  ],
  measured: [{ name: 'binary_sv2 7.0.0 in Rust, from_bytes', costs: native.from_bytes }],
})
await compare({
  title: 'SubmitSharesStandard: a payload',
  work: WORK,
  cases: [
    over('encodeInto', (at) => SubmitSharesStandard.encodeInto(target, shares[at]!), WORK * LENGTH),
    over('a DataView of the target, unchecked', (at) => encodeByHand(targetView, shares[at]!), WORK * LENGTH),
    over('encode', (at) => SubmitSharesStandard.encode(shares[at]!).length, WORK * LENGTH),
    over(
      'JSON.stringify',
      (at) => JSON.stringify(shares[at]).length,
      texts.reduce((sum, text) => sum + text.length, 0),
    ),
  ],
  measured: [
    { name: 'binary_sv2 7.0.0 in Rust, to_writer', costs: native.to_writer },
    { name: 'binary_sv2 7.0.0 in Rust, to_bytes', costs: native.to_bytes },
  ],
})

const job = NewExtendedMiningJob.encode({
  ...{ channelId: 1, jobId: 2, minNtime: null, version: 0x2000_0000, versionRollingAllowed: true },
  merklePath: Array.from({ length: 13 }, (_, index) => new Uint8Array(32).fill(index)),
  ...{ coinbaseTxPrefix: new Uint8Array(120).fill(1), coinbaseTxSuffix: new Uint8Array(60_000).fill(2) },
})
const frame = { extensionType: 0, messageType: NewExtendedMiningJob.messageType, payload: job }
await compare({
  title: 'NewExtendedMiningJob of a full block',
  work: WORK,
  cases: [
    over('describe', () => describe(frame).length, WORK * describe(frame).length),
    over('decode', () => NewExtendedMiningJob.decode(job).jobId, WORK * 2),
  ],
})

const { publicKey: authorityPublicKey, secretKey: authoritySecretKey } = generateAuthorityKeypair()
const one = Sv2Session.initiator({ authorityPublicKey, outputSize: 1 << 17 })
const other = Sv2Session.responder({ authorityPublicKey, authoritySecretKey })
for (const [from, to] of [
  [one, other],
  [other, one],
] as const) {
  from.output.ioSlices(([bytes], length) => {
    to.receive(bytes)
    return length
  })
}
const success = { channelId: 1, lastSequenceNumber: 2, newSubmitsAcceptedCount: 3, newSharesSum: 4n }
const ready = SubmitSharesSuccess.encode(success)
const header = { messageType: SubmitSharesSuccess.messageType, channelMessage: true }
function sending(name: string, send: () => boolean) {
  return {
    name,
    run: () => {
      for (let index = 0; index < WORK; index++) send()
      one.output.ioSlices((_, length) => length)
    },
  }
}
await compare({
  title: 'SubmitSharesSuccess, sent',
  work: WORK,
  cases: [
    sending('send(header, payload)', () => one.send(header, ready)),
    sending('send(message, fields)', () => one.send(SubmitSharesSuccess, success)),
    sending('send(header, message.encode(fields))', () => one.send(header, SubmitSharesSuccess.encode(success))),
  ],
})

const collections: number[] = []
const observer = new PerformanceObserver((list) => {
  collections.push(...list.getEntries().map(({ startTime }) => startTime))
})
observer.observe({ entryTypes: ['gc'] })
const READS = 100_000_000
function readAll(): number {
  let sum = 0
  for (let index = 0; index < READS; index++) {
    const payload = payloads[index % WORK]!
    // A sum beyond 2^31 would be garbage of its own.
    sum = (sum + get.channelId(payload) + get.sequenceNumber(payload)) | 0
  }
  return sum
}
const start = performance.now()
const sum = readAll()
const end = performance.now()
await new Promise((resolve) => setTimeout(resolve, 10))
observer.disconnect()
assert.equal(sum, (((ids + sequence) * READS) / WORK) | 0)
// Earlier garbage may be collected after the reads.
const meanwhile = collections.filter((time) => time >= start && time <= end).length
console.log(`\n${READS} times two fields: ${meanwhile} garbage collections`)
process.exit()
