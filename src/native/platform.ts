import { closeSync, openSync, readSync } from 'node:fs'

/** Platforms that have a package with a prebuilt addon, as in `scripts/package/targets.mjs`. `docs/install.md` says how each was tested. */
export const PREBUILT: readonly string[] = [
  'linux-x64-gnu',
  'linux-x64-musl',
  'linux-arm64-gnu',
  'linux-arm64-musl',
  'win32-x64',
  'darwin-arm64',
  'darwin-x64',
]

/** Bytes that are read of a program's start: its header and the sections right behind it. */
const START = 4096

/**
 * Returns the name of the addon for this platform, for example `linux-x64-gnu`. The loader needs it before it loads an addon: an
 * addon that was built for another C library does not fail to load, but ends the process.
 */
export function addonName(): string {
  const name = `${process.platform}-${process.arch}`
  return process.platform === 'linux' ? `${name}-${isMusl() ? 'musl' : 'gnu'}` : name
}

/** Returns the name of the package with the prebuilt addon for this platform, or undefined if there is none. */
export function addonPackage(): string | undefined {
  const name = addonName()
  return PREBUILT.includes(name) ? `framepool-${name}` : undefined
}

/** Describes this platform for people, for example `linux-x64 (glibc 2.36, Node.js 20.19.0)`. */
export function platformName(): string {
  const facts = [`Node.js ${process.versions.node}`]
  if (process.platform === 'linux') facts.unshift(isMusl() ? 'musl' : `glibc ${glibcVersion() ?? 'of unknown version'}`)
  return `${process.platform}-${process.arch} (${facts.join(', ')})`
}

/**
 * Returns whether this program uses musl instead of glibc. A Linux program names its loader at its start. If it does not, it was started
 * through its loader, or that cannot be read: Node's report tells then, which takes some milliseconds.
 */
function isMusl(): boolean {
  const start = startOf(process.execPath)
  return start.includes('/ld-musl') || (!start.includes('/ld-linux') && glibcVersion() === undefined)
}

/** Returns the first bytes of a file, or none if it cannot be read. */
function startOf(path: string): Buffer {
  try {
    const file = openSync(path, 'r')
    try {
      const bytes = Buffer.alloc(START)
      return bytes.subarray(0, readSync(file, bytes, 0, START, 0))
    } finally {
      closeSync(file)
    }
  } catch {
    return Buffer.alloc(0)
  }
}

function glibcVersion(): string | undefined {
  const report: NodeJS.ProcessReport & { excludeNetwork?: boolean } = process.report
  // The network interfaces take the longest.
  const before = report.excludeNetwork ?? false
  report.excludeNetwork = true
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } }
  report.excludeNetwork = before
  return header?.glibcVersionRuntime
}
