// Writes src/native/boundary.generated.ts from the declarations of the native addon that was just built. Only
// crates/framepool-node declares the words of the control block, the kinds of objects and the bound functions.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { boundary } from './setup.mjs'

const room = dirname(boundary)

// The newest addon is the one that was just built: the folder may hold those of other platforms.
const [addon] = readdirSync(room)
  .filter((name) => name.endsWith('.node'))
  .map((name) => join(room, name))
  .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)
const { boundaryDeclarations } = createRequire(import.meta.url)(addon)
const declarations = boundaryDeclarations()
// An unchanged file keeps its time stamp.
if (!existsSync(boundary) || readFileSync(boundary, 'utf8') !== declarations) {
  writeFileSync(boundary, declarations)
  console.log(`${boundary} has changed: commit it.`)
}
