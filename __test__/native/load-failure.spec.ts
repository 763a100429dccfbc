import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const dist = fileURLToPath(new URL('../../dist', import.meta.url))
const addon = readdirSync(join(dist, 'src/native')).find((name) => name.endsWith('.node'))!
const folder = mkdtempSync(join(tmpdir(), 'framepool-load-'))
afterAll(() => rmSync(folder, { recursive: true }))

interface Failure {
  message: string
  code: string
  info: { code: string }
  cause: string
}

/** Copies the facade without the addon. */
function copy(name: string): string {
  const to = join(folder, name)
  cpSync(dist, to, { recursive: true, filter: (path) => basename(path) !== addon })
  writeFileSync(join(to, 'package.json'), '{"type":"module"}')
  return to
}

/** Returns the error of an import of framepool from `entry`. */
function failureOf(entry: string, args: string[] = [], env: Record<string, string> = {}): Failure {
  const code = `import(process.argv[1]).then(() => console.log('null'), (e) => console.log(JSON.stringify(
    { message: e.message, code: e.code, info: e.info, cause: e.cause?.message })))`
  const { stdout } = spawnSync(process.execPath, [...args, '-e', code, entry], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  return JSON.parse(stdout)
}

describe('an addon that does not load', () => {
  const isThere = "framepool's native addon for "

  it.each([
    ['addons are forbidden', ['--no-addons']],
    ['the permission model forbids them', [permissionFlag(), '--allow-fs-read=*']],
  ])('because %s: says so first', (_, args) => {
    const { message, code, info } = failureOf(join(dist, 'index.js'), args)
    expect(message).toMatch(/^Cannot load native addon because loading addons is disabled/)
    expect(message).toContain(isThere)
    expect(message).not.toMatch(/install/i)
    expect([code, info.code]).toEqual(['ERR_SYSTEM', 'ERR_DLOPEN_FAILED'])
  })

  it.each([
    ['is empty', ''],
    ['is no library', 'x'.repeat(10_000)],
  ])("because it %s: has the loader's own words first", (name, content) => {
    const to = copy(name)
    const path = join(to, 'src/native', addon)
    writeFileSync(path, content)
    const { message, cause } = failureOf(join(to, 'index.js'))
    expect(message.startsWith(path)).toBe(true)
    expect(message).toContain(isThere)
    expect(message).not.toMatch(/install/i)
    expect(cause).toEqual(expect.any(String))
  })

  it('because the addon of the platform package does not load: the message begins with that error', () => {
    const to = copy('package')
    const name = `framepool-${/framepool\.(.+)\.node/.exec(addon)![1]}`
    const path = join(to, 'node_modules', name, 'index.js')
    cpSync(join(dist, 'index.js'), path)
    writeFileSync(path, 'throw new Error("of the package")')
    writeFileSync(join(to, 'node_modules', name, 'package.json'), '{"type":"commonjs"}')
    expect(failureOf(join(to, 'index.js')).message).toMatch(/^of the package \(framepool's native addon /)
  })
})

it('an addon that is absent: the message names the package to install', () => {
  const { message, code } = failureOf(join(copy('absent'), 'index.js'))
  expect(message).toMatch(/^framepool has no native addon for \S+/)
  expect(message).toMatch(/Install framepool-\S+, as npm does without --omit=optional; or build it/)
  expect(code).toBe('ERR_SYSTEM')
})

it('an addon that a bundler left out: the message says so', () => {
  const to = copy('bundled')
  rmSync(join(to, 'src/native/binding.cjs'))
  const { message } = failureOf(join(to, 'index.js'))
  expect(message).toMatch(/a bundler has left it behind/)
  expect(message).toContain('external')
})

it('a bundle that rolldown makes', async () => {
  const { rolldown } = await import('rolldown')
  const bundle = await rolldown({ input: join(dist, 'index.js'), platform: 'node' })
  const file = join(folder, 'bundle.mjs')
  await bundle.write({ file })
  expect(failureOf(file).message).toMatch(/a bundler has left it behind/)
})

/** Returns the flag of the permission model, which Node 20 and 22 call experimental. */
function permissionFlag(): string {
  return process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission'
}
