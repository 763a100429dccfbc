// Compiles the facade into dist/, puts the types of the addon there, and the addon if `napi build` has made one, and
// adds the modules that `require('framepool')` loads.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { declarationForRequire } from './package/declarations.mjs'
import { entries, exported } from './package/entries.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const room = 'src/native'
process.chdir(root)
rmSync('dist', { recursive: true, force: true })
compile()
dropComments()
mkdirSync(`dist/${room}`, { recursive: true })
for (const name of readdirSync(room)) {
  if (name === 'binding.d.cts' || name.endsWith('.node')) copyFileSync(`${room}/${name}`, `dist/${room}/${name}`)
}
const [oldest] = JSON.parse(readFileSync('package.json', 'utf8')).engines.node.match(/[\d.]+/)
for (const entry of exported) {
  writeFileSync(join('dist', `${entry}.d.cts`), declarationForRequire('dist', `${entry}.d.ts`))
}
for (const entry of entries) writeFileSync(join('dist', `${entry}.cjs`), moduleForRequire(`./${basename(entry)}.js`))
chmodSync('dist/src/cli/main.js', 0o755)

function compile(...flags) {
  const tsc = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', ...flags]
  execFileSync(process.execPath, tsc, { stdio: 'inherit' })
}

/** Takes the comments out of the modules that are published: the declarations have them. */
function dropComments() {
  const bare = mkdtempSync(join(tmpdir(), 'framepool-bare-'))
  compile('--removeComments', '--declaration', 'false', '--outDir', bare)
  for (const path of readdirSync('dist', { recursive: true })) {
    if (!path.endsWith('.js') || path.startsWith('benchmark')) continue
    // The compiler would take out the marks by which bundlers know code that nothing needs.
    if (readFileSync(`dist/${path}`, 'utf8').includes('@__PURE__')) continue
    copyFileSync(join(bare, path), `dist/${path}`)
  }
  rmSync(bare, { recursive: true })
}

/** A CommonJS module for an ES module that a supported Node can require; others would only say that they cannot. */
function moduleForRequire(path) {
  return `'use strict'
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < ${oldest.split('.')[0]} || (major === ${oldest.split('.')[0]} && minor < ${oldest.split('.')[1]})) {
  const message = \`framepool needs Node.js ${oldest} or later; this is \${process.versions.node}.\`
  throw Object.assign(new Error(message), { code: 'ERR_SYSTEM' })
}
module.exports = require('${path}')
`
}
