import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { afterAll, describe, expect, it } from 'vitest'
// @ts-expect-error: a script without types
import { targets } from '../../scripts/package/targets.mjs'
import { checkNodeVersion } from '../../src/native/load-failure.js'
import { addonName, addonPackage, PREBUILT, platformName } from '../../src/native/platform.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const dist = join(root, 'dist')
const addon = readdirSync(join(dist, 'src/native')).find((name) => name.endsWith('.node'))!
const prebuilt = `framepool-${/framepool\.(.+)\.node/.exec(addon)![1]}`
const folder = mkdtempSync(join(tmpdir(), 'framepool-load-'))
afterAll(() => rmSync(folder, { recursive: true }))

interface Failure {
  message: string
  code: string
  info: { code: string }
  cause?: string
}

/** An installed package of its own, without an addon: its folder. */
function copy(name: string): string {
  const to = join(folder, name, 'node_modules', 'framepool')
  cpSync(dist, join(to, 'dist'), { recursive: true, filter: (path) => basename(path) !== addon })
  cpSync(join(root, 'package.json'), join(to, 'package.json'))
  return to
}

/** Imports framepool from `entry` in a process of its own and returns the error, or null if it loads. */
function failureOf(entry: string, args: string[] = [], env: Record<string, string> = {}): Failure | null {
  const code = `import(process.argv[1]).then(() => console.log('null'), (e) => console.log(JSON.stringify(
    { message: e.message, code: e.code, cause: e.cause?.message })))`
  const { stdout } = spawnSync(process.execPath, [...args, '-e', code, entry], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  return JSON.parse(stdout)
}

describe('an addon that does not load', () => {
  const isThere = 'is there, but the system or Node does not load it. This platform is '

  it.each([
    ['addons are forbidden', ['--no-addons']],
    ['the permission model forbids them', [permissionFlag(), '--allow-fs-read=*']],
  ])('because %s: says so first', (_, args) => {
    const { message, code } = failureOf(join(dist, 'index.js'), args)!
    expect(message).toMatch(/^Cannot load native addon because loading addons is disabled/)
    expect(message).toContain(isThere)
    expect(message).not.toMatch(/npm install/)
    expect(code).toBe('ERR_DLOPEN_FAILED')
  })

  it.each([
    ['is empty', ''],
    ['is no library', 'x'.repeat(10_000)],
  ])("because it %s: has the loader's own words first", (name, content) => {
    const to = copy(name)
    const path = join(to, 'dist/src/native', addon)
    writeFileSync(path, content)
    const { message, cause } = failureOf(join(to, 'dist/index.js'))!
    expect(message.startsWith(path)).toBe(true)
    expect(message).toContain(isThere)
    expect(message).not.toMatch(/npm install/)
    expect(cause).toEqual(expect.any(String))
  })

  it('gives its error first if it is that of the platform package', () => {
    const to = copy('package')
    addPackage(to, 'index.js', 'throw new Error("of the package")')
    expect(failureOf(join(to, 'dist/index.js'))!.message).toMatch(/^of the package \(framepool's native addon /)
  })

  it('gives the name of FRAMEPOOL_ADDON if that names it', () => {
    const path = join(folder, 'other.node')
    writeFileSync(path, 'x')
    const { message } = failureOf(join(dist, 'index.js'), [], { FRAMEPOOL_ADDON: path })!
    expect(message).toContain(`The addon that FRAMEPOOL_ADDON names, ${path}, ${isThere}`)
  })
})

describe('an addon that is absent', () => {
  it('says what to install, and for which platform', () => {
    const { message, code, cause } = failureOf(join(copy('absent'), 'dist/index.js'))!
    expect(message).toContain(`for ${platformName()} is not installed: the package ${prebuilt} has it`)
    expect(message).toContain(`npm install ${prebuilt}`)
    expect(message).toContain('npm run build')
    expect(message).toContain(`Node.js ${process.versions.node}`)
    expect([code, cause]).toEqual(['ERR_DLOPEN_FAILED', undefined])
  })

  it('says so on a platform that has none', () => {
    const flag = `data:text/javascript,Object.defineProperty(process, 'arch', { value: 'mips' })`
    const { message } = failureOf(join(copy('unknown'), 'dist/index.js'), ['--import', flag])!
    expect(message).toMatch(/^framepool has no prebuilt native addon for \w+-mips .*`npm run build` builds it/)
  })

  it('is another matter than what FRAMEPOOL_ADDON names', () => {
    const path = join(folder, 'nowhere.node')
    const { message } = failureOf(join(dist, 'index.js'), [], { FRAMEPOOL_ADDON: path })!
    expect(message).toBe(`FRAMEPOOL_ADDON names ${path}, and there is no such file.`)
  })
})

describe('an addon that is found', () => {
  it('may lie in the package of the platform', () => {
    const to = copy('found')
    addPackage(to, addon)
    cpSync(join(dist, 'src/native', addon), join(to, 'node_modules', prebuilt, addon))
    expect(failureOf(join(to, 'dist/index.js'))).toBeNull()
  })

  it('may be named by FRAMEPOOL_ADDON', () => {
    const env = { FRAMEPOOL_ADDON: join(dist, 'src/native', addon) }
    expect(failureOf(join(copy('named'), 'dist/index.js'), [], env)).toBeNull()
  })
})

describe('a bundle', () => {
  it.each(['es', 'cjs'] as const)('that has left the addon behind says so (%s)', async (format) => {
    const bundle = await rolldown({ input: join(dist, 'index.js'), platform: 'node' })
    const file = join(folder, format === 'es' ? 'bundle.mjs' : 'bundle.cjs')
    await bundle.write({ file, format })
    const { message } = failureOf(file)!
    expect(message).toMatch(/a bundler has moved the code and left the addon behind/)
    expect(message).toContain("Mark 'framepool' and 'framepool/sv2' as external")
    expect(message).toContain(`npm install ${prebuilt}`)
  })
})

describe('the platform', () => {
  it('is what the build calls it', () => {
    expect(`framepool-${addonName()}`).toBe(prebuilt)
    expect(addonPackage()).toBe(prebuilt)
  })

  it('has a prebuilt addon if there is a package for it', () => {
    expect(PREBUILT).toEqual((targets as { name: string }[]).map(({ name }) => name))
  })

  it.skipIf(process.platform !== 'linux')('is told where the program names no loader', () => {
    const path = Object.getOwnPropertyDescriptor(process, 'execPath')!
    Object.defineProperty(process, 'execPath', { value: '/nonexistent', configurable: true, writable: true })
    try {
      expect(`framepool-${addonName()}`).toBe(prebuilt)
    } finally {
      Object.defineProperty(process, 'execPath', path)
    }
  })
})

describe('too old a Node', () => {
  it('is one that package.json does not name', () => {
    const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    expect(() => checkNodeVersion('0.1.0')).toThrow(
      `framepool needs Node.js ${engines.node.replace('>=', '')} or later`,
    )
  })

  it.each(['18.20.8', '20.18.3', '20.0.0', '4.0.0'])('is named: %s', (version) => {
    expect(() => checkNodeVersion(version)).toThrow(`framepool needs Node.js 20.19.0 or later; this is ${version}.`)
  })

  it.each(['20.19.0', '20.20.2', '21.0.0', '22.0.0-pre', '26.1.0'])('is not %s', (version) => {
    expect(() => checkNodeVersion(version)).not.toThrow()
  })
})

/** Adds the package of this platform, with that file as its main module. */
function addPackage(to: string, main: string, content?: string): void {
  const path = join(to, 'node_modules', prebuilt)
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, 'package.json'), JSON.stringify({ name: prebuilt, main }))
  if (content !== undefined) writeFileSync(join(path, main), content)
}

/** Node 20 and 22 call it experimental. */
function permissionFlag(): string {
  return process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission'
}
