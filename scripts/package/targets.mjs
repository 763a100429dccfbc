// The platforms that `npm run package` knows how to build an addon for. The folders under npm/ follow from this table, and the list in
// `src/native/platform.ts` has its names.

/**
 * Each target has:
 *
 * - `name`: its name in packages and addons, as napi-rs has it. A Windows addon has the C ABI, so that one package serves
 *   whichever toolchain built it.
 * - `standard`: where the standard library comes from. `toolchain` has it ready, `build` compiles its source.
 * - `floor`: the oldest system, as the version of glibc or macOS.
 */
export const targets = [
  {
    name: 'linux-x64-gnu',
    triple: 'x86_64-unknown-linux-gnu',
    os: 'linux',
    cpu: 'x64',
    libc: 'glibc',
    standard: 'toolchain',
    floor: '2.17',
  },
  {
    name: 'linux-x64-musl',
    triple: 'x86_64-unknown-linux-musl',
    os: 'linux',
    cpu: 'x64',
    libc: 'musl',
    standard: 'build',
  },
  {
    name: 'linux-arm64-gnu',
    triple: 'aarch64-unknown-linux-gnu',
    os: 'linux',
    cpu: 'arm64',
    libc: 'glibc',
    standard: 'toolchain',
    floor: '2.17',
  },
  {
    name: 'linux-arm64-musl',
    triple: 'aarch64-unknown-linux-musl',
    os: 'linux',
    cpu: 'arm64',
    libc: 'musl',
    standard: 'build',
  },
  {
    name: 'win32-x64',
    triple: 'x86_64-pc-windows-gnullvm',
    os: 'win32',
    cpu: 'x64',
    standard: 'build',
  },
  {
    name: 'darwin-arm64',
    triple: 'aarch64-apple-darwin',
    os: 'darwin',
    cpu: 'arm64',
    standard: 'build',
    floor: '11.0',
  },
  {
    name: 'darwin-x64',
    triple: 'x86_64-apple-darwin',
    os: 'darwin',
    cpu: 'x64',
    standard: 'build',
    floor: '11.0',
  },
]

/** Returns the target of this machine, or undefined. */
export function hostTarget() {
  const libc = process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl'
  return targets.find(
    (target) =>
      target.os === process.platform &&
      target.cpu === process.arch &&
      (target.libc === undefined || target.libc === libc),
  )
}
