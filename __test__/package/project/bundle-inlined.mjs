// What the page of installation warns of: framepool's code in the bundle, without its addon.
import { build } from 'esbuild'

await build({
  entryPoints: ['use.mjs'],
  bundle: true,
  platform: 'node',
  format: 'esm',
  outExtension: { '.js': '.mjs' },
  outdir: 'out-inlined',
})
