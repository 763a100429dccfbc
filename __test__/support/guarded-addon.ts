import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, renameSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

const linux = process.platform === 'linux'
const libraries: Partial<Record<NodeJS.Platform, string>> = {
  darwin: 'libframepool_node.dylib',
  win32: 'framepool_node.dll',
}

/**
 * Builds the addon of which allocations can be made to fail and, on Linux, freed memory is inaccessible; its path, for
 * `FRAMEPOOL_ADDON`.
 */
export function guardedAddon(): string {
  const feature = linux ? 'guard-pages' : 'failing-allocator'
  execFileSync('cargo', ['build', '--quiet', '-p', 'framepool-node', '--features', feature], { cwd: root })
  const folder = `${root}target/guard-pages`
  const addon = `${folder}/framepool.node`
  mkdirSync(folder, { recursive: true })
  // Another process may have it loaded: that keeps the old file.
  copyFileSync(
    `${root}target/debug/${libraries[process.platform] ?? 'libframepool_node.so'}`,
    `${addon}.${process.pid}`,
  )
  renameSync(`${addon}.${process.pid}`, addon)
  return addon
}

/** Longer than any build of it takes, in milliseconds. */
export const BUILD_TIMEOUT = 600_000
