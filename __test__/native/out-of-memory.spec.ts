import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, it } from 'vitest'
import { BUILD_TIMEOUT, guardedAddon } from '../support/guarded-addon.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
let addon: string

beforeAll(() => {
  addon = guardedAddon()
}, BUILD_TIMEOUT)

it.each(['', '1'])(
  'every allocation that fails is ERR_NO_MEMORY or has no effect, and never the end of the process (FRAMEPOOL_DEBUG=%s)',
  (debug) => {
    const printed = execFileSync(process.execPath, ['__test__/out-of-memory/main.js'], {
      cwd: root,
      encoding: 'utf8',
      // Rust tells of what it recovers from.
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FRAMEPOOL_DEBUG: debug, FRAMEPOOL_ADDON: addon },
    })
    const { operations, refused } = JSON.parse(printed)
    expect(operations).toBeGreaterThan(40)
    // At least one for each that needs a large piece of memory.
    expect(refused).toBeGreaterThan(20)
  },
)
