import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, renameSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const target = resolve(root, process.env.CARGO_TARGET_DIR ?? 'target')

const linux = process.platform === 'linux'
const libraries: Partial<Record<NodeJS.Platform, string>> = {
  darwin: 'libframepool_node.dylib',
  win32: 'framepool_node.dll',
}

/**
 * Builds the test addon, and returns its path for `FRAMEPOOL_ADDON`. Its allocations can be made to fail,
 * and on Linux its freed memory is inaccessible.
 */
export function guardedAddon(): string {
  const feature = linux ? 'guard-pages' : 'failing-allocator'
  execFileSync('cargo', ['build', '--quiet', '-p', 'framepool-node', '--features', feature], { cwd: root })
  const folder = `${target}/guard-pages`
  const addon = `${folder}/framepool.node`
  mkdirSync(folder, { recursive: true })
  // Another process may have the addon loaded. That process keeps the old file.
  copyFileSync(`${target}/debug/${libraries[process.platform] ?? 'libframepool_node.so'}`, `${addon}.${process.pid}`)
  renameSync(`${addon}.${process.pid}`, addon)
  return addon
}

/** Milliseconds. Longer than any build of the addon takes. */
export const BUILD_TIMEOUT = 600_000
