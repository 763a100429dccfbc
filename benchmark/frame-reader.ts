/**
 * P21: frames of 64 B out of chunks of 64 KiB in one thread, one byte of each read: `FrameReader.receive()` beside a loop over Buffers, `bl`,
 * and tokio-util's `LengthDelimitedCodec` in Rust. It should reach 10,000,000 frames a second.
 */
import { strict as assert } from 'node:assert'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { BufferList } from 'bl'
import { FrameReader } from '../index.js'
import { compare, median } from './compare.js'

const FRAME = 64
const CHUNKS = 64
const NATIVE_ROUNDS = 21
const root = fileURLToPath(new URL('../..', import.meta.url))
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

/** Returns nanoseconds a frame by the codec of tokio-util, or null if it cannot be built. */
async function byTokio(): Promise<number | null> {
  const manifest = `${root}benchmark/rivals/frame-codec/Cargo.toml`
  const target = `${root}target/rivals`
  const cargo = ['build', '--quiet', '--release', '--locked', '--manifest-path', manifest, '--target-dir', target]
  if (spawnSync('cargo', cargo, { stdio: 'inherit' }).status !== 0) return null
  const folder = mkdtempSync(join(tmpdir(), 'framepool-stream-'))
  try {
    writeFileSync(join(folder, 'stream'), stream)
    const codec = spawn(`${target}/release/frame-codec`, [join(folder, 'stream')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const lines = createInterface(codec.stdout)
    const nanos: number[] = []
    for (let round = 0; round < NATIVE_ROUNDS; round++) {
      codec.stdin.write('\n')
      nanos.push(Number((await once(lines, 'line'))[0]))
    }
    codec.stdin.end()
    return median(nanos)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const results = await compare({
  title: 'frames of 64 B out of chunks of 64 KiB',
  work: FRAMES,
  cases: [
    { name: 'FrameReader.receive()', run: byReader },
    { name: 'a loop over Buffers', run: byBuffers },
    { name: 'bl', run: byBufferList },
  ],
})
console.log(`${(1e3 / results[0]!.nanos).toFixed(1)} million frames/s by FrameReader`)
const native = await byTokio()
if (native !== null) console.log(`tokio-util's LengthDelimitedCodec, in Rust: ${native.toFixed(1)} ns a frame`)
