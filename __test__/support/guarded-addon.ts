import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, renameSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Builds the addon with which freed memory is inaccessible and allocations can be made to fail; its path, for
 * `NAPI_RS_NATIVE_LIBRARY_PATH`. Only for Linux.
 */
export function guardedAddon(): string {
  execFileSync('cargo', ['build', '--quiet', '-p', 'framepool-node', '--features', 'guard-pages'], { cwd: root })
  const folder = `${root}target/guard-pages`
  const addon = `${folder}/framepool.node`
  mkdirSync(folder, { recursive: true })
  // Another process may have it loaded: that keeps the old file.
  copyFileSync(`${root}target/debug/libframepool_node.so`, `${addon}.${process.pid}`)
  renameSync(`${addon}.${process.pid}`, addon)
  return addon
}

/** Longer than any build of it takes, in milliseconds. */
export const BUILD_TIMEOUT = 600_000
