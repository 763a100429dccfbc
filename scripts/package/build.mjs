// Builds the addon for one platform after another, as far as this machine can.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../setup.mjs'
import { folder, Missing, nodeDefinitions, rust, zig } from './toolchains.mjs'

/** Directory of the addons of all platforms. */
export const addons = join(root, '.package', 'addons')

/** The file that holds the addon for a target. */
export function addonFile(target) {
  return `framepool.${target.name}.node`
}

const output = {
  linux: 'libframepool_node.so',
  win32: 'framepool_node.dll',
  darwin: 'libframepool_node.dylib',
}

/** Builds the addon for a target; its path. Throws `Missing` where a tool is not to be had. */
export function buildAddon(target) {
  const path = join(addons, addonFile(target))
  const triple = target.os === 'linux' && target.floor ? `${target.triple}.${target.floor}` : target.triple
  const args = ['zigbuild', '--release', '--locked', '-p', 'framepool-node', '--target', triple]
  if (target.standard === 'build') args.push('-Zbuild-std=std,panic_unwind')
  const compiler = { ...process.env, ...rust(target) }
  const env = { ...compiler, ...zig(compiler.PATH), CARGO_TARGET_DIR: join(folder, 'target'), ...flags(target) }
  const { status, error } = spawnSync(env.CARGO ?? 'cargo', args, { cwd: root, env, stdio: ['ignore', 2, 2] })
  if (error) throw new Missing(error.message)
  if (status !== 0) throw new Error(`the addon for ${target.name} does not build`)
  mkdirSync(addons, { recursive: true })
  copyFileSync(join(folder, 'target', target.triple, 'release', output[target.os]), path)
  return path
}

/** Environment variables for the compilers, by target. */
function flags(target) {
  const variable = `CARGO_TARGET_${target.triple.toUpperCase().replaceAll('-', '_')}_RUSTFLAGS`
  // An addon is a shared library of a program that has the C library itself.
  if (target.libc === 'musl') return { [variable]: '-C target-feature=-crt-static' }
  // The linker's own stripping breaks the signature without which no Apple processor runs a library.
  if (target.os === 'darwin') return { MACOSX_DEPLOYMENT_TARGET: target.floor, CARGO_PROFILE_RELEASE_STRIP: 'none' }
  if (target.os === 'win32') return { LIBNODE_PATH: importLibrary() }
  return {}
}

/** A folder with the import library for Windows: Node-API itself is looked up when the addon is loaded. */
function importLibrary() {
  const path = join(folder, 'windows')
  mkdirSync(path, { recursive: true })
  const args = [
    'dlltool',
    '-d',
    join(nodeDefinitions(), 'node_api.def'),
    '-l',
    join(path, 'node.lib'),
    '-m',
    'i386:x86-64',
  ]
  const { status, stderr } = spawnSync('python-zig', args, { env: { ...process.env, ...zig() }, encoding: 'utf8' })
  if (status !== 0) throw new Error(`no import library: ${stderr}`)
  // The build script of napi-rs looks for a file of this name; the linker takes the library.
  writeFileSync(join(path, 'libnode.dll'), '')
  return path
}
