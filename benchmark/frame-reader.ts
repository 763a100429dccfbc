/**
 * P21: frames of 64 B out of chunks of 64 KiB in one thread, one byte of each read: `FrameReader.receive()` beside a loop over Buffers. It should
 * reach 10,000,000 frames a second.
 */
import { strict as assert } from 'node:assert'
import { FrameReader } from '../index.js'
import { compare } from './compare.js'

const FRAME = 64
const CHUNKS = 64
const stream = Buffer.alloc(64 * 1024 * CHUNKS)
for (let at = 0; at < stream.length; at += FRAME) {
  stream.writeUInt32BE(FRAME - 4, at)
  stream[at + 4] = 1
}
const FRAMES = stream.length / FRAME
// Cut within frames.
const chunks = Array.from({ length: CHUNKS }, (_, index) =>
  stream.subarray(index === 0 ? 0 : index * 65_536 - 17, (index + 1) * 65_536 - (index === CHUNKS - 1 ? 0 : 17)),
)
const reader = FrameReader.lengthDelimited({ maxFrameLength: 1024 })

function byReader(): void {
  let sum = 0
  for (const chunk of chunks) for (const payload of reader.receive(chunk)) sum += payload[0]!
  assert.equal(sum, FRAMES)
}

function byBuffers(): void {
  let sum = 0
  let rest = Buffer.alloc(0)
  for (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    while (bytes.length - at >= 4) {
      const end = at + 4 + bytes.readUInt32BE(at)
      if (end > bytes.length) break
      sum += bytes.subarray(at + 4, end)[0]!
      at = end
    }
    rest = bytes.subarray(at)
  }
  assert.equal(sum, FRAMES)
}

const results = await compare({
  title: 'frames of 64 B out of chunks of 64 KiB',
  work: FRAMES,
  cases: [
    { name: 'FrameReader.receive()', run: byReader },
    { name: 'a loop over Buffers', run: byBuffers },
  ],
})
console.log(`${(1e3 / results[0]!.nanos).toFixed(1)} million frames/s by FrameReader`)
