// Writes src/native/boundary.generated.ts: what the native addon, which was just built, declares of its boundary. The words of the
// control block, the kinds of objects and the bound functions are declared in crates/framepool-node alone.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { generated } from './setup.mjs'

const { boundaryDeclarations } = createRequire(import.meta.url)('../src/native/binding.cjs')
const declarations = boundaryDeclarations()
// A file that is as it should be keeps its time stamp.
if (!existsSync(generated) || readFileSync(generated, 'utf8') !== declarations) {
  writeFileSync(generated, declarations)
  console.log(`${generated} has changed: commit it.`)
}
