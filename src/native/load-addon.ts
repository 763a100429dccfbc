import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

import { addonAbsent, addonRefused, checkNodeVersion, overrideAbsent } from './load-failure.js'
import { addonName } from './platform.js'

/**
 * Loads the native addon. A build in a checkout lies beside this file; elsewhere the addon comes from the package of the platform.
 * The variable FRAMEPOOL_ADDON names another.
 */
export function loadAddon(): typeof import('./binding.cjs') {
  checkNodeVersion()
  const override = process.env.FRAMEPOOL_ADDON
  const path = override ? resolve(override) : findAddon()
  if (override && !existsSync(path)) throw overrideAbsent(path)
  try {
    // Not by `process.dlopen()`: to two copies of this module in one isolate, as test runners make them, it gives two addons.
    return createRequire(path)(path)
  } catch (cause) {
    throw addonRefused(cause, path, Boolean(override))
  }
}

/** Returns the path of the addon for this platform. Addons must not be tried in turn: that of another platform can end the process. */
export function findAddon(): string {
  // A bundle of CommonJS modules has no URL.
  const here: string | undefined = import.meta.url
  if (!here) throw addonAbsent(true)
  const name = addonName()
  const built = join(dirname(fileURLToPath(here)), `framepool.${name}.node`)
  if (existsSync(built)) return built
  const { resolve } = createRequire(here)
  try {
    return resolve(`framepool-${name}`)
  } catch {
    throw addonAbsent(isBundled(here, resolve))
  }
}

/** Returns whether a bundler has moved the code at `here` out of its package. */
function isBundled(here: string, resolve: NodeJS.RequireResolve): boolean {
  try {
    return !fileURLToPath(here).startsWith(dirname(resolve('framepool/package.json')))
  } catch {
    return true
  }
}
