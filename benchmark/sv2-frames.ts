/** P14: a frame sealed and opened in one thread, in Rust, beside `codec_sv2` with its buffer pool. */
import { runBench } from './native.js'
import { report } from './rounds.js'

const { sizes } = runBench('framepool', 'sv2_frames') as {
  sizes: { bytes: number; framepool: number[]; codec_sv2: number[] }[]
}
const LEAST: Record<number, number> = { 64: 3, 16384: 1.2 }
const names = ['framepool, in Rust', 'codec_sv2 7.0.0, in Rust']
for (const { bytes, framepool, codec_sv2 } of sizes) {
  report({
    title: `a frame of ${bytes} B sealed and opened`,
    unit: 'ns',
    names,
    costs: [framepool, codec_sv2],
    targets: [{ id: 'P14', rival: names[1]!, least: LEAST[bytes]! }],
  })
}
