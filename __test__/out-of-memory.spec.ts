import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = `${root}target/failing-allocator`
const addon = `${folder}/framepool.node`

beforeAll(() => {
  const cargo = ['build', '--quiet', '-p', 'framepool-node', '--features', 'failing-allocator']
  execFileSync('cargo', cargo, { cwd: root, stdio: 'inherit' })
  const library = { darwin: 'libframepool_node.dylib', win32: 'framepool_node.dll' }[process.platform as string]
  mkdirSync(folder, { recursive: true })
  copyFileSync(`${root}target/debug/${library ?? 'libframepool_node.so'}`, addon)
}, 600_000)

it.each(['', '1'])(
  'every allocation that fails is ERR_NO_MEMORY or has no effect, and never the end of the process (FRAMEPOOL_DEBUG=%s)',
  (debug) => {
    const printed = execFileSync(process.execPath, ['__test__/out-of-memory/main.js'], {
      cwd: root,
      encoding: 'utf8',
      // Rust tells of what it recovers from.
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FRAMEPOOL_DEBUG: debug, NAPI_RS_NATIVE_LIBRARY_PATH: addon },
    })
    const { operations, refused } = JSON.parse(printed)
    expect(operations).toBeGreaterThan(40)
    // At least one for each that needs a large piece of memory.
    expect(refused).toBeGreaterThan(20)
  },
)
