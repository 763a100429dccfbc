// The platforms that `npm run package` knows how to build an addon for. The folders under npm/ follow from this table.

/**
 * `name` is what packages and addons are called after, as napi-rs names them; the ABI of a Windows addon is the C one,
 * so that a single package serves whichever toolchain built it. `standard` says where the standard library comes from:
 * `toolchain` has it ready, `build` compiles its source. `floor` is the oldest system: the version of glibc or macOS.
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

/** The target that addons of this machine are for, or undefined. */
export function hostTarget() {
  const libc = process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl'
  return targets.find(
    (target) =>
      target.os === process.platform &&
      target.cpu === process.arch &&
      (target.libc === undefined || target.libc === libc),
  )
}

/** The targets of those names; every target without a name. Ends this process if there is none of a name. */
export function chosenTargets(names) {
  const unknown = names.find((name) => !targets.some((target) => target.name === name))
  if (unknown !== undefined) {
    console.error(`there is no target ${unknown}; there are ${targets.map(({ name }) => name).join(', ')}`)
    process.exit(1)
  }
  return targets.filter(({ name }) => names.length === 0 || names.includes(name))
}
