// Writes src/native/boundary.generated.ts from the declarations of the native addon that was just built. Only
// crates/framepool-node declares the words of the control block, the kinds of objects and the bound functions.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { generated } from './setup.mjs'

const { boundaryDeclarations } = createRequire(import.meta.url)('../src/native/binding.cjs')
const declarations = boundaryDeclarations()
// An unchanged file keeps its time stamp.
if (!existsSync(generated) || readFileSync(generated, 'utf8') !== declarations) {
  writeFileSync(generated, declarations)
  console.log(`${generated} has changed: commit it.`)
}
