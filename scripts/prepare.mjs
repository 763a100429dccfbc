// Runs on `npm install` in a checkout and before `npm pack`. Builds the addon if Rust is available. Otherwise reports
// what is missing and succeeds, because the installation must still work.
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
} else {
  execFileSync('npm', ['run', 'build'], { cwd: root, stdio: 'inherit' })
}
