// `npm run bench -- [names] [--save]`: builds, then runs the benchmarks in turn.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { build, install, root } from './setup.mjs'

install()
build()
const folder = `${root}dist/benchmark/`
// A scenario names its target in its first line. The other files hold code that scenarios share.
const scenarios = readdirSync(folder)
  .filter((file) => file.endsWith('.js') && readFileSync(folder + file, 'utf8').startsWith('/**'))
  .map((file) => file.slice(0, -3))
const flags = process.argv.slice(2).filter((argument) => argument.startsWith('--'))
const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
for (const name of names.length > 0 ? names : scenarios) {
  if (!scenarios.includes(name)) {
    console.error(`there is no benchmark ${name}; there are ${scenarios.join(', ')}`)
    process.exit(1)
  }
  const { status } = spawnSync(process.execPath, [`${folder}${name}.js`, ...flags], { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
