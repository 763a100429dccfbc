// Runs on `npm install` in a checkout, on `npm install` of a git address, and before `npm pack`. Builds the addon and the facade if
// Rust is available. Otherwise builds the facade alone, reports what is missing and succeeds, because the installation must still work.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const root = new URL('..', import.meta.url)
const inCheckout = existsSync(new URL('Cargo.toml', root))
const hasTools = existsSync(new URL('node_modules/@napi-rs/cli', root))

if (!inCheckout || !hasTools || process.env.FRAMEPOOL_SKIP_BUILD) {
  // An installed package has its binary, so there is nothing to build.
} else if (spawnSync('cargo', ['--version'], { stdio: 'ignore' }).status !== 0) {
  console.log(
    'framepool: cargo was not found, so the native addon was not built. Install Rust and run `npm run build`.',
  )
  // npm shows none of this to those who install from a git address. The facade says it when it is imported.
  execFileSync('npm', ['run', 'build:ts'], { cwd: root, stdio: 'inherit' })
} else {
  execFileSync('npm', ['run', 'build'], { cwd: root, stdio: 'inherit' })
}
