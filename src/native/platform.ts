/** Returns the name of this platform, as for prebuilt addons, for example `linux-x64 (glibc 2.36)`. */
export function platformName(): string {
  const name = `${process.platform}-${process.arch}`
  if (process.platform !== 'linux') return name
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return header?.glibcVersionRuntime ? `${name} (glibc ${header.glibcVersionRuntime})` : `${name} (musl)`
}
