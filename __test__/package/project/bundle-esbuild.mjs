// The documented setting: framepool stays outside of the bundle.
import { build } from 'esbuild'

await build({
  entryPoints: ['use.mjs', 'worker.mjs'],
  bundle: true,
  platform: 'node',
  format: 'esm',
  outExtension: { '.js': '.mjs' },
  outdir: 'out-esbuild',
  external: ['framepool', 'framepool/*'],
})
