// Compiles the facade into dist/, and copies the native binding there. `napi build` puts the binding beside the
// sources.
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const room = 'src/native'
process.chdir(root)
rmSync('dist', { recursive: true, force: true })
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
mkdirSync(`dist/${room}`, { recursive: true })
for (const name of readdirSync(room)) {
  if (/^binding\.(cjs|d\.cts)$/.test(name) || name.endsWith('.node')) {
    copyFileSync(`${room}/${name}`, `dist/${room}/${name}`)
  }
}
chmodSync('dist/src/cli/main.js', 0o755)
