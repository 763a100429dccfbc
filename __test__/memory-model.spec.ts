import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { BUILD_TIMEOUT, guardedAddon } from './support/guarded-addon.js'

/** Seconds that each mode runs. `npm run test:memory` runs longer. */
const SECONDS = Number(process.env.FRAMEPOOL_MODEL_SECONDS ?? 4)
const STEPS_SHOWN = 60
/** Debug mode says that it is on. */
const DEBUG_MODE = 'framepool: debug mode is on (FRAMEPOOL_DEBUG)\n'
/** Fewer steps prove nothing. */
const OPERATIONS = 60

const program = fileURLToPath(new URL('memory-model/main.js', import.meta.url))

describe.runIf(process.platform === 'linux')('any use of shown memory', () => {
  let addon: string
  beforeAll(() => {
    addon = guardedAddon()
  }, BUILD_TIMEOUT)

  it.each([
    ['', 'plain', {}],
    [' in debug mode', 'plain', { FRAMEPOOL_DEBUG: '1' }],
    [', even before framepool is loaded', 'early', {}],
  ])(
    'it reaches no freed memory, and no bytes of others%s',
    (_, mode, env) => {
      const seed = process.env.FRAMEPOOL_SEED ?? String(randomInt(2 ** 32))
      console.log(`FRAMEPOOL_SEED=${seed}`)
      const folder = mkdtempSync(join(tmpdir(), 'framepool-model-'))
      const trace = join(folder, 'trace')
      try {
        const { status, signal, stdout, stderr } = spawnSync(
          process.execPath,
          // Debug mode warns about the objects that the model loses.
          ['--expose-gc', '--no-warnings', program, mode, seed, String(SECONDS), trace],
          {
            encoding: 'utf8',
            timeout: (SECONDS + 120) * 1000,
            env: { ...process.env, ...env, FRAMEPOOL_ADDON: addon, FRAMEPOOL_GUARD_PAGES: '1' },
          },
        )
        const [round, ...steps] = readFileSync(trace, 'utf8').split('\n')
        const last = steps.sort().slice(-STEPS_SHOWN)
        const found = stderr.replace(DEBUG_MODE, '')
        const origin = [`${mode} ${JSON.stringify(env)} ${round}`, found, ...last]
          .map((line) => line.trimEnd())
          .join('\n')
        expect({ status, signal, found }, origin).toEqual({ status: 0, signal: null, found: '' })
        const { guarded, succeeded } = JSON.parse(stdout)
        expect(guarded).toBe(true)
        expect(Object.keys(succeeded).length).toBeGreaterThan(OPERATIONS)
      } finally {
        rmSync(folder, { recursive: true })
      }
    },
    (SECONDS + 180) * 1000,
  )
})
