// Checks of a package before anybody installs it.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { Missing, npm } from './toolchains.mjs'

/** Limit for the tarball of the root package, in bytes. */
const ROOT_LIMIT = 300_000

/** Packs a staged package into `to`; the tarball's path and its files. */
export function pack(folder, to) {
  mkdirSync(to, { recursive: true })
  const printed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', to], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const parsed = JSON.parse(printed)
  const [report] = Array.isArray(parsed) ? parsed : Object.values(parsed)
  return {
    folder,
    tarball: join(to, report.filename.replace('@', '').replace('/', '-')),
    size: report.size,
    unpackedSize: report.unpackedSize,
    files: report.files.map(({ path }) => path),
  }
}

/** Faults of the root package, one line each. */
export function rootFaults(packed) {
  const { folder, files, size } = packed
  const allowed = [
    /^(package\.json|README\.md|CHANGELOG\.md|LICENSE-MIT|LICENSE-APACHE)$/,
    /^docs\/[\w-]+\.md$/,
    /^docs\/docker\/\w+\.Dockerfile$/,
    /^examples\/[\w-]+\.js$/,
    /^dist\/(index|shared-[\w-]+|src\/sv2\/index|src\/sv2\/messages\/index)\.js$/,
    /^dist\/(index|src\/sv2\/index)\.cjs$/,
    /^dist\/(index|src\/sv2\/index|src\/sv2\/messages\/index)\.d\.cts$/,
    /^dist\/index\.d\.ts$/,
    /^dist\/src\/(?!cli\/)[\w./-]+\.d\.ts$/,
    /^dist\/src\/native\/binding\.d\.cts$/,
    /^dist\/src\/cli\/[\w/-]+\.js$/,
  ]
  return [
    ...commonFaults(packed),
    ...files
      .filter((path) => !allowed.some((pattern) => pattern.test(path)))
      .map((path) => `${path} is not to be published`),
    ...(size < ROOT_LIMIT ? [] : [`the tarball has ${size} bytes`]),
    ...deadLinks(folder, files),
    ...missingMaps(folder, files),
  ]
}

/** Faults of the package of a platform. */
export function platformFaults(target, packed) {
  const { folder, files } = packed
  const expected = [
    `framepool.${target.name}.node`,
    'LICENSE-APACHE',
    'LICENSE-MIT',
    'README.md',
    'THIRD-PARTY.md',
    'package.json',
  ]
  const addon = join(folder, expected[0])
  return [
    ...commonFaults(packed),
    ...files.filter((path) => !expected.includes(path)).map((path) => `${path} is not to be published`),
    ...expected.filter((path) => !files.includes(path)).map((path) => `${path} is missing`),
    ...addonFaults(target, addon),
  ]
}

function commonFaults({ folder, files }) {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const faults = []
  const named = [manifest.main, manifest.types, ...Object.values(manifest.bin ?? {}), ...leaves(manifest.exports)]
  for (const path of named.filter(Boolean).map((name) => name.replace(/^\.\//, ''))) {
    if (!files.includes(path)) faults.push(`package.json names ${path}, which is not there`)
  }
  for (const listed of manifest.files ?? []) {
    const folder = listed.replace(/\*\.\w+$/, '')
    if (!files.some((path) => path === listed || path.startsWith(join(folder, '/'))))
      faults.push(`${listed} is listed, but not there`)
  }
  for (const field of ['scripts', 'workspaces', 'devDependencies']) {
    if (manifest[field] !== undefined) faults.push(`package.json has ${field}`)
  }
  for (const path of files.filter((name) => /tsbuildinfo$|\.spec\.|__test__|benchmark|\.map$/.test(name))) {
    faults.push(`${path} is not for users`)
  }
  return faults
}

function leaves(exported) {
  if (typeof exported === 'string') return [exported]
  return exported ? Object.values(exported).flatMap(leaves) : []
}

/** Links to files that are not there. */
function deadLinks(folder, files) {
  return files
    .filter((path) => path.endsWith('.md'))
    .flatMap((page) => {
      const text = readFileSync(join(folder, page), 'utf8').replace(/^```[\s\S]*?^```$/gm, '')
      return [...text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)/g)]
        .filter(([, path]) => !files.includes(join(dirname(page), path)))
        .map(([, path]) => `${page} links to ${path}, which is not there`)
    })
}

function missingMaps(folder, files) {
  return files
    .filter(
      (path) =>
        /\.[cm]?[jt]s$/.test(path) && /^\/\/# sourceMappingURL=/m.test(readFileSync(join(folder, path), 'utf8')),
    )
    .map((path) => `${path} names a source map, and there are none`)
}

/** Programs that show what is in an addon, by operating system, and the Debian packages that have them. */
const VIEWERS = {
  linux: { readelf: 'binutils', objdump: 'binutils' },
  win32: { objdump: 'binutils' },
  darwin: { 'llvm-objdump': 'llvm' },
}

/** Throws `Missing` if a program that checks the addon of `target` is absent. */
export function needViewers({ os }) {
  for (const [program, from] of Object.entries(VIEWERS[os])) {
    if (spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0) continue
    throw new Missing(`${program}, which checks the addon, is not installed: Debian has it in the package ${from}`)
  }
}

