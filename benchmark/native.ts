// Native programs that stand beside framepool in benchmarks. `npm run bench` builds those of a run before it begins, so that no build
// falls into the time of a benchmark. One that runs by itself builds its own.
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { prepareCrateBench } from './rivals/buffer-sv2-bench.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const rivals = `${root}target/rivals`

/** Builds the rivals in a folder of `benchmark/rivals`. Returns the folder of the programs, or null if they cannot be built. */
export function rivalsIn(folder: string): string | null {
  const manifest = `${root}benchmark/rivals/${folder}/Cargo.toml`
  const cargo = ['build', '--quiet', '--release', '--locked', '--manifest-path', manifest, '--target-dir', rivals]
  return spawnSync('cargo', cargo, { stdio: 'inherit' }).status === 0 ? `${rivals}/release` : null
}

/** Runs a bench of a crate of this workspace. Returns the JSON of the last line that it prints. */
export function runBench(crate: string, bench: string, ...args: string[]): unknown {
  const cargo = ['bench', '--quiet', '--package', crate, '--bench', bench, ...args]
  const output = execFileSync('cargo', cargo, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  return args.includes('--no-run') ? null : JSON.parse(output.trimEnd().split('\n').at(-1)!)
}

/** Builds an addon that counts its native allocations. Returns its path. */
export function countingAddon(): string {
  const target = `${root}target/count-allocations`
  const features = ['--features', 'count-allocations', '--target-dir', target]
  execFileSync('cargo', ['build', '--quiet', '-p', 'framepool-node', ...features], { cwd: root, stdio: 'inherit' })
  const library = { darwin: 'libframepool_node.dylib', win32: 'framepool_node.dll' }[process.platform as string]
  // Node loads addons only from files with this extension.
  const addon = `${target}/framepool.node`
  copyFileSync(`${target}/debug/${library ?? 'libframepool_node.so'}`, addon)
  return addon
}

/** What each benchmark needs. */
const needs: Record<string, () => unknown> = {
  'buffer-sv2': prepareCrateBench,
  'frame-reader': () => rivalsIn('frame-codec'),
  messages: () => runBench('message-vectors', 'share', '--no-run'),
  relay: () => rivalsIn('relays'),
  'slot-pool': () => runBench('framepool', 'slot_pool', '--no-run'),
  'sv2-allocations': countingAddon,
  'sv2-echo': () => rivalsIn('sv2-echo-server'),
  'sv2-frames': () => runBench('framepool', 'sv2_frames', '--no-run'),
}

/** Builds what the named benchmarks need. A failure is left to the benchmark, which shows it. */
export function buildFor(names: readonly string[]): void {
  for (const name of names) {
    try {
      needs[name]?.()
    } catch {
      console.error(`framepool: the native programs of ${name} cannot be built`)
    }
  }
}
