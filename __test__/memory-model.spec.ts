import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { BUILD_TIMEOUT, guardedAddon } from './support/guarded-addon.js'
import { Random } from './support/random.js'

/** Of each mode. `npm run test:memory` takes longer. */
const SECONDS = Number(process.env.FRAMEPOOL_MODEL_SECONDS ?? 4)
const STEPS_SHOWN = 60

const program = fileURLToPath(new URL('memory-model/main.js', import.meta.url))

describe.runIf(process.platform === 'linux')('whatever a script does with shown memory', () => {
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
      const random = new Random()
      const seed = process.env.FRAMEPOOL_SEED ?? String(random.below(2 ** 32))
      const folder = mkdtempSync(join(tmpdir(), 'framepool-model-'))
      const trace = join(folder, 'trace')
      try {
        const { status, signal, stdout, stderr } = spawnSync(
          process.execPath,
          // In debug mode the objects that it loses are warned of.
          ['--expose-gc', '--no-warnings', program, mode, seed, String(SECONDS), trace],
          {
            encoding: 'utf8',
            timeout: (SECONDS + 120) * 1000,
            env: { ...process.env, ...env, NAPI_RS_NATIVE_LIBRARY_PATH: addon },
          },
        )
        const steps = readFileSync(trace, 'utf8').split('\n').sort().slice(-STEPS_SHOWN)
        const round =
          steps.length === 0 ? '' : `${mode} ${JSON.stringify(env)} seed ${seed}, ${SECONDS} s\n${steps.join('\n')}`
        expect({ status, signal, stderr }, round).toEqual({ status: 0, signal: null, stderr: '' })
        expect(JSON.parse(stdout)).toMatchObject({ guarded: true })
      } finally {
        rmSync(folder, { recursive: true })
      }
    },
    (SECONDS + 180) * 1000,
  )
})
