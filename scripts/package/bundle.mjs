// Puts the facade's modules into one file for each entry: a program that imports framepool does not look for a hundred files.
import { rolldown } from 'rolldown'

/** Bundles these entries of `dist` into `to`, at the same paths. What they share is a file of its own. */
export async function bundle(dist, to, entries) {
  const input = Object.fromEntries(entries.map((path) => [path.replace(/\.js$/, ''), `${dist}/${path}`]))
  const bundled = await rolldown({ input, platform: 'node' })
  const { output } = await bundled.write({
    dir: to,
    entryFileNames: '[name].js',
    chunkFileNames: 'shared.js',
    minify: false,
  })
  await bundled.close()
  return output.map(({ fileName }) => fileName)
}