/** Returns the faults of an addon: it must be for its platform, need nothing newer than its floor, and export the names that Node looks for. */
function addonFaults(target, path) {
  if (target.os === 'linux') return elfFaults(target, path)
  return target.os === 'win32' ? peFaults(path) : machFaults(target, path)
}

function elfFaults(target, path) {
  const header = tool('readelf', ['-hdW', path])
  const symbols = tool('objdump', ['-T', path])
  const faults = []
  if (!header.includes({ x64: 'X86-64', arm64: 'AArch64' }[target.cpu])) faults.push(`it is not for ${target.cpu}`)
  if (!/napi_register_module_v1/.test(symbols)) faults.push('it exports nothing that Node looks for')
  const needed = [...header.matchAll(/NEEDED.*\[(.*)\]/g)].map(([, name]) => name)
  const glibc = [...symbols.matchAll(/GLIBC_([\d.]+)/g)].map(([, version]) => version)
  if (target.libc === 'musl') {
    if (glibc.length > 0 || needed.some((name) => name !== 'libc.so'))
      faults.push(`it needs ${needed} and glibc ${glibc}`)
  } else {
    const newer = glibc.filter((version) => compareVersions(version, target.floor) > 0)
    if (newer.length > 0)
      faults.push(`it needs glibc ${newer.sort(compareVersions).at(-1)}, but the floor is ${target.floor}`)
    const unknown = needed.filter((name) => !/^(lib(c|m|dl|pthread|rt|gcc_s)\.so|ld-linux)/.test(name))
    if (unknown.length > 0) faults.push(`it needs ${unknown}`)
  }
  return faults
}

function peFaults(path) {
  const headers = tool('objdump', ['-p', path])
  const faults = []
  if (!/pei-x86-64/.test(headers)) faults.push('it is not for x64')
  if (!/napi_register_module_v1/.test(headers)) faults.push('it exports nothing that Node looks for')
  const system =
    /^(api-ms-win-|kernel32|ntdll|advapi32|bcrypt|bcryptprimitives|ws2_32|userenv|msvcrt|ucrtbase|synchronization)/i
  const unknown = [...headers.matchAll(/DLL Name: (\S+)/g)].map(([, name]) => name).filter((name) => !system.test(name))
  if (unknown.length > 0) faults.push(`it needs ${unknown}`)
  return faults
}

function machFaults(target, path) {
  const headers = tool('llvm-objdump', ['--macho', '--private-headers', path])
  const symbols = tool('llvm-objdump', ['--macho', '--exports-trie', path])
  const faults = []
  if (!new RegExp({ x64: 'X86_64', arm64: 'ARM64' }[target.cpu]).test(headers))
    faults.push(`it is not for ${target.cpu}`)
  if (!/_napi_register_module_v1/.test(symbols)) faults.push('it exports nothing that Node looks for')
  const [, oldest] =
    /(?:minos|version) (\d+\.\d+)/.exec(headers.slice(headers.search(/LC_(BUILD_VERSION|VERSION_MIN)/))) ?? []
  if (oldest === undefined || compareVersions(oldest, target.floor) > 0) faults.push(`it needs macOS ${oldest}`)
  // An Apple processor runs nothing that is unsigned.
  if (target.cpu === 'arm64' && !/LC_CODE_SIGNATURE/.test(headers)) faults.push('it is not signed')
  const needed = [...headers.matchAll(/LC_LOAD_DYLIB[\s\S]*?name (\S+)/g)].map(([, name]) => name)
  const unknown = needed.filter((name) => !/^\/(usr\/lib|System\/Library)\//.test(name))
  if (unknown.length > 0) faults.push(`it needs ${unknown}`)
  return faults
}

/** The oldest glibc that an addon runs on. */
export function glibcFloor(path) {
  const versions = [...tool('objdump', ['-T', path]).matchAll(/GLIBC_([\d.]+)/g)].map(([, version]) => version)
  return versions.sort(compareVersions).at(-1)
}

function compareVersions(one, other) {
  const [first, second] = [one, other].map((version) => version.split('.').map(Number))
  for (let index = 0; index < Math.max(first.length, second.length); index++) {
    const difference = (first[index] ?? 0) - (second[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

function tool(command, args) {
  return execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Returns the findings of `publint` in a tarball. */
export function publint(tarball) {
  const program = join(npm('publint@0.3.25'), 'src', 'cli.js')
  return failure(process.execPath, [program, 'run', tarball, '--strict'])
}

/** Checks that the types of a tarball are those of its modules, for every kind of module resolution. */
export function areTheTypesWrong(tarball) {
  const program = join(npm('@arethetypeswrong/cli@0.18.5'), 'dist', 'index.js')
  // The resolution of Node 10 does not know `exports`.
  const check = (...args) => failure(process.execPath, [program, tarball, '--profile', 'node16', '--no-color', ...args])
  // Browsers load this ES module as it is, and Node requires it. The program does not know that supported Nodes can.
  const [messages, required] = ['sv2/messages', ['cjs-resolves-to-esm', 'false-cjs']]
  return [
    ...check('--exclude-entrypoints', messages),
    ...check('--entrypoints', messages, '--ignore-rules', ...required),
  ]
}

function failure(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  return status === 0 ? [] : [`${basename(args[0])}: ${stdout}${stderr}`]
}
