import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, it } from 'vitest'
import { BUILD_TIMEOUT, guardedAddon } from '../support/guarded-addon.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Each allocation of each operation fails once, so that a busy machine needs minutes. */
const MAX_MS = 300_000
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
      timeout: MAX_MS,
      // Rust reports on stderr each failure that it recovers from.
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FRAMEPOOL_DEBUG: debug, FRAMEPOOL_ADDON: addon },
    })
    const { operations, refused } = JSON.parse(printed)
    expect(operations).toBeGreaterThan(40)
    // At least one refusal for each operation that needs a large allocation.
    expect(refused).toBeGreaterThan(20)
  },
  MAX_MS,
)
