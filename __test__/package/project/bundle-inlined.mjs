// A bundle of the kind that docs/install.md warns of: it has framepool's code in it, without the addon.
import { build } from 'esbuild'

await build({
  entryPoints: ['use.mjs'],
  bundle: true,
  platform: 'node',
  format: 'esm',
  outExtension: { '.js': '.mjs' },
  outdir: 'out-inlined',
})
