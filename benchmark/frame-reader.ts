/**
 * P21: frames of 64 B out of chunks of 64 KiB in one thread, one byte of each read: `FrameReader.receive()` beside a loop over Buffers, `bl`,
 * and tokio-util's `LengthDelimitedCodec` in Rust. It should reach 10,000,000 frames a second.
 */
import { strict as assert } from 'node:assert'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { BufferList } from 'bl'
import { FrameReader } from '../index.js'
import { compare } from './compare.js'
import { rivalsIn } from './native.js'
import { reportFigure } from './rounds.js'

const FRAME = 64
const CHUNKS = 64
const NATIVE_ROUNDS = 21
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

function byBufferList(): void {
  let sum = 0
  const list = new BufferList()
  for (const chunk of chunks) {
    list.append(chunk)
    let at = 0
    while (list.length - at >= 4) {
      const end = at + 4 + list.readUInt32BE(at)
      if (end > list.length) break
      sum += list.slice(at + 4, end)[0]!
      at = end
    }
    list.consume(at)
  }
  assert.equal(sum, FRAMES)
}

/** Returns nanoseconds a frame by the codec of tokio-util, round by round, or nothing if it cannot be built. */
async function byTokio(): Promise<number[] | null> {
  const programs = rivalsIn('frame-codec')
  if (programs === null) return null
  const folder = mkdtempSync(join(tmpdir(), 'framepool-stream-'))
  try {
    writeFileSync(join(folder, 'stream'), stream)
    const codec = spawn(`${programs}/frame-codec`, [join(folder, 'stream')], { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface(codec.stdout)
    const nanos: number[] = []
    for (let round = 0; round < NATIVE_ROUNDS; round++) {
      codec.stdin.write('\n')
      nanos.push(Number((await once(lines, 'line'))[0]))
    }
    codec.stdin.end()
    return nanos
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const native = await byTokio()
const [ours] = await compare({
  title: 'frames of 64 B out of chunks of 64 KiB',
  work: FRAMES,
  cases: [
    { name: 'FrameReader.receive()', run: byReader },
    { name: 'a loop over Buffers', run: byBuffers },
    { name: 'bl', run: byBufferList },
  ],
  measured: native === null ? [] : [{ name: 'tokio-util in Rust', costs: native }],
})
reportFigure({
  id: 'P21',
  title: 'frames of 64 B by FrameReader in one thread',
  unit: 'frames/s',
  value: 1e9 / ours!.nanos,
  limit: 10_000_000,
  atLeast: true,
})
