// Sets up every entry point: installs the npm packages of the lockfile, and builds the checkout.
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** The TypeScript side of the native boundary: see `build-boundary.mjs`. */
export const boundary = `${root}src/native/boundary.generated.ts`

/** Files that every build of the addon writes, and that are committed: packages are also made where no addon is built for this machine. */
export const generated = [boundary, `${root}src/native/binding.d.cts`]

/** Runs a command in the checkout. Ends this process with a message if it fails. */
function must(what, command, args) {
  console.error(`framepool: ${what}`)
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (status === 0) return
  console.error(`framepool: ${what} failed${error ? `: ${error.message}` : ''}`)
  process.exit(1)
}

/** Installs the packages of package-lock.json, unless it is unchanged since the last installation. */
export function install() {
  const installed = `${root}node_modules/.package-lock.json`
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${root}package-lock.json`).mtimeMs) return
  // The lockfile decides the versions. `npm ci` would fail on a registry mirror that lacks packages for other
  // platforms. No package needs an install script, and the `prepare` of framepool would build a second time.
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
