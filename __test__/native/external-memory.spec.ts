import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { platformName } from '../../src/native/platform.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'framepool-runtime-'))
const library = join(folder, 'no-external-memory.so')

/** Program that loads framepool twice, here and in a worker, and reports the results. */
const PROGRAM = `
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

const load = async () => {
  try {
    return Object.keys(await import('framepool')).length
  } catch ({ name, code, message }) {
    return { name, code, message }
  }
}
const source = \`
  import { parentPort } from 'node:worker_threads'
  parentPort.postMessage(await (\${load})())
\`
const worker = new Worker(source, { eval: true, execArgv: ['--input-type=module'] })
// Runs first, so that the worker may be the first to load the addon.
const told = once(worker, 'message')
console.log(JSON.stringify([await load(), await load(), ...(await told)]))
`

function load(env: Record<string, string>): unknown[] {
  const options = { cwd: root, encoding: 'utf8', env: { ...process.env, ...env } } as const
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', PROGRAM], options))
}

describe.runIf(platformName().includes('glibc'))('a runtime without external ArrayBuffers', () => {
  beforeAll(() => {
    const source = join(root, '__test__/runtime/no-external-memory.rs')
    execFileSync('rustc', ['--edition=2024', '--crate-type=cdylib', '-o', library, source], { cwd: root })
  })

  afterAll(() => rmSync(folder, { recursive: true }))

  const refusal = {
    name: 'FramePoolError',
    code: 'ERR_EXTERNAL_MEMORY',
    message: expect.stringContaining('refuses ArrayBuffers over native memory'),
  }

  it.each([
    ['refuses them', 'refuse'],
    ['copies the memory instead', 'copy'],
  ])('is noticed on import when it %s', (_, how) => {
    expect(load({ LD_PRELOAD: library, FRAMEPOOL_TEST_EXTERNAL: how })).toEqual([refusal, refusal, refusal])
  })

  it('is not the current runtime', () => {
    expect(load({})).toEqual([expect.any(Number), expect.any(Number), expect.any(Number)])
  })
})
