/** Time that `import 'framepool'` takes in a new process, beyond importing an empty module: the code as it is published. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const ROUNDS = 25
const root = fileURLToPath(new URL('../..', import.meta.url))

/** The figures that a process reports of one import, in milliseconds. */
interface Sample {
  elapsed: number
  /** CPU time of the process itself: other programs do not count. */
  busy: number
}

const folder = mkdtempSync(join(tmpdir(), 'framepool-import-'))
try {
  spawnSync(process.execPath, [join(root, 'scripts/package/bundle.mjs'), join(folder, 'dist')], { stdio: 'inherit' })
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, 'empty.js'), 'export {}')
  const native = join(root, 'src/native')
  for (const name of readdirSync(native).filter((file) => file.endsWith('.node'))) {
    for (const place of ['dist', 'dist/src/sv2']) cpSync(join(native, name), join(folder, place, name))
  }
  const paths = ['empty.js', 'dist/index.js', 'dist/src/sv2/index.js']
  const samples = new Map(paths.map((path) => [path, [] as Sample[]]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [path, list] of samples) list.push(importOnce(join(folder, path)))
  }
  const [empty, ...others] = [...samples].map(([path, list]) => ({
    path,
    elapsed: median(list, 'elapsed'),
    busy: median(list, 'busy'),
  }))
  for (const { path, elapsed, busy } of others) {
    const [more, moreBusy] = [elapsed - empty!.elapsed, busy - empty!.busy].map((milliseconds) =>
      milliseconds.toFixed(1),
    )
    console.log(`${path.padEnd(24)} ${more} ms, ${moreBusy} ms of them on the processor`)
  }
} finally {
  rmSync(folder, { recursive: true })
}

function importOnce(path: string): Sample {
  const source = `const start = performance.now(), before = process.cpuUsage()
    import(${JSON.stringify(pathToFileURL(path).href)}).then(() => {
      const { user, system } = process.cpuUsage(before)
      console.log(JSON.stringify({ elapsed: performance.now() - start, busy: (user + system) / 1000 }))
    })`
  return JSON.parse(spawnSync(process.execPath, ['-e', source], { encoding: 'utf8' }).stdout)
}

function median(samples: Sample[], what: keyof Sample): number {
  const sorted = samples.map((sample) => sample[what]).sort((one, other) => one - other)
  return sorted[sorted.length >> 1]!
}
