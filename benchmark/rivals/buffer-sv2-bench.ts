import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const CRATE = 'buffer_sv2-3.0.1'
/** The fewest that criterion takes. The crate's own number, 500, would take many minutes. */
const SAMPLES = 10
/** Names in the crate's bench: by place, and then BufferPool, BufferFromSystemMemory, PPool, MaxEfficiency. */
const NAMES = [
  ['with pool', 'without pool', 'with control struct', 'with control struct max e'],
  ['with pool thread 1', 'without pool threaded 1', 'with control threaded 1', 'with control threaded max'],
  ['with pool thread 2', 'without pool threaded 2', 'with control threaded 2', 'with control threaded max 2'],
]
const folder = join(fileURLToPath(new URL('../../..', import.meta.url)), 'target/rivals/buffer_sv2')
const target = join(folder, '../buffer_sv2-target')

/** Runs the criterion bench of buffer_sv2 as the crate ships it. Returns milliseconds by place and pool, or null if it cannot run. */
export function crateBench(): number[][] | null {
  if (!prepareCrateBench()) return null
  const times = ['--warm-up-time', '1', '--measurement-time', '1', '--noplot']
  const filter = '(pool|struct|max e|thread [12]|threaded [12]|max|max 2)$'
  return cargoBench('--', filter, ...times) ? NAMES.map((names) => names.map(estimate)) : null
}

/** Copies the crate and builds its bench. Returns whether it could. */
export function prepareCrateBench(): boolean {
  const source = sourceOfCrate()
  if (source === null) return false
  const bench = readFileSync(join(source, 'benches/pool_benchmark.rs'), 'utf8')
  const shorter = bench.replace('c.sample_size(500)', `c.sample_size(${SAMPLES})`)
  if (shorter === bench) throw new Error('the bench of the crate is not as expected')
  const copied = join(folder, 'benches/pool_benchmark.rs')
  // A new copy would be built anew.
  if (!existsSync(copied) || readFileSync(copied, 'utf8') !== shorter) {
    rmSync(folder, { recursive: true, force: true })
    cpSync(source, folder, { recursive: true })
    // A workspace of its own: it lies in the target folder of this one.
    writeFileSync(join(folder, 'Cargo.toml'), `${readFileSync(join(folder, 'Cargo.toml'), 'utf8')}\n[workspace]\n`)
    writeFileSync(copied, shorter)
  }
  return cargoBench('--no-run')
}

function cargoBench(...args: string[]): boolean {
  const { status } = spawnSync('cargo', ['bench', '--quiet', '--bench', 'pool_benchmark', ...args], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, CARGO_TARGET_DIR: target },
  })
  return status === 0
}

/** Returns the folder of the crate's source, which cargo has downloaded as a dependency of the core. */
function sourceOfCrate(): string | null {
  const registry = join(process.env.CARGO_HOME ?? join(homedir(), '.cargo'), 'registry/src')
  for (const index of readdirSync(registry)) {
    if (readdirSync(join(registry, index)).includes(CRATE)) return join(registry, index, CRATE)
  }
  return null
}

/** Returns the mean that criterion has found, in milliseconds. */
function estimate(name: string): number {
  const file = join(target, 'criterion/sample-size-example', name, 'new/estimates.json')
  return JSON.parse(readFileSync(file, 'utf8')).mean.point_estimate / 1e6
}
