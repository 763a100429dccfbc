// What every entry point needs first: the npm packages of the lockfile, and a build of what is checked out.
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** Runs a command in the checkout; ends this process with a message if it fails. */
function must(what, command, args) {
  console.error(`framepool: ${what}`)
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (status === 0) return
  console.error(`framepool: ${what} failed${error ? `: ${error.message}` : ''}`)
  process.exit(1)
}

/** Installs what package-lock.json names, unless that has been done since it last changed. */
export function install() {
  const installed = `${root}node_modules/.package-lock.json`
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${root}package-lock.json`).mtimeMs) return
  // The lockfile decides the versions. `npm ci` would refuse it where a registry's mirror lacks packages for other
  // platforms. No package needs an install script, and our own `prepare` would build a second time.
  must('installing npm packages', 'npm', ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'])
}

/** Builds the addon and the facade. */
export function build() {
  must('building the native addon and the facade (the first time takes a minute or two)', 'npm', ['run', 'build'])
}

/** Builds the facade alone. */
export function buildFacade() {
  must('building the facade', 'npm', ['run', 'build:ts'])
}
