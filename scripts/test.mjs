// `npm test`: sets everything up, then runs every check and every test, and ends with one line that counts them.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, generated, install, root } from './setup.mjs'
import { linters, runAll, vitest } from './stages.mjs'

const bin = (name) => join(root, 'node_modules', '.bin', name)

const stages = [
  ...linters,
  { name: 'Types', command: bin('tsc'), args: ['-p', 'tsconfig.json'] },
  // Fails on a warning, so that every exported member stays documented.
  { name: 'API reference', command: 'npm', args: ['run', 'docs'] },
  {
    name: 'Rust documentation',
    command: 'cargo',
    args: ['doc', '--no-deps', '--workspace', '--document-private-items'],
    env: { ...process.env, RUSTDOCFLAGS: '-D warnings' },
  },
  { name: 'Rust', command: 'cargo', args: ['test', '--workspace'], count: countCargo },
  vitest('Facade', process.execPath),
  { name: 'Package', command: bin('ava'), args: [], count: countAva },
]

function countCargo(output) {
  const results = [...output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed/gm)]
  const [passed, failed] = results.reduce(
    ([p, f], [, passes, fails]) => [p + Number(passes), f + Number(fails)],
    [0, 0],
  )
  const failures = [...output.matchAll(/^---- (\S+) stdout ----\n(?:.*\n)*?(?=\n)/gm)].map(([text]) => text)
  return [passed, failed, failures]
}

function countAva(output) {
  const count = (verb) => Number(output.match(new RegExp(`(\\d+) tests? ${verb}`))?.[1] ?? 0)
  const failures = [...output.matchAll(/^ *✘ \[fail\]: (.+)$/gm)].map(([, name]) => `Package: ${name}`)
  return [count('passed'), count('failed'), failures]
}

const contents = () => generated.map((path) => (existsSync(path) ? readFileSync(path, 'utf8') : ''))

install()
const committed = contents()
build()
const built = contents()
const stale = generated.filter((_, index) => built[index] !== committed[index])
for (const path of stale) console.error(`framepool: ${path} was stale, and the build has written it anew: commit it`)
await runAll(stages, generated.length - stale.length, stale.length)
