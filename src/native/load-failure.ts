import { FramePoolError } from '../support/errors.js'
import { addonPackage, platformName } from './platform.js'

/** The oldest Node that framepool supports. */
const OLDEST = [20, 19, 0] as const

const BUILD = 'in a checkout with Rust installed, `npm run build` builds it'

/** Makes the error for an addon that is nowhere to be found. `bundled`: a bundler has moved framepool's code out of its package. */
export function addonAbsent(bundled: boolean): FramePoolError {
  const name = addonPackage()
  if (bundled) {
    const remedy = name === undefined ? '' : `, and \`npm install ${name}\` works there, too`
    return failure(
      "framepool's native addon is not where this code is: a bundler has moved the code and left the addon behind. " +
        "Mark 'framepool' and 'framepool/sv2' as external in the bundler and install framepool where the bundle runs" +
        `${remedy}. This platform is ${platformName()}.`,
    )
  }
  if (name === undefined) {
    return failure(`framepool has no prebuilt native addon for ${platformName()}; ${BUILD}.`)
  }
  return failure(
    `framepool's native addon for ${platformName()} is not installed: the package ${name} has it. ` +
      `Run \`npm install\` again without --omit=optional and, if a lockfile was made on another platform, without that ` +
      `lockfile; or run \`npm install ${name}\`. Else, ${BUILD}.`,
  )
}

/** Makes the error for an addon that the system or Node does not load. Its message begins with theirs. */
export function addonRefused(cause: unknown, path: string, override: boolean): FramePoolError {
  const words = cause instanceof Error ? cause.message : String(cause)
  const which = override ? `The addon that FRAMEPOOL_ADDON names, ${path},` : `framepool's native addon ${path}`
  return failure(
    `${words} (${which} is there, but the system or Node does not load it. This platform is ${platformName()}.)`,
    cause,
  )
}

/** Makes the error for a path in FRAMEPOOL_ADDON at which there is no file. */
export function overrideAbsent(path: string): FramePoolError {
  return failure(`FRAMEPOOL_ADDON names ${path}, and there is no such file.`)
}

/** Throws if this Node is too old to run framepool. */
export function checkNodeVersion(version = process.versions.node): void {
  const parts = version.split('.').map(Number)
  const first = OLDEST.findIndex((number, index) => number !== parts[index])
  if (first !== -1 && (parts[first] ?? 0) < OLDEST[first]!) {
    throw failure(`framepool needs Node.js ${OLDEST.join('.')} or later; this is ${version}.`)
  }
}

function failure(message: string, cause?: unknown): FramePoolError {
  return new FramePoolError('ERR_DLOPEN_FAILED', message, cause === undefined ? undefined : { cause })
}
